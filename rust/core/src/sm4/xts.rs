//! XTS, for stored data units (IEEE 1619-2018; GB/T 17964-2021).
//!
//! The two standards differ in how the tweak moves on to the next block. IEEE 1619 reads the tweak
//! as a number whose first byte is the least significant, GB/T 17964 numbers its bits as GCM does.

use zeroize::{Zeroize, Zeroizing};

use super::{BLOCK_SIZE, Block, KEY_SIZE, Key};
use crate::ct;
use crate::error::Error;

/// Most bytes of a data unit: 2^20 blocks (IEEE 1619-2018, 5.1).
pub const MAX_DATA: usize = 1 << 24;

/// Blocks processed at once.
const BATCH: usize = 16;

/// Whose rule moves the tweak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standard {
    /// IEEE 1619.
    Ieee,
    /// GB/T 17964.
    Gb,
}

/// A pair of keys: one for the data, one for the tweak.
#[derive(Clone)]
pub struct Xts {
    data_key: Key,
    tweak_key: Key,
    standard: Standard,
}

impl Xts {
    /// Expands both keys, which must differ.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] for equal keys.
    pub fn new(key: &[u8; 2 * KEY_SIZE], standard: Standard) -> Result<Self, Error> {
        let (halves, _) = key.as_chunks::<KEY_SIZE>();
        if ct::equal(&halves[0], &halves[1]) {
            return Err(Error::InvalidInput("the two keys of XTS must differ"));
        }
        Ok(Self { data_key: Key::new(&halves[0]), tweak_key: Key::new(&halves[1]), standard })
    }

    /// Encrypts a data unit in place.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] unless it has 16 bytes to 16 MiB.
    pub fn encrypt(&self, tweak: &Block, data: &mut [u8]) -> Result<(), Error> {
        self.crypt(tweak, data, Key::encrypt_blocks, false)
    }

    /// Decrypts a data unit in place.
    ///
    /// # Errors
    /// As [`Xts::encrypt`].
    pub fn decrypt(&self, tweak: &Block, data: &mut [u8]) -> Result<(), Error> {
        self.crypt(tweak, data, Key::decrypt_blocks, true)
    }

    fn crypt(
        &self,
        tweak: &Block,
        data: &mut [u8],
        cipher: impl Fn(&Key, &mut [Block]),
        decrypting: bool,
    ) -> Result<(), Error> {
        if !(BLOCK_SIZE..=MAX_DATA).contains(&data.len()) {
            return Err(Error::InvalidInput("an XTS data unit has 16 bytes to 16 MiB"));
        }
        let mut tweak = Zeroizing::new(*tweak);
        self.tweak_key.encrypt_block(&mut tweak);
        let rest = data.len() % BLOCK_SIZE;
        let stolen = if rest == 0 { 0 } else { BLOCK_SIZE + rest };
        let (whole, end) = data.split_at_mut(data.len() - stolen);
        for batch in whole.as_chunks_mut::<BLOCK_SIZE>().0.chunks_mut(BATCH) {
            let mut tweaks = Zeroizing::new([[0; BLOCK_SIZE]; BATCH]);
            for slot in &mut tweaks[..batch.len()] {
                *slot = *tweak;
                *tweak = self.next(&tweak);
            }
            add(batch, &tweaks[..]);
            cipher(&self.data_key, batch);
            add(batch, &tweaks[..]);
        }
        if !end.is_empty() {
            self.crypt_end(&tweak, end, cipher, decrypting);
        }
        Ok(())
    }

    /// The last whole block and the bytes after it: ciphertext stealing (IEEE 1619-2018, 5.3.2).
    fn crypt_end(
        &self,
        tweak: &Block,
        end: &mut [u8],
        cipher: impl Fn(&Key, &mut [Block]),
        decrypting: bool,
    ) {
        let following = self.next(tweak);
        // Decryption meets the two tweaks in the opposite order.
        let [first, second] = if decrypting { [following, *tweak] } else { [*tweak, following] };
        let single = |block: &mut Block, tweak: Block| {
            let block = core::slice::from_mut(block);
            add(block, &[tweak]);
            cipher(&self.data_key, block);
            add(block, &[tweak]);
        };
        let (whole, rest) = end.split_at_mut(BLOCK_SIZE);
        let mut block = Zeroizing::new([0; BLOCK_SIZE]);
        block.copy_from_slice(whole);
        single(&mut block, first);
        let mut filled = block.clone();
        filled[..rest.len()].copy_from_slice(rest);
        rest.copy_from_slice(&block[..rest.len()]);
        single(&mut filled, second);
        whole.copy_from_slice(&filled[..]);
        block[..].zeroize();
    }

    /// The tweak times x.
    fn next(&self, tweak: &Block) -> Block {
        match self.standard {
            Standard::Ieee => {
                let value = u128::from_le_bytes(*tweak);
                let carry = (value >> 127).wrapping_neg();
                (value << 1 ^ (carry & 0x87)).to_le_bytes()
            }
            Standard::Gb => {
                let value = u128::from_be_bytes(*tweak);
                let carry = (value & 1).wrapping_neg();
                (value >> 1 ^ (carry & (0xe1 << 120))).to_be_bytes()
            }
        }
    }
}

fn add(blocks: &mut [Block], tweaks: &[Block]) {
    for (block, tweak) in blocks.iter_mut().zip(tweaks) {
        *block = (u128::from_ne_bytes(*block) ^ u128::from_ne_bytes(*tweak)).to_ne_bytes();
    }
}
