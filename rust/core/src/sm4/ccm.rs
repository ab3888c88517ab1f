//! Counter with CBC-MAC (NIST SP 800-38C; RFC 3610).

use zeroize::{Zeroize, Zeroizing};

use super::ctr::{Keystream, LengthField};
use super::{BLOCK_SIZE, Block, KEY_SIZE, Key};
use crate::ct;
use crate::error::Error;

/// A key for any number of messages, with the length of their tags.
#[derive(Clone)]
pub struct Ccm {
    key: Key,
    tag_length: usize,
}

impl Ccm {
    /// Expands a key.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] unless the tag is 4, 6, 8, 10, 12, 14 or 16 bytes long.
    pub fn new(key: &[u8; KEY_SIZE], tag_length: usize) -> Result<Self, Error> {
        if !(4..=16).contains(&tag_length) || !tag_length.is_multiple_of(2) {
            return Err(Error::InvalidInput("a CCM tag is 4, 6, 8, 10, 12, 14 or 16 bytes long"));
        }
        Ok(Self { key: Key::new(key), tag_length })
    }

    /// Bytes of a tag.
    #[must_use]
    pub fn tag_length(&self) -> usize {
        self.tag_length
    }

    /// Encrypts in place and gives the tag, of which [`Ccm::tag_length`] bytes count.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] for a nonce that is not 7 to 13 bytes long, or more data than the
    /// length field beside such a nonce can tell, and never 64 GiB.
    pub fn encrypt(&self, nonce: &[u8], aad: &[u8], data: &mut [u8]) -> Result<Block, Error> {
        check_lengths(nonce, data.len())?;
        let mac = self.mac(nonce, aad, data);
        let (mask, mut keystream) = self.start(nonce, data.len());
        keystream.apply::<LengthField>(&self.key, data);
        Ok(add(&mac, &mask))
    }

    /// Decrypts in place and checks the tag.
    ///
    /// # Errors
    /// [`Error::InvalidTag`], the data being wiped, and as [`Ccm::encrypt`].
    pub fn decrypt(
        &self,
        nonce: &[u8],
        aad: &[u8],
        data: &mut [u8],
        tag: &[u8],
    ) -> Result<(), Error> {
        check_lengths(nonce, data.len())?;
        let (mask, mut keystream) = self.start(nonce, data.len());
        keystream.apply::<LengthField>(&self.key, data);
        let expected = add(&self.mac(nonce, aad, data), &mask);
        if !ct::equal(&expected[..self.tag_length], tag) {
            data.zeroize();
            return Err(Error::InvalidTag);
        }
        Ok(())
    }

    /// The key stream of counter 0, which hides the MAC, and that from counter 1 on.
    fn start(&self, nonce: &[u8], expected: usize) -> (Zeroizing<Block>, Keystream) {
        let mut counter = [0; BLOCK_SIZE];
        counter[0] = length_size(nonce) as u8 - 1;
        counter[1..=nonce.len()].copy_from_slice(nonce);
        let mut keystream = Keystream::new(&counter);
        let mask = Zeroizing::new(keystream.take_block::<LengthField>(&self.key, expected));
        (mask, keystream)
    }

    /// CBC-MAC over B0, the additional data and the message (SP 800-38C, A.2).
    fn mac(&self, nonce: &[u8], aad: &[u8], data: &[u8]) -> Zeroizing<Block> {
        let size = length_size(nonce);
        let mut first = [0; BLOCK_SIZE];
        let has_aad = u8::from(!aad.is_empty());
        first[0] = has_aad << 6 | ((self.tag_length as u8 - 2) / 2) << 3 | (size as u8 - 1);
        first[1..=nonce.len()].copy_from_slice(nonce);
        let length = (data.len() as u128).to_be_bytes();
        first[BLOCK_SIZE - size..].copy_from_slice(&length[BLOCK_SIZE - size..]);
        let mut mac = CbcMac { key: &self.key, sum: Zeroizing::new([0; BLOCK_SIZE]), filled: 0 };
        mac.update(&first);
        mac.update_length(aad.len());
        mac.update(aad);
        mac.pad();
        mac.update(data);
        mac.pad();
        mac.sum
    }
}

/// q, the bytes of the length field beside a nonce.
fn length_size(nonce: &[u8]) -> usize {
    BLOCK_SIZE - 1 - nonce.len()
}

/// 2^32 blocks, so that no counter that starts at zero wraps its last 32 bits.
const MAX_BITS: u32 = 36;

fn check_lengths(nonce: &[u8], data: usize) -> Result<(), Error> {
    if !(7..=13).contains(&nonce.len()) {
        return Err(Error::InvalidInput("a CCM nonce is 7 to 13 bytes long"));
    }
    let bits = (8 * length_size(nonce) as u32).min(MAX_BITS);
    if data as u64 >> bits != 0 {
        return Err(Error::InvalidInput("too much data for a CCM nonce of this length"));
    }
    Ok(())
}

fn add(a: &Block, b: &Block) -> Block {
    core::array::from_fn(|index| a[index] ^ b[index])
}

struct CbcMac<'a> {
    key: &'a Key,
    sum: Zeroizing<Block>,
    filled: usize,
}

impl CbcMac<'_> {
    fn update(&mut self, mut data: &[u8]) {
        while !data.is_empty() {
            let (now, later) = data.split_at(data.len().min(BLOCK_SIZE - self.filled));
            self.sum[self.filled..].iter_mut().zip(now).for_each(|(sum, byte)| *sum ^= byte);
            self.filled += now.len();
            if self.filled == BLOCK_SIZE {
                self.pad();
            }
            data = later;
        }
    }

    /// The length of the additional data in the shortest of its three forms.
    fn update_length(&mut self, length: usize) {
        match length as u64 {
            0 => {}
            length @ ..0xff00 => self.update(&length.to_be_bytes()[6..]),
            length @ ..0x1_0000_0000 => {
                self.update(&[0xff, 0xfe]);
                self.update(&length.to_be_bytes()[4..]);
            }
            length => {
                self.update(&[0xff, 0xff]);
                self.update(&length.to_be_bytes());
            }
        }
    }

    fn pad(&mut self) {
        if self.filled > 0 {
            self.key.encrypt_block(&mut self.sum);
            self.filled = 0;
        }
    }
}
