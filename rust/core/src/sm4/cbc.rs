//! Cipher block chaining (GB/T 17964-2021) with the padding of PKCS #7 (RFC 5652, 6.3).

use zeroize::{Zeroize, Zeroizing};

use super::{BLOCK_SIZE, Block, Key};
use crate::ct;
use crate::error::Error;

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
        Self { key, chain: *iv, pending: Pending::default(), padding }
    }

    /// Appends what can be encrypted so far to `out`.
    pub fn update(&mut self, data: &[u8], out: &mut Vec<u8>) {
        let start = self.pending.release(data, 0, out);
        let (blocks, _) = out[start..].as_chunks_mut::<BLOCK_SIZE>();
        for block in blocks {
            block.iter_mut().zip(self.chain).for_each(|(byte, chain)| *byte ^= chain);
            self.key.encrypt_block(block);
            self.chain = *block;
        }
    }

    /// Ends the message.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] if padding is off and the message is not whole blocks.
    pub fn finalize(mut self, out: &mut Vec<u8>) -> Result<(), Error> {
        if self.padding {
            let count = BLOCK_SIZE - self.pending.filled;
            self.update(&[count as u8; BLOCK_SIZE][..count], out);
        }
        if self.pending.filled == 0 { Ok(()) } else { Err(NOT_WHOLE) }
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
        Self { key, chain: *iv, pending: Pending::default(), padding }
    }

    /// Appends what can be decrypted so far to `out`. With padding the last block is held back.
    pub fn update(&mut self, data: &[u8], out: &mut Vec<u8>) {
        let start = self.pending.release(data, usize::from(self.padding), out);
        self.decrypt(out[start..].as_chunks_mut::<BLOCK_SIZE>().0);
    }

    /// Ends the message and removes its padding.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] if the ciphertext was not whole blocks, [`Error::DecryptionFailed`]
    /// if the padding is wrong. Whoever shows an attacker which of a message's two fates it had
    /// gives away the plaintext: authenticate the ciphertext first.
    pub fn finalize(mut self, out: &mut Vec<u8>) -> Result<(), Error> {
        if !self.padding {
            return if self.pending.filled == 0 { Ok(()) } else { Err(NOT_WHOLE) };
        }
        if self.pending.filled != BLOCK_SIZE {
            return Err(Error::InvalidInput("a padded CBC ciphertext is 16, 32, ... bytes long"));
        }
        let mut last = Zeroizing::new([self.pending.block]);
        self.decrypt(&mut last[..]);
        let kept = unpadded_length(&last[0])?;
        out.extend_from_slice(&last[0][..kept]);
        Ok(())
    }

    fn decrypt(&mut self, blocks: &mut [Block]) {
        let Some(last) = blocks.last().copied() else { return };
        self.key.decrypt_chain(&self.chain, blocks);
        self.chain = last;
    }
}

/// Encrypts a whole message.
///
/// # Errors
/// [`Error::InvalidInput`] if padding is off and the message is not whole blocks.
pub fn encrypt(key: Key, iv: &Block, data: &[u8], padding: bool) -> Result<Vec<u8>, Error> {
    let mut out = Vec::with_capacity(data.len() + BLOCK_SIZE);
    let mut encryptor = Encryptor::new(key, iv, padding);
    encryptor.update(data, &mut out);
    encryptor.finalize(&mut out)?;
    Ok(out)
}

/// Decrypts a whole message.
///
/// # Errors
/// As [`Decryptor::finalize`].
pub fn decrypt(
    key: Key,
    iv: &Block,
    data: &[u8],
    padding: bool,
) -> Result<Zeroizing<Vec<u8>>, Error> {
    let mut out = Zeroizing::new(Vec::with_capacity(data.len()));
    let mut decryptor = Decryptor::new(key, iv, padding);
    decryptor.update(data, &mut out);
    decryptor.finalize(&mut out)?;
    Ok(out)
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

/// What has come in but is not yet a block that may be processed.
#[derive(Default)]
struct Pending {
    block: Block,
    filled: usize,
}

impl Pending {
    /// Appends to `out` the whole blocks of what is pending and `data`, except that `keep` = 1
    /// holds back a last whole block. Returns where the blocks start.
    fn release(&mut self, data: &[u8], keep: usize, out: &mut Vec<u8>) -> usize {
        let start = out.len();
        let total = self.filled + data.len();
        let kept = match total % BLOCK_SIZE {
            0 if total > 0 => keep * BLOCK_SIZE,
            rest => rest,
        };
        let released = total - kept;
        if released > 0 {
            let (now, later) = data.split_at(released - self.filled);
            out.extend_from_slice(&self.block[..self.filled]);
            out.extend_from_slice(now);
            self.block[..later.len()].copy_from_slice(later);
        } else {
            self.block[self.filled..total].copy_from_slice(data);
        }
        self.filled = kept;
        start
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.block[..].zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
