//! Galois/counter mode (GB/T 36624-2018; NIST SP 800-38D).

use zeroize::Zeroize;

use super::ctr::{Keystream, Last32Bits};
use super::{BLOCK_SIZE, Block, KEY_SIZE, Key};
use crate::ct;
use crate::error::Error;
use crate::ghash::{Ghash, GhashKey};

/// Bytes of a whole tag.
pub const TAG_SIZE: usize = 16;
/// Fewest bytes of a tag (NIST SP 800-38D, 5.2.1.2, without the short ones of appendix C).
pub const LEAST_TAG_SIZE: usize = 12;
/// Most bytes of a message (5.2.1.1).
pub const MAX_DATA: u64 = (1 << 36) - 32;
/// Most bytes of additional data, and of a nonce.
pub const MAX_AAD: u64 = (1 << 61) - 1;

/// Bytes encrypted before they are hashed: they are then still in the first cache. Whole batches of
/// every back-end.
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

    /// Encrypts the parts, one after the other, into `out` and gives the tag.
    ///
    /// # Errors
    /// As [`Gcm::encrypt`], and [`Error::InvalidInput`] if `out` has not the length of the parts.
    pub fn encrypt_to(
        &self,
        nonce: &[u8],
        aad: &[u8],
        parts: &[&[u8]],
        out: &mut [u8],
    ) -> Result<Block, Error> {
        check_lengths(nonce, aad, out.len() as u64)?;
        if parts.iter().map(|part| part.len()).sum::<usize>() != out.len() {
            return Err(Error::InvalidInput("the output has not the length of the plaintext"));
        }
        let mut message = Message::new(self, nonce, aad, out.len());
        let mut rest = out;
        for part in parts {
            let (now, later) = rest.split_at_mut(part.len());
            for (from, to) in part.chunks(CHUNK).zip(now.chunks_mut(CHUNK)) {
                to.copy_from_slice(from);
                message.encrypt(self, to);
            }
            rest = later;
        }
        Ok(message.tag(self))
    }

    /// Checks the tag and only then decrypts into the parts of `out`, one after the other.
    ///
    /// # Errors
    /// As [`Gcm::decrypt`], `out` being left as it was, and [`Error::InvalidInput`] if it has not
    /// the length of the data.
    pub fn decrypt_to(
        &self,
        nonce: &[u8],
        aad: &[u8],
        data: &[u8],
        tag: &[u8],
        out: [&mut [u8]; 2],
    ) -> Result<(), Error> {
        check_lengths(nonce, aad, data.len() as u64)?;
        if out.iter().map(|part| part.len()).sum::<usize>() != data.len() {
            return Err(Error::InvalidInput("the output has not the length of the plaintext"));
        }
        let mut message = Message::new(self, nonce, aad, data.len());
        message.hash.update(&self.hash_key, data);
        message.data_length = data.len() as u64;
        check_tag(&message.tag(self), tag)?;
        let mut rest = data;
        for part in out {
            let (now, later) = rest.split_at(part.len());
            for (from, to) in now.chunks(CHUNK).zip(part.chunks_mut(CHUNK)) {
                to.copy_from_slice(from);
                message.keystream.apply::<Last32Bits>(&self.key, to);
            }
            rest = later;
        }
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
        message.hash.update(&self.hash_key, data);
        message.data_length = data.len() as u64;
        check_tag(&message.tag(self), tag)?;
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

    /// Encrypts or decrypts more of the message, in place.
    ///
    /// Decrypted data is worth nothing before [`Stream::verify`] has accepted the tag.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] beyond [`MAX_DATA`] bytes.
    pub fn apply(&mut self, data: &mut [u8]) -> Result<(), Error> {
        check_data_length(self.message.data_length.saturating_add(data.len() as u64))?;
        if self.decrypting {
            self.message.decrypt(&self.gcm, data);
        } else {
            self.message.encrypt(&self.gcm, data);
        }
        Ok(())
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
        let mask = keystream.take_block::<Last32Bits>(&gcm.key, expected);
        let mut hash = Ghash::new();
        hash.update(&gcm.hash_key, aad);
        hash.pad(&gcm.hash_key);
        Self { keystream, hash, mask, aad_length: aad.len() as u64, data_length: 0 }
    }

    fn encrypt(&mut self, gcm: &Gcm, data: &mut [u8]) {
        self.data_length += data.len() as u64;
        for chunk in data.chunks_mut(CHUNK) {
            self.keystream.apply::<Last32Bits>(&gcm.key, chunk);
            self.hash.update(&gcm.hash_key, chunk);
        }
    }

    fn decrypt(&mut self, gcm: &Gcm, data: &mut [u8]) {
        self.data_length += data.len() as u64;
        for chunk in data.chunks_mut(CHUNK) {
            self.hash.update(&gcm.hash_key, chunk);
            self.keystream.apply::<Last32Bits>(&gcm.key, chunk);
        }
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
            let mut pieces = data.clone();
            let mut stream = Stream::new(Gcm::new(&key), &nonce, &aad, false)?;
            let (first, second) = pieces.split_at_mut(cut.min(data.len()));
            stream.apply(first)?;
            stream.apply(second)?;
            prop_assert_eq!(Ok(stream.tag()), tag);
            prop_assert_eq!(pieces, whole);
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
                let mut sealed = vec![0; data.len()];
                let tag_elsewhere = gcm.encrypt_to(&[1; 12], b"aad", &[first, second], &mut sealed);
                assert_eq!((&sealed, &tag_elsewhere), (&in_place, &tag));
                let tag = tag.unwrap_or_default();
                let mut opened = vec![0; data.len()];
                let parts = opened.split_at_mut(first.len());
                let done = gcm.decrypt_to(&[1; 12], b"aad", &sealed, &tag, parts.into());
                assert_eq!((done, &opened), (Ok(()), &data));
                let mut forged = [&sealed[..], &tag].concat();
                let place = altered.index(forged.len());
                forged[place] ^= 1;
                let (text, tag) = forged.split_at(data.len());
                let mut kept = vec![7; data.len()];
                let done = gcm.decrypt_to(&[1; 12], b"aad", text, tag, [&mut kept, &mut []]);
                assert_eq!((done, kept), (Err(Error::InvalidTag), vec![7; data.len()]));
                let short = gcm.encrypt_to(&[1; 12], b"", &[first, second, b"x"], &mut sealed);
                assert!(matches!(short, Err(Error::InvalidInput(_))));
            });
        }
    }
}
