//! SM4 for each kind of x86-64 CPU; `maps` tells how the S-box of AES becomes that of SM4.

mod lanes256;
mod maps;
mod nibbles;
#[macro_use]
mod rounds;

use std::arch::is_x86_feature_detected as has;

use super::super::{Block, FK, KEY_SIZE, ROUNDS};
use rounds::{CHAIN, COUNT, DECRYPT, ENCRYPT};

rounds!(aes, "avx2,aes", lanes256, aes);
rounds!(vaes, "avx2,aes,vaes", lanes256, vaes);

/// Encrypts each block by itself, in place.
#[target_feature(enable = "avx2,aes")]
pub fn encrypt_blocks(keys: &[u32; ROUNDS], blocks: &mut [Block]) {
    run::<ENCRYPT>(keys, &mut 0, blocks);
}

/// Decrypts each block by itself, in place.
#[target_feature(enable = "avx2,aes")]
pub fn decrypt_blocks(keys: &[u32; ROUNDS], blocks: &mut [Block]) {
    run::<DECRYPT>(keys, &mut 0, blocks);
}

/// Adds the key stream of consecutive counters, whose last 32 bits do not wrap, to the blocks.
#[target_feature(enable = "avx2,aes")]
pub fn apply_counters(keys: &[u32; ROUNDS], mut counter: u128, blocks: &mut [Block]) {
    run::<COUNT>(keys, &mut counter, blocks);
}

/// Decrypts a chain of CBC in place; `before` is the IV or the ciphertext block before.
#[target_feature(enable = "avx2,aes")]
pub fn decrypt_chain(keys: &[u32; ROUNDS], before: &Block, blocks: &mut [Block]) {
    run::<CHAIN>(keys, &mut u128::from_ne_bytes(*before), blocks);
}

#[target_feature(enable = "avx2,aes")]
fn run<const MODE: u8>(keys: &[u32; ROUNDS], context: &mut u128, blocks: &mut [Block]) {
    if has!("vaes") {
        // SAFETY: the CPU has just been asked.
        unsafe { vaes::run::<MODE>(keys, context, blocks) };
    } else {
        aes::run::<MODE>(keys, context, blocks);
    }
}

/// Expands a key: its round keys, and their images with the constant.
#[target_feature(enable = "avx2,aes")]
pub fn expand(key: &[u8; KEY_SIZE]) -> ([u32; ROUNDS], [u32; ROUNDS]) {
    let words = key.as_chunks::<4>().0;
    let k = core::array::from_fn(|i| u32::from_be_bytes(words[i]) ^ FK[i]);
    let mut mapped = nibbles::expand(&k);
    let round_keys = nibbles::leave(&mapped);
    mapped.iter_mut().for_each(|key| *key ^= maps::CONSTANT);
    (round_keys, mapped)
}

/// The images of round keys, with the constant.
pub fn map_round_keys(round_keys: &[u32; ROUNDS]) -> [u32; ROUNDS] {
    round_keys.map(maps::map_word)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cpu::Backend;
    use crate::sm4::{Key, portable};

    /// What each mode makes of the blocks.
    fn in_all_modes(blocks: &[Block], act: impl Fn(u8, &mut [Block])) -> Vec<Vec<Block>> {
        let modes = [ENCRYPT, DECRYPT, COUNT, CHAIN].into_iter();
        let results = modes.map(|mode| {
            let mut blocks = blocks.to_vec();
            act(mode, &mut blocks);
            blocks
        });
        results.collect()
    }

    // All modes of the module of one kind of CPU.
    macro_rules! run {
        ($module:ident, $keys:expr, $context:expr, $blocks:expr) => {
            in_all_modes($blocks, |mode, blocks| {
                let mut context = $context;
                // SAFETY: the CPU has what this module needs, as its test assumes.
                unsafe {
                    match mode {
                        ENCRYPT => $module::run::<ENCRYPT>($keys, &mut context, blocks),
                        DECRYPT => $module::run::<DECRYPT>($keys, &mut context, blocks),
                        COUNT => $module::run::<COUNT>($keys, &mut context, blocks),
                        _ => $module::run::<CHAIN>($keys, &mut context, blocks),
                    }
                }
            })
        };
    }

    proptest! {
        // Whatever this CPU prefers, the code for the others is held to the portable one too.
        #[test]
        fn the_rounds_of_every_kind_of_cpu_agree(
            key in any::<Block>(),
            context in any::<u128>(),
            blocks in proptest::collection::vec(any::<Block>(), 0..100),
        ) {
            prop_assume!(Backend::X86_64.is_available());
            let key = Key::new(&key);
            let context = context >> 32 << 32; // no wrap of the last 32 bits
            let keys = &key.round_keys;
            let expected = in_all_modes(&blocks, |mode, blocks| match mode {
                ENCRYPT => portable::crypt_blocks::<false>(keys, blocks),
                DECRYPT => portable::crypt_blocks::<true>(keys, blocks),
                COUNT => portable::apply_counters(keys, context, blocks),
                _ => portable::decrypt_chain(keys, &context.to_ne_bytes(), blocks),
            });
            prop_assert_eq!(&run!(aes, &key.mapped, context, &blocks), &expected);
            prop_assume!(has!("vaes"));
            prop_assert_eq!(&run!(vaes, &key.mapped, context, &blocks), &expected);
        }

        #[test]
        fn keys_expand_alike(key in any::<Block>()) {
            prop_assume!(Backend::X86_64.is_available());
            let round_keys = portable::expand(&key);
            // SAFETY: the CPU has what the x86-64 back-end needs, as assumed above.
            prop_assert_eq!(unsafe { expand(&key) }, (round_keys, map_round_keys(&round_keys)));
        }
    }
}
