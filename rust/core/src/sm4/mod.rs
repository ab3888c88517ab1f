//! SM4, the block cipher of GB/T 32907-2016, and its modes.

mod algebra;
mod arch;
mod portable;

pub mod cbc;
pub mod ccm;
pub mod ctr;
pub mod gcm;
pub mod xts;

use zeroize::Zeroize;

use crate::error::Error;
use crate::memory::Room;

/// Bytes of a key.
pub const KEY_SIZE: usize = 16;
/// Bytes of a block.
pub const BLOCK_SIZE: usize = 16;

const ROUNDS: usize = 32;

/// A block.
pub type Block = [u8; BLOCK_SIZE];

/// The round keys of one key. Wiped when dropped.
#[derive(Clone)]
pub struct Key {
    round_keys: [u32; ROUNDS],
    /// The round keys as the x86-64 back-end wants them.
    mapped: [u32; ROUNDS],
}

impl Key {
    /// Expands a key (GB/T 32907-2016, 7.3).
    #[must_use]
    pub fn new(key: &[u8; KEY_SIZE]) -> Self {
        let (round_keys, mapped) = arch::expand(key);
        Self { round_keys, mapped }
    }

    /// Encrypts each block by itself, in place.
    pub fn encrypt_blocks(&self, blocks: &mut [Block]) {
        arch::encrypt_blocks(self, blocks);
    }

    /// Decrypts each block by itself, in place.
    pub fn decrypt_blocks(&self, blocks: &mut [Block]) {
        arch::decrypt_blocks(self, blocks);
    }

    /// Runs CBC chains side by side, each over the blocks of its stream; none may be longer than
    /// the one before it.
    ///
    /// With `KEEP` the ciphertext replaces the blocks; without, the chains end as CBC-MACs.
    pub(crate) fn encrypt_chains<const KEEP: bool>(
        &self,
        chains: &mut [Block],
        streams: &mut [&mut [Block]],
    ) {
        let mut start = 0;
        let mut active = streams.len();
        while active > 0 {
            let end = streams[active - 1].len();
            let (chains, streams) = (&mut chains[..active], &mut streams[..active]);
            arch::chain::<KEEP>(self, chains, streams, start..end);
            active = streams.partition_point(|stream| stream.len() > end);
            start = end;
        }
    }

    /// Writes the plaintext of a chain of CBC; `before` is the IV or the ciphertext block before.
    fn decrypt_chain(
        &self,
        before: &Block,
        blocks: &[Block],
        room: &mut Room<'_>,
    ) -> Result<(), Error> {
        let length = size_of_val(blocks);
        room.write_with(length, |out| arch::decrypt_chain(self, before, blocks, out))?;
        Ok(())
    }

    /// Encrypts one block in place.
    pub fn encrypt_block(&self, block: &mut Block) {
        self.encrypt_blocks(core::slice::from_mut(block));
    }

    /// Decrypts one block in place.
    pub fn decrypt_block(&self, block: &mut Block) {
        self.decrypt_blocks(core::slice::from_mut(block));
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        self.round_keys[..].zeroize();
        self.mapped[..].zeroize();
    }
}

impl core::fmt::Debug for Key {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Key { SM4 }")
    }
}

/// Whether the AVX-512 back-end gives what the portable one gives; for a CPU that has it.
#[cfg(target_arch = "x86_64")]
pub(crate) fn wide_path_agrees() -> bool {
    arch::wide_path_agrees()
}

/// The system parameter FK.
const FK: [u32; 4] = [0xa3b1_bac6, 0x56aa_3350, 0x677d_9197, 0xb270_22dc];

/// The fixed parameter CK: byte j of CKi is 7 (4i + j) mod 256.
const CK: [u32; ROUNDS] = {
    let mut table = [0; ROUNDS];
    let mut i = 0;
    while i < ROUNDS as u32 {
        let mut j = 0;
        while j < 4 {
            table[i as usize] = table[i as usize] << 8 | (7 * (4 * i + j)) & 0xff;
            j += 1;
        }
        i += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::test_support::{hex, on_every_backend};

    const KEY: Block = [
        0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0xfe, 0xdc, 0xba, 0x98, 0x76, 0x54, 0x32,
        0x10,
    ];

    #[test]
    fn the_first_example_of_the_standard() {
        // GB/T 32907-2016, A.1.
        on_every_backend(|| {
            let key = Key::new(&KEY);
            assert_eq!((key.round_keys[0], key.round_keys[31]), (0xf121_86f9, 0x9124_a012));
            let mut block = KEY;
            key.encrypt_block(&mut block);
            assert_eq!(block.to_vec(), hex("681edf34d206965e86b3e94f536e4246"));
            key.decrypt_block(&mut block);
            assert_eq!(block, KEY);
        });
    }

    #[test]
    #[cfg_attr(debug_assertions, ignore = "a million blocks: run with --release")]
    fn the_million_iterations_of_the_standard() {
        // GB/T 32907-2016, A.2.
        on_every_backend(|| {
            let key = Key::new(&KEY);
            let mut block = KEY;
            for _ in 0..1_000_000 {
                key.encrypt_block(&mut block);
            }
            assert_eq!(block.to_vec(), hex("595298c7c6fd271f0402f804c33d3f66"));
        });
    }

    #[test]
    fn debug_tells_nothing() {
        assert_eq!(format!("{:?}", Key::new(&KEY)), "Key { SM4 }");
    }

    proptest! {
        #[test]
        fn back_ends_agree_for_any_number_of_blocks(
            key in any::<Block>(),
            blocks in proptest::collection::vec(any::<Block>(), 0..70),
        ) {
            let encrypted = on_every_backend(|| {
                let mut blocks = blocks.clone();
                Key::new(&key).encrypt_blocks(&mut blocks);
                blocks
            });
            let one_by_one: Vec<Block> = blocks
                .iter()
                .map(|block| {
                    let mut block = *block;
                    Key::new(&key).encrypt_block(&mut block);
                    block
                })
                .collect();
            prop_assert_eq!(&encrypted, &one_by_one);
            let decrypted = on_every_backend(|| {
                let mut blocks = encrypted.clone();
                Key::new(&key).decrypt_blocks(&mut blocks);
                blocks
            });
            prop_assert_eq!(decrypted, blocks);
        }

        #[test]
        fn chains_side_by_side_are_those_of_cbc(
            key in any::<Block>(),
            mut lengths in proptest::collection::vec(0usize..9, 1..40),
        ) {
            lengths.sort_unstable_by(|a, b| b.cmp(a));
            let iv = |lane: usize| (lane as u128 * 77).to_ne_bytes();
            let plain = |lane: usize| vec![[lane as u8; BLOCK_SIZE]; lengths[lane]];
            let expected: Vec<_> = (0..lengths.len())
                .map(|lane| {
                    let data = plain(lane);
                    cbc::encrypt(&Key::new(&key), &iv(lane), data.as_flattened(), false)
                })
                .collect();
            let kept = on_every_backend(|| {
                let mut blocks: Vec<_> = (0..lengths.len()).map(plain).collect();
                let mut chains: Vec<_> = (0..lengths.len()).map(iv).collect();
                let mut streams: Vec<_> = blocks.iter_mut().map(|b| &mut b[..]).collect();
                Key::new(&key).encrypt_chains::<true>(&mut chains, &mut streams);
                let ends: Vec<_> = blocks.iter().map(|b| b.last().copied()).collect();
                for (chain, end) in chains.iter().zip(ends) {
                    assert!(end.is_none_or(|end| end == *chain));
                }
                blocks
            });
            for (blocks, expected) in kept.iter().zip(expected) {
                prop_assert_eq!(Ok(blocks.as_flattened().to_vec()), expected);
            }
        }
    }
}
