//! Galois/counter mode (GB/T 36624-2018; NIST SP 800-38D).

use core::iter;

use zeroize::Zeroize;

use super::ctr::{Keystream, Last32Bits};
use super::{BLOCK_SIZE, Block, KEY_SIZE, Key};
use crate::ct;
use crate::error::Error;
use crate::ghash::{Ghash, GhashKey};
use crate::memory::Room;

/// Bytes of a whole tag.
pub const TAG_SIZE: usize = 16;
/// Fewest bytes of a tag (NIST SP 800-38D, 5.2.1.2, without the short ones of appendix C).
pub const LEAST_TAG_SIZE: usize = 12;
/// Most bytes of a message (5.2.1.1).
pub const MAX_DATA: u64 = (1 << 36) - 32;
/// Most bytes of additional data, and of a nonce.
pub const MAX_AAD: u64 = (1 << 61) - 1;

/// Bytes encrypted before they are hashed: they are then still in the first cache. Whole batches of
/// every back-end, once the key stream that waits is used up.
const CHUNK: usize = 3072;

/// A key for any number of messages.
#[derive(Clone)]
pub struct Gcm {
    key: Key,
    hash_key: GhashKey,
}

impl Gcm {
    /// Expands a key.
    #[must_use]
    pub fn new(key: &[u8; KEY_SIZE]) -> Self {
        let key = Key::new(key);
        let mut h = [0; BLOCK_SIZE];
        key.encrypt_block(&mut h);
        let hash_key = GhashKey::new(&h);
        h[..].zeroize();
        Self { key, hash_key }
    }

    /// Encrypts in place and gives the tag. One key must never see a nonce twice.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] for an empty nonce or too much data.
    pub fn encrypt(&self, nonce: &[u8], aad: &[u8], data: &mut [u8]) -> Result<Block, Error> {
        check_lengths(nonce, aad, data.len() as u64)?;
        let mut message = Message::new(self, nonce, aad, data.len());
        message.encrypt(self, data);
        Ok(message.tag(self))
    }

    /// Writes the ciphertext of the parts, one after the other, and gives the tag.
    ///
    /// # Errors
    /// As [`Gcm::encrypt`], and [`Error::InvalidInput`] if there is not so much room.
    pub fn encrypt_to(
        &self,
        nonce: &[u8],
        aad: &[u8],
        parts: &[&[u8]],
        room: &mut Room<'_>,
    ) -> Result<Block, Error> {
        let length = parts.iter().map(|part| part.len()).sum();
        check_lengths(nonce, aad, length as u64)?;
        let mut message = Message::new(self, nonce, aad, length);
        for part in parts {
            message.encrypt_to(self, part, room)?;
        }
        Ok(message.tag(self))
    }

    /// Checks the tag and only then writes the plaintext, except for its end, which goes to `last`.
    ///
    /// # Errors
    /// As [`Gcm::decrypt`], nothing being written, and [`Error::InvalidInput`] if there is not so
    /// much room.
    pub fn decrypt_to(
        &self,
        nonce: &[u8],
        aad: &[u8],
        data: &[u8],
        tag: &[u8],
        room: &mut Room<'_>,
        last: &mut [u8],
    ) -> Result<(), Error> {
        check_lengths(nonce, aad, data.len() as u64)?;
        let Some(length) = data.len().checked_sub(last.len()) else {
            return Err(Error::InvalidInput("the data is shorter than the end of it asked for"));
        };
        room.require(length)?;
        let (first, rest) = data.split_at(length);
        let mut message = Message::new(self, nonce, aad, data.len());
        message.check(self, data, tag)?;
        message.keystream.apply_to::<Last32Bits>(&self.key, first, room)?;
        last.copy_from_slice(rest);
        message.keystream.apply::<Last32Bits>(&self.key, last);
        Ok(())
    }

    /// Checks the tag and only then decrypts, in place.
    ///
    /// # Errors
    /// [`Error::InvalidTag`], the data being left as it was, and as [`Gcm::encrypt`].
    pub fn decrypt(
        &self,
        nonce: &[u8],
        aad: &[u8],
        data: &mut [u8],
        tag: &[u8],
    ) -> Result<(), Error> {
        check_lengths(nonce, aad, data.len() as u64)?;
        let mut message = Message::new(self, nonce, aad, data.len());
        message.check(self, data, tag)?;
        message.keystream.apply::<Last32Bits>(&self.key, data);
        Ok(())
    }
}

/// A message in progress that owns its key.
pub struct Stream {
    gcm: Gcm,
    message: Message,
    decrypting: bool,
}

impl Stream {
    /// Starts a message.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] for an empty nonce or too much additional data.
    pub fn new(gcm: Gcm, nonce: &[u8], aad: &[u8], decrypting: bool) -> Result<Self, Error> {
        check_lengths(nonce, aad, 0)?;
        let message = Message::new(&gcm, nonce, aad, 0);
        Ok(Self { gcm, message, decrypting })
    }

    /// Encrypts or decrypts more of the message.
    ///
    /// Decrypted data is worth nothing before [`Stream::verify`] has accepted the tag.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] beyond [`MAX_DATA`] bytes, and if there is not so much room.
    pub fn apply_to(&mut self, data: &[u8], room: &mut Room<'_>) -> Result<(), Error> {
        check_data_length(self.message.data_length.saturating_add(data.len() as u64))?;
        if self.decrypting {
            self.message.decrypt_to(&self.gcm, data, room)
        } else {
            self.message.encrypt_to(&self.gcm, data, room)
        }
    }

    /// Ends the message and gives its tag.
    #[must_use]
    pub fn tag(mut self) -> Block {
        self.message.tag(&self.gcm)
    }

    /// Ends the message and compares its tag.
    ///
    /// # Errors
    /// [`Error::InvalidTag`].
    pub fn verify(self, tag: &[u8]) -> Result<(), Error> {
        check_tag(&self.tag(), tag)
    }
}

/// Refuses tag lengths that are not offered.
///
/// # Errors
/// [`Error::InvalidInput`].
pub fn check_tag_length(length: usize) -> Result<(), Error> {
    if (LEAST_TAG_SIZE..=TAG_SIZE).contains(&length) {
        Ok(())
    } else {
        Err(Error::InvalidInput("a GCM tag is 12 to 16 bytes long"))
    }
}

struct Message {
    keystream: Keystream,
    hash: Ghash,
    /// The encrypted first counter block, which hides the hash.
    mask: Block,
    aad_length: u64,
    data_length: u64,
}

impl Message {
    fn new(gcm: &Gcm, nonce: &[u8], aad: &[u8], expected: usize) -> Self {
        let mut keystream = Keystream::new(&first_counter(gcm, nonce));
        let mut hash = Ghash::new();
        hash.update(&gcm.hash_key, aad);
        hash.pad(&gcm.hash_key);
        let mask = keystream.take_block::<Last32Bits>(&gcm.key, expected);
        Self { keystream, hash, mask, aad_length: aad.len() as u64, data_length: 0 }
    }

    fn encrypt(&mut self, gcm: &Gcm, data: &mut [u8]) {
        self.data_length += data.len() as u64;
        let (head, rest) = data.split_at_mut(self.keystream.waits().min(data.len()));
        for chunk in iter::once(head).chain(rest.chunks_mut(CHUNK)) {
            self.keystream.apply::<Last32Bits>(&gcm.key, chunk);
            self.hash.update(&gcm.hash_key, chunk);
        }
    }

    fn encrypt_to(&mut self, gcm: &Gcm, data: &[u8], room: &mut Room<'_>) -> Result<(), Error> {
        self.data_length += data.len() as u64;
        let (head, rest) = data.split_at(self.keystream.waits().min(data.len()));
        for chunk in iter::once(head).chain(rest.chunks(CHUNK)) {
            let start = room.written().len();
            self.keystream.apply_to::<Last32Bits>(&gcm.key, chunk, room)?;
            self.hash.update(&gcm.hash_key, &room.written()[start..]);
        }
        Ok(())
    }

    fn decrypt_to(&mut self, gcm: &Gcm, data: &[u8], room: &mut Room<'_>) -> Result<(), Error> {
        self.data_length += data.len() as u64;
        let (head, rest) = data.split_at(self.keystream.waits().min(data.len()));
        for chunk in iter::once(head).chain(rest.chunks(CHUNK)) {
            self.hash.update(&gcm.hash_key, chunk);
            self.keystream.apply_to::<Last32Bits>(&gcm.key, chunk, room)?;
        }
        Ok(())
    }

    /// Checks the tag of the whole ciphertext.
    fn check(&mut self, gcm: &Gcm, data: &[u8], tag: &[u8]) -> Result<(), Error> {
        self.data_length = data.len() as u64;
        self.hash.update(&gcm.hash_key, data);
        check_tag(&self.tag(gcm), tag)
    }

    fn tag(&mut self, gcm: &Gcm) -> Block {
        let mut tag = close(&mut self.hash, gcm, self.aad_length, self.data_length);
        tag.iter_mut().zip(self.mask).for_each(|(byte, mask)| *byte ^= mask);
        tag
    }
}

impl Drop for Message {
    fn drop(&mut self) {
        self.mask[..].zeroize();
    }
}

/// J0 (7.1, step 2).
fn first_counter(gcm: &Gcm, nonce: &[u8]) -> Block {
    let mut counter = [0; BLOCK_SIZE];
    if nonce.len() == 12 {
        counter[..12].copy_from_slice(nonce);
        counter[15] = 1;
        return counter;
    }
    let mut hash = Ghash::new();
    hash.update(&gcm.hash_key, nonce);
    close(&mut hash, gcm, 0, nonce.len() as u64)
}

/// Pads, and takes in the block of the two lengths in bits.
fn close(hash: &mut Ghash, gcm: &Gcm, first: u64, second: u64) -> Block {
    hash.pad(&gcm.hash_key);
    let mut lengths = [0; BLOCK_SIZE];
    lengths[..8].copy_from_slice(&(first * 8).to_be_bytes());
    lengths[8..].copy_from_slice(&(second * 8).to_be_bytes());
    hash.update(&gcm.hash_key, &lengths);
    hash.finalize(&gcm.hash_key)
}

fn check_lengths(nonce: &[u8], aad: &[u8], data: u64) -> Result<(), Error> {
    if nonce.is_empty() {
        return Err(Error::InvalidInput("a GCM nonce has at least one byte"));
    }
    if nonce.len() as u64 > MAX_AAD || aad.len() as u64 > MAX_AAD {
        return Err(Error::InvalidInput("nonce or additional data of GCM beyond 2^61 - 1 bytes"));
    }
    check_data_length(data)
}

fn check_data_length(length: u64) -> Result<(), Error> {
    if length > MAX_DATA {
        return Err(Error::InvalidInput("a GCM message has at most 2^36 - 32 bytes"));
    }
    Ok(())
}

fn check_tag(expected: &Block, tag: &[u8]) -> Result<(), Error> {
    check_tag_length(tag.len())?;
    if ct::equal(&expected[..tag.len()], tag) { Ok(()) } else { Err(Error::InvalidTag) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::memory;
    use crate::test_support::{hex, on_every_backend};

    #[test]
    fn the_example_of_rfc_8998() {
        // RFC 8998, A.1.
        let key = hex("0123456789abcdeffedcba9876543210");
        let key = <[u8; 16]>::try_from(key.as_slice()).unwrap_or_default();
        let nonce = hex("00001234567800000000abcd");
        let aad = hex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
        let plaintext = hex(&"aabbccddeeffeeaa"
            .as_bytes()
            .chunks(2)
            .map(|pair| String::from_utf8_lossy(pair).repeat(8))
            .collect::<String>());
        on_every_backend(|| {
            let gcm = Gcm::new(&key);
            let mut data = plaintext.clone();
            let tag = gcm.encrypt(&nonce, &aad, &mut data);
            assert_eq!(
                data,
                hex("17f399f08c67d5ee19d0dc9969c4bb7d5fd46fd3756489069157b282bb200735\
                     d82710ca5c22f0ccfa7cbf93d496ac15a56834cbcf98c397b4024a2691233b8d")
            );
            let tag = tag.map(|tag| tag.to_vec());
            assert_eq!(tag, Ok(hex("83de3541e4c2b58177e065a9bf7b62ec")));
            let tag = tag.unwrap_or_default();
            let mut refused = data.clone();
            assert_eq!(gcm.decrypt(&nonce, &aad[1..], &mut refused, &tag), Err(Error::InvalidTag));
            assert_eq!(refused, data);
            assert_eq!(gcm.decrypt(&nonce, &aad, &mut data, &tag), Ok(()));
            assert_eq!(data, plaintext);
        });
    }

    #[test]
    fn limits_are_refused() {
        assert!(check_data_length(MAX_DATA).is_ok());
        assert!(check_data_length(MAX_DATA + 1).is_err());
        assert!(Gcm::new(&[0; 16]).encrypt(b"", b"", &mut []).is_err());
        assert!(check_tag_length(11).is_err() && check_tag_length(17).is_err());
    }

    proptest! {
        #[test]
        fn back_ends_and_pieces_agree(
            key in any::<[u8; 16]>(),
            nonce in proptest::collection::vec(any::<u8>(), 1..40),
            aad in proptest::collection::vec(any::<u8>(), 0..40),
            data in proptest::collection::vec(any::<u8>(), 0..2500),
            cut in 0usize..2500,
        ) {
            let (whole, tag) = on_every_backend(|| {
                let mut whole = data.clone();
                let tag = Gcm::new(&key).encrypt(&nonce, &aad, &mut whole);
                (whole, tag)
            });
            let (first, second) = data.split_at(cut.min(data.len()));
            let mut stream = Stream::new(Gcm::new(&key), &nonce, &aad, false)?;
            let (pieces, ()) = memory::vector(data.len(), |room| {
                stream.apply_to(first, room)?;
                stream.apply_to(second, room)
            })?;
            prop_assert_eq!(Ok(stream.tag()), tag);
            prop_assert_eq!(&pieces, &whole);
            let mut stream = Stream::new(Gcm::new(&key), &nonce, &aad, true)?;
            let (first, second) = whole.split_at(cut.min(data.len()));
            let (pieces, ()) = memory::vector(data.len(), |room| {
                stream.apply_to(first, room)?;
                stream.apply_to(second, room)
            })?;
            prop_assert_eq!(stream.verify(&tag.unwrap_or_default()), Ok(()));
            prop_assert_eq!(pieces, data);
        }

        #[test]
        fn what_goes_elsewhere_is_what_would_stand_in_place(
            key in any::<[u8; 16]>(),
            data in proptest::collection::vec(any::<u8>(), 0..5000),
            cut in 0usize..5000,
            altered in any::<proptest::sample::Index>(),
        ) {
            let (first, second) = data.split_at(cut.min(data.len()));
            on_every_backend(|| {
                let gcm = Gcm::new(&key);
                let mut in_place = data.clone();
                let tag = gcm.encrypt(&[1; 12], b"aad", &mut in_place);
                let (sealed, tag_elsewhere) = memory::vector(data.len(), |room| {
                    gcm.encrypt_to(&[1; 12], b"aad", &[first, second], room)
                })?;
                assert_eq!((&sealed, &Ok(tag_elsewhere)), (&in_place, &tag));
                let tag = tag.unwrap_or_default();
                let open = |text: &[u8], tag: &[u8]| {
                    let mut last = vec![7; second.len()];
                    let (opened, done) = memory::vector(first.len(), |room| {
                        Ok(gcm.decrypt_to(&[1; 12], b"aad", text, tag, room, &mut last))
                    })?;
                    Ok::<_, Error>((opened, last, done))
                };
                assert_eq!(open(&sealed, &tag)?, (first.to_vec(), second.to_vec(), Ok(())));
                let mut forged = [&sealed[..], &tag].concat();
                let place = altered.index(forged.len());
                forged[place] ^= 1;
                let (text, tag) = forged.split_at(data.len());
                let refused = (vec![], vec![7; second.len()], Err(Error::InvalidTag));
                assert_eq!(open(text, tag)?, refused);
                let short = memory::vector(data.len(), |room| {
                    gcm.encrypt_to(&[1; 12], b"", &[first, second, b"x"], room)
                });
                assert!(matches!(short, Err(Error::InvalidInput(_))));
                Ok::<_, Error>(())
            })?;
        }
    }
}
