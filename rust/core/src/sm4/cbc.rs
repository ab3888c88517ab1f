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
        self.key.encrypt_chains::<true>(core::slice::from_mut(&mut self.chain), &mut [blocks]);
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

/// Bytes of the ciphertext of so many.
#[must_use]
pub fn encrypted_length(data: usize, padding: bool) -> usize {
    if padding { data - data % BLOCK_SIZE + BLOCK_SIZE } else { data }
}

/// Encrypts a whole message into `out` of [`encrypted_length`] bytes; what that is longer than the
/// message is padding.
///
/// # Errors
/// [`Error::InvalidInput`] if `out` is not whole blocks, of which at most one is padding.
pub fn encrypt_to(key: &Key, iv: &Block, data: &[u8], out: &mut [u8]) -> Result<(), Error> {
    let whole = out.len().is_multiple_of(BLOCK_SIZE);
    if !whole || !(data.len()..=data.len() + BLOCK_SIZE).contains(&out.len()) {
        return Err(NOT_WHOLE);
    }
    let (text, padding) = out.split_at_mut(data.len());
    text.copy_from_slice(data);
    padding.fill(padding.len() as u8);
    key.encrypt_chains::<true>(&mut [*iv], &mut [out.as_chunks_mut().0]);
    Ok(())
}

/// Encrypts a whole message.
///
/// # Errors
/// [`Error::InvalidInput`] if padding is off and the message is not whole blocks.
pub fn encrypt(key: &Key, iv: &Block, data: &[u8], padding: bool) -> Result<Vec<u8>, Error> {
    let mut out = vec![0; encrypted_length(data.len(), padding)];
    encrypt_to(key, iv, data, &mut out)?;
    Ok(out)
}

/// Bytes of the plaintext, for which the padding is looked at.
///
/// # Errors
/// As [`Decryptor::finalize`].
pub fn decrypted_length(key: &Key, iv: &Block, data: &[u8], padding: bool) -> Result<usize, Error> {
    let (blocks, []) = data.as_chunks::<BLOCK_SIZE>() else { return Err(NOT_WHOLE) };
    if !padding {
        return Ok(data.len());
    }
    let [earlier @ .., last] = blocks else {
        return Err(Error::InvalidInput("a padded CBC ciphertext is 16, 32, ... bytes long"));
    };
    let mut last = Zeroizing::new([*last]);
    key.decrypt_chain(earlier.last().unwrap_or(iv), &mut last[..]);
    Ok(BLOCK_SIZE * earlier.len() + unpadded_length(&last[0])?)
}

/// Decrypts as much of a whole message as `out` has room for.
///
/// # Errors
/// [`Error::InvalidInput`] if `out` is longer than the ciphertext, or that not whole blocks.
pub fn decrypt_to(key: &Key, iv: &Block, data: &[u8], out: &mut [u8]) -> Result<(), Error> {
    let (blocks, []) = data.as_chunks::<BLOCK_SIZE>() else { return Err(NOT_WHOLE) };
    if out.len() > data.len() {
        return Err(Error::InvalidInput("the output is longer than the ciphertext"));
    }
    let (whole, rest) = out.as_chunks_mut::<BLOCK_SIZE>();
    let (now, later) = blocks.split_at(whole.len());
    whole.copy_from_slice(now);
    key.decrypt_chain(iv, whole);
    if let ([_, ..], [block, ..]) = (&*rest, later) {
        let mut block = Zeroizing::new([*block]);
        key.decrypt_chain(now.last().unwrap_or(iv), &mut block[..]);
        rest.copy_from_slice(&block[0][..rest.len()]);
    }
    Ok(())
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
    let length = decrypted_length(key, iv, data, padding)?;
    let mut out = Zeroizing::new(vec![0; length]);
    decrypt_to(key, iv, data, &mut out)?;
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
                    let (mut pieces, cut) = (Vec::new(), length / 3);
                    let mut encryptor = Encryptor::new(key.clone(), &[9; 16], padding);
                    encryptor.update(&data[..cut], &mut pieces);
                    encryptor.update(&data[cut..], &mut pieces);
                    assert_eq!((encryptor.finalize(&mut pieces), &pieces), (Ok(()), &sealed));
                    let opened = decrypt(&key, &[9; 16], &sealed, padding);
                    assert_eq!(opened.map(|plain| plain.to_vec()), Ok(data.clone()));
                    let mut pieces = Vec::new();
                    let mut decryptor = Decryptor::new(key.clone(), &[9; 16], padding);
                    decryptor.update(&sealed[..cut], &mut pieces);
                    decryptor.update(&sealed[cut..], &mut pieces);
                    assert_eq!((decryptor.finalize(&mut pieces), pieces), (Ok(()), data.clone()));
                }
            }
        });
    }

    #[test]
    fn lengths_that_cannot_be_are_refused() {
        let key = Key::new(&[3; 16]);
        assert!(encrypt(&key, &[9; 16], &[0; 17], false).is_err());
        assert!(encrypt_to(&key, &[9; 16], &[0; 16], &mut [0; 48]).is_err());
        for (length, padding) in [(0, true), (17, true), (17, false)] {
            assert!(decrypt(&key, &[9; 16], &vec![0; length], padding).is_err());
        }
        assert!(decrypt_to(&key, &[9; 16], &[0; 16], &mut [0; 17]).is_err());
    }
}
