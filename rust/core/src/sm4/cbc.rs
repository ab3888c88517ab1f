//! Cipher block chaining (GB/T 17964-2021) with the padding of PKCS #7 (RFC 5652, 6.3).

use zeroize::Zeroizing;

use super::{BLOCK_SIZE, Block, Key, arch};
use crate::ct;
use crate::error::Error;
use crate::memory::{self, Room, Waiting};

/// Bytes that cost less together than their parts.
const BATCH: usize = 32 * BLOCK_SIZE;

const NOT_WHOLE: Error = Error::InvalidInput("without padding, CBC takes whole blocks of 16 bytes");

/// Encryption in progress.
pub struct Encryptor {
    key: Key,
    chain: Block,
    pending: Pending,
    padding: bool,
}

impl Encryptor {
    /// Starts a message; the IV must be unpredictable.
    #[must_use]
    pub fn new(key: Key, iv: &Block, padding: bool) -> Self {
        Self { key, chain: *iv, pending: Pending::new(), padding }
    }

    /// Bytes that come out once so many more are in.
    #[must_use]
    pub fn ready(&self, data: usize) -> usize {
        self.pending.ready(data, 0)
    }

    /// Writes what can be encrypted so far.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] if there is less room than [`Encryptor::ready`] says.
    pub fn update(&mut self, data: &[u8], room: &mut Room<'_>) -> Result<(), Error> {
        let start = room.written().len();
        if let Some((now, later)) = self.pending.cut(data, self.ready(data.len())) {
            room.write(self.pending.0.bytes())?;
            room.write(now)?;
            self.pending.0.clear();
            self.pending.0.push(later);
        }
        let blocks = room.written()[start..].as_chunks_mut().0;
        self.key.encrypt_chains::<true>(core::slice::from_mut(&mut self.chain), &mut [blocks]);
        Ok(())
    }

    /// Ends the message, for which a block of room is enough.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] if padding is off and the message is not whole blocks.
    pub fn finalize(mut self, room: &mut Room<'_>) -> Result<(), Error> {
        if self.padding {
            let count = self.pending.0.left();
            self.update(&[count as u8; BLOCK_SIZE][..count], room)?;
        }
        if self.pending.0.bytes().is_empty() { Ok(()) } else { Err(NOT_WHOLE) }
    }
}

/// Decryption in progress.
pub struct Decryptor {
    key: Key,
    chain: Block,
    pending: Pending,
    padding: bool,
}

impl Decryptor {
    /// Starts a message.
    #[must_use]
    pub fn new(key: Key, iv: &Block, padding: bool) -> Self {
        Self { key, chain: *iv, pending: Pending::new(), padding }
    }

    /// Bytes that come out once so many more are in. With padding the last block is held back.
    #[must_use]
    pub fn ready(&self, data: usize) -> usize {
        self.pending.ready(data, usize::from(self.padding))
    }

    /// Writes what can be decrypted so far.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] if there is less room than [`Decryptor::ready`] says.
    pub fn update(&mut self, data: &[u8], room: &mut Room<'_>) -> Result<(), Error> {
        let Some((mut now, later)) = self.pending.cut(data, self.ready(data.len())) else {
            return Ok(());
        };
        // What is pending makes a batch with what follows it; that costs less than one block.
        let mut joined = Waiting::<BATCH>::new();
        if !self.pending.0.bytes().is_empty() {
            joined.push(self.pending.0.bytes());
            let (first, rest) = now.split_at(joined.left().min(now.len()));
            joined.push(first);
            now = rest;
        }
        self.pending.0.clear();
        self.pending.0.push(later);
        self.decrypt(joined.bytes().as_chunks().0, room)?;
        self.decrypt(now.as_chunks().0, room)
    }

    /// Ends the message and removes its padding; a block of room is enough.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] if the ciphertext was not whole blocks, [`Error::DecryptionFailed`]
    /// if the padding is wrong. Whoever shows an attacker which of a message's two fates it had
    /// gives away the plaintext: authenticate the ciphertext first.
    pub fn finalize(self, room: &mut Room<'_>) -> Result<(), Error> {
        let pending = self.pending.0.bytes();
        if !self.padding && !pending.is_empty() {
            return Err(NOT_WHOLE);
        }
        Message::new(&self.key, &self.chain, pending, self.padding)?.decrypt_to(room)
    }

    fn decrypt(&mut self, blocks: &[Block], room: &mut Room<'_>) -> Result<(), Error> {
        if let Some(last) = blocks.last() {
            self.key.decrypt_chain(&self.chain, blocks, room)?;
            self.chain = *last;
        }
        Ok(())
    }
}

/// Bytes of the ciphertext of so many.
#[must_use]
pub fn encrypted_length(data: usize, padding: bool) -> usize {
    if padding { data - data % BLOCK_SIZE + BLOCK_SIZE } else { data }
}

/// Encrypts a whole message, for which there must be room for [`encrypted_length`].
///
/// # Errors
/// [`Error::InvalidInput`] if padding is off and the message is not whole blocks, or for less room.
pub fn encrypt_to(
    key: &Key,
    iv: &Block,
    data: &[u8],
    padding: bool,
    room: &mut Room<'_>,
) -> Result<(), Error> {
    let mut encryptor = Encryptor::new(key.clone(), iv, padding);
    encryptor.update(data, room)?;
    encryptor.finalize(room)
}

/// Encrypts a whole message.
///
/// # Errors
/// [`Error::InvalidInput`] if padding is off and the message is not whole blocks.
pub fn encrypt(key: &Key, iv: &Block, data: &[u8], padding: bool) -> Result<Vec<u8>, Error> {
    let length = encrypted_length(data.len(), padding);
    Ok(memory::vector(length, |room| encrypt_to(key, iv, data, padding, room))?.0)
}

/// A whole message, of which the end has been decrypted, so that the length is known.
pub struct Message<'a> {
    key: &'a Key,
    iv: &'a Block,
    blocks: &'a [Block],
    /// The plaintext of the blocks after those; wiped when dropped.
    end: Waiting<BATCH>,
    /// Bytes of it that are not padding.
    kept: usize,
}

impl<'a> Message<'a> {
    /// Decrypts the end, and looks at the padding.
    ///
    /// # Errors
    /// As [`Decryptor::finalize`].
    pub fn new(key: &'a Key, iv: &'a Block, data: &'a [u8], padding: bool) -> Result<Self, Error> {
        let (blocks, []) = data.as_chunks::<BLOCK_SIZE>() else { return Err(NOT_WHOLE) };
        let end = Waiting::new();
        if !padding {
            return Ok(Self { key, iv, blocks, end, kept: 0 });
        }
        let Some(whole_batches) = blocks.len().checked_sub(1) else {
            return Err(Error::InvalidInput("a padded CBC ciphertext is 16, 32, ... bytes long"));
        };
        let whole_batches = whole_batches - whole_batches % (BATCH / BLOCK_SIZE);
        let (blocks, last) = blocks.split_at(whole_batches);
        let mut message = Self { key, iv, blocks, end, kept: 0 };
        let before = blocks.last().unwrap_or(iv);
        message.end.push_with(size_of_val(last), |out| arch::decrypt_chain(key, before, last, out));
        if let Some((rest, last)) = message.end.bytes().split_last_chunk() {
            message.kept = rest.len() + unpadded_length(last)?;
        }
        Ok(message)
    }

    /// Bytes of the plaintext.
    #[must_use]
    pub fn length(&self) -> usize {
        size_of_val(self.blocks) + self.kept
    }

    /// Writes the plaintext.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] if there is not so much room.
    pub fn decrypt_to(self, room: &mut Room<'_>) -> Result<(), Error> {
        self.key.decrypt_chain(self.iv, self.blocks, room)?;
        room.write(&self.end.bytes()[..self.kept])?;
        Ok(())
    }
}

impl Drop for Message<'_> {
    fn drop(&mut self) {
        self.end.wipe();
    }
}

/// Decrypts a whole message.
///
/// # Errors
/// As [`Decryptor::finalize`].
pub fn decrypt(
    key: &Key,
    iv: &Block,
    data: &[u8],
    padding: bool,
) -> Result<Zeroizing<Vec<u8>>, Error> {
    let message = Message::new(key, iv, data, padding)?;
    let plain = memory::vector(message.length(), |room| message.decrypt_to(room))?;
    Ok(Zeroizing::new(plain.0))
}

/// How many bytes of the last block are data; every byte is looked at, whatever the padding.
fn unpadded_length(block: &Block) -> Result<usize, Error> {
    let count = u64::from(block[BLOCK_SIZE - 1]);
    let mut wrong = 0u64;
    for (index, byte) in block.iter().enumerate() {
        let from_the_end = (BLOCK_SIZE - index) as u64;
        // All ones if this byte belongs to the padding: from_the_end <= count.
        let inside = (count.wrapping_sub(from_the_end) >> 63).wrapping_sub(1);
        wrong |= inside & (u64::from(*byte) ^ count);
    }
    wrong |= (BLOCK_SIZE as u64).wrapping_sub(count) >> 63; // count > 16
    wrong |= ct::mask_if_zero(count);
    if ct::mask_if_zero(wrong) == 0 {
        return Err(Error::DecryptionFailed);
    }
    Ok(BLOCK_SIZE - count as usize)
}

/// What has come in but is not yet a block that may be processed. Wiped when dropped.
struct Pending(Waiting<BLOCK_SIZE>);

impl Pending {
    fn new() -> Self {
        Self(Waiting::new())
    }

    /// Bytes of the whole blocks of what is pending and so much data, except that `keep` = 1 holds
    /// back a last whole block.
    fn ready(&self, data: usize, keep: usize) -> usize {
        let total = self.0.bytes().len() + data;
        let kept = match total % BLOCK_SIZE {
            0 if total > 0 => keep * BLOCK_SIZE,
            rest => rest,
        };
        total - kept
    }

    /// The data that goes with what is pending to make so many bytes, and what will be pending; or
    /// nothing, the data then being pending.
    fn cut<'a>(&mut self, data: &'a [u8], ready: usize) -> Option<(&'a [u8], &'a [u8])> {
        if ready == 0 {
            self.0.push(data);
            return None;
        }
        Some(data.split_at(ready - self.0.bytes().len()))
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.0.wipe();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::on_every_backend;

    #[test]
    fn every_padding_is_judged() {
        for count in 0..=255u8 {
            let mut block = [count; BLOCK_SIZE];
            let expected = match count {
                1..=16 => Ok(BLOCK_SIZE - usize::from(count)),
                _ => Err(Error::DecryptionFailed),
            };
            assert_eq!(unpadded_length(&block), expected);
            if (2..=16).contains(&count) {
                block[BLOCK_SIZE - usize::from(count)] ^= 0x80;
                assert_eq!(unpadded_length(&block), Err(Error::DecryptionFailed));
            }
        }
    }

    #[test]
    fn whole_messages_are_what_their_pieces_make() {
        on_every_backend(|| {
            let key = Key::new(&[3; 16]);
            for length in (0..200).chain([511, 512, 1100]) {
                let data: Vec<u8> = (0..length).map(|i| (i * 7) as u8).collect();
                for padding in [true, length % BLOCK_SIZE != 0] {
                    let sealed = encrypt(&key, &[9; 16], &data, padding).unwrap_or_default();
                    let cut = length / 3;
                    let mut encryptor = Encryptor::new(key.clone(), &[9; 16], padding);
                    let pieces = memory::vector(sealed.len(), |room| {
                        assert_eq!(encryptor.ready(cut), cut - cut % BLOCK_SIZE);
                        encryptor.update(&data[..cut], room)?;
                        encryptor.update(&data[cut..], room)?;
                        encryptor.finalize(room)
                    });
                    assert_eq!(pieces, Ok((sealed.clone(), ())));
                    let opened = decrypt(&key, &[9; 16], &sealed, padding);
                    assert_eq!(opened.map(|plain| plain.to_vec()), Ok(data.clone()));
                    let mut decryptor = Decryptor::new(key.clone(), &[9; 16], padding);
                    let pieces = memory::vector(data.len(), |room| {
                        decryptor.update(&sealed[..cut], room)?;
                        let ready = decryptor.ready(sealed.len() - cut) + room.written().len();
                        decryptor.update(&sealed[cut..], room)?;
                        assert_eq!(room.written().len(), ready);
                        decryptor.finalize(room)
                    });
                    assert_eq!(pieces, Ok((data.clone(), ())));
                }
            }
        });
    }

    #[test]
    fn lengths_that_cannot_be_are_refused() {
        let key = Key::new(&[3; 16]);
        assert!(encrypt(&key, &[9; 16], &[0; 17], false).is_err());
        let short = memory::vector(16, |room| encrypt_to(&key, &[9; 16], &[0; 16], true, room));
        assert!(short.is_err());
        for (length, padding) in [(0, true), (17, true), (17, false)] {
            assert!(decrypt(&key, &[9; 16], &vec![0; length], padding).is_err());
        }
        let message = Message::new(&key, &[9; 16], &[0; 32], false);
        let short = message.and_then(|message| memory::vector(31, |room| message.decrypt_to(room)));
        assert!(short.is_err());
    }
}
