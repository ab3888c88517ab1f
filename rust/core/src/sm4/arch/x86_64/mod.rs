//! SM4 for each kind of x86-64 CPU; `maps` tells how the S-box of AES becomes that of SM4.

mod gfni;
mod lanes128;
mod lanes256;
mod lanes512;
mod maps;
mod nibbles;
#[macro_use]
mod rounds;

use core::ops::Range;
use std::arch::is_x86_feature_detected as has;
use std::sync::OnceLock;

use super::super::{Block, FK, KEY_SIZE, ROUNDS, portable};
use super::text::Text;
use rounds::{CHAIN, COUNT, DECRYPT, ENCRYPT, MAKE};

rounds!(sse, "ssse3,sse4.1,aes", lanes128, nibbles::sse, 4);
rounds!(aes, "avx2,aes", lanes256, nibbles::aes, 4);
rounds!(vaes, "avx2,aes,vaes", lanes256, nibbles::vaes, 4);
rounds!(gfni256, "avx2,gfni", lanes256, gfni::narrow, 4);
rounds!(gfni512, "avx512f,avx512bw,gfni", lanes512, gfni::wide, 6);

/// The fastest that this CPU has for so many blocks.
enum Kind {
    Sse,
    Aes,
    Vaes,
    Gfni256,
    Gfni512,
}

impl Kind {
    fn of(blocks: usize) -> Self {
        if !crate::cpu::is_x86_64() {
            return Self::Sse;
        }
        // A narrow group is ready as soon as a wide one, and needs no filling up.
        if blocks > lanes256::LANES && crate::cpu::is_avx512() {
            Self::Gfni512
        } else if has_gfni() {
            Self::Gfni256
        } else if has!("vaes") {
            Self::Vaes
        } else {
            Self::Aes
        }
    }
}

/// Encrypts each block by itself.
#[target_feature(enable = "ssse3,sse4.1,aes")]
pub fn encrypt_blocks(keys: &[u32; ROUNDS], text: Text<'_>) {
    run::<ENCRYPT>(keys, &mut 0, text);
}

/// Decrypts each block by itself.
#[target_feature(enable = "ssse3,sse4.1,aes")]
pub fn decrypt_blocks(keys: &[u32; ROUNDS], text: Text<'_>) {
    run::<DECRYPT>(keys, &mut 0, text);
}

/// Adds the key stream of consecutive counters, whose last 32 bits do not wrap, to the blocks.
#[target_feature(enable = "ssse3,sse4.1,aes")]
pub fn apply_counters(keys: &[u32; ROUNDS], mut counter: u128, text: Text<'_>) {
    run::<COUNT>(keys, &mut counter, text);
}

/// The key stream itself.
#[target_feature(enable = "ssse3,sse4.1,aes")]
pub fn keystream(keys: &[u32; ROUNDS], mut counter: u128, text: Text<'_>) {
    run::<MAKE>(keys, &mut counter, text);
}

/// Decrypts a chain of CBC; `before` is the IV or the ciphertext block before.
#[target_feature(enable = "ssse3,sse4.1,aes")]
pub fn decrypt_chain(keys: &[u32; ROUNDS], before: &Block, text: Text<'_>) {
    run::<CHAIN>(keys, &mut u128::from_ne_bytes(*before), text);
}

#[target_feature(enable = "ssse3,sse4.1,aes")]
fn run<const MODE: u8>(keys: &[u32; ROUNDS], context: &mut u128, text: Text<'_>) {
    // SAFETY: the CPU has what its kind says.
    unsafe {
        match Kind::of(text.len()) {
            Kind::Sse => sse::run::<MODE>(keys, context, text),
            Kind::Aes => aes::run::<MODE>(keys, context, text),
            Kind::Vaes => vaes::run::<MODE>(keys, context, text),
            Kind::Gfni256 => gfni256::run::<MODE>(keys, context, text),
            Kind::Gfni512 => gfni512::run::<MODE>(keys, context, text),
        }
    }
}

/// To each chain adds the blocks of its stream at `steps`, one after the other, and encrypts; with
/// `KEEP` what comes out replaces the block.
#[target_feature(enable = "ssse3,sse4.1,aes")]
pub fn chain<const KEEP: bool>(
    keys: &[u32; ROUNDS],
    chains: &mut [Block],
    streams: &mut [&mut [Block]],
    steps: Range<usize>,
) {
    // SAFETY: the CPU has what its kind says.
    unsafe {
        match Kind::of(chains.len()) {
            Kind::Sse => sse::chain::<KEEP>(keys, chains, streams, steps),
            Kind::Aes => aes::chain::<KEEP>(keys, chains, streams, steps),
            Kind::Vaes => vaes::chain::<KEEP>(keys, chains, streams, steps),
            Kind::Gfni256 => gfni256::chain::<KEEP>(keys, chains, streams, steps),
            Kind::Gfni512 => gfni512::chain::<KEEP>(keys, chains, streams, steps),
        }
    }
}

/// Expands a key: its round keys, and their images with the constant.
#[target_feature(enable = "ssse3,sse4.1,aes")]
pub fn expand(key: &[u8; KEY_SIZE]) -> ([u32; ROUNDS], [u32; ROUNDS]) {
    let words = key.as_chunks::<4>().0;
    let k = core::array::from_fn(|i| u32::from_be_bytes(words[i]) ^ FK[i]);
    let mut mapped = if crate::cpu::is_x86_64() && has_gfni() {
        // SAFETY: as just told.
        unsafe { gfni::expand(&k) }
    } else {
        nibbles::expand(&k)
    };
    let round_keys = nibbles::leave(&mapped);
    mapped.iter_mut().for_each(|key| *key ^= maps::CONSTANT);
    (round_keys, mapped)
}

/// The images of round keys, with the constant.
pub fn map_round_keys(round_keys: &[u32; ROUNDS]) -> [u32; ROUNDS] {
    round_keys.map(maps::map_word)
}

/// Whether the CPU has GFNI and AVX2, and they give what they must: that is tried once.
fn has_gfni() -> bool {
    static AGREES: OnceLock<bool> = OnceLock::new();
    // SAFETY: the CPU has just been asked, and the x86-64 back-end wants AVX2 anyway.
    has!("gfni") && *AGREES.get_or_init(|| unsafe { narrow_path_agrees() })
}

// Whether a module gives what the portable path gives, in every mode.
macro_rules! agrees {
    ($module:ident) => {{
        let round_keys = portable::expand(&KEY);
        let keys = &map_round_keys(&round_keys);
        let blocks: [Block; 100] =
            core::array::from_fn(|i| (u128::MAX / (i as u128 + 3)).to_ne_bytes());
        let (mut this, mut plain) = (blocks, blocks);
        $module::run::<ENCRYPT>(keys, &mut 0, Text::in_place(&mut this));
        portable::crypt_blocks::<false>(&round_keys, &mut plain);
        $module::run::<COUNT>(keys, &mut 7, Text::in_place(&mut this));
        portable::apply_counters(&round_keys, 7, &mut plain);
        $module::run::<CHAIN>(keys, &mut 0, Text::in_place(&mut this));
        portable::decrypt_chain(&round_keys, &[0; 16], &mut plain);
        let (mut these, mut plains) = (blocks, blocks);
        $module::chain::<true>(keys, &mut these, &mut streams(&mut this), 0..1);
        portable::chain::<true>(&round_keys, &mut plains, &mut streams(&mut plain), 0..1);
        $module::run::<DECRYPT>(keys, &mut 0, Text::in_place(&mut these));
        portable::crypt_blocks::<true>(&round_keys, &mut plains);
        this == plain && these == plains
    }};
}

const KEY: Block = *b"any key will do.";

#[target_feature(enable = "avx2,gfni")]
fn narrow_path_agrees() -> bool {
    let k = core::array::from_fn(|i| portable::load(&KEY, i) ^ FK[i]);
    let images = map_round_keys(&portable::expand(&KEY)).map(|key| key ^ maps::CONSTANT);
    gfni::expand(&k) == images && agrees!(gfni256)
}

/// Whether the 512-bit path gives what the portable one gives, in every mode.
#[target_feature(enable = "avx512f,avx512bw,gfni")]
pub fn wide_path_agrees() -> bool {
    agrees!(gfni512)
}

/// Each block as a stream.
fn streams(blocks: &mut [Block]) -> Vec<&mut [Block]> {
    blocks.chunks_mut(1).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use core::mem::MaybeUninit;

    use super::*;
    use crate::cpu::Backend;
    use crate::memory;
    use crate::sm4::Key;

    const MODES: [u8; 5] = [ENCRYPT, DECRYPT, COUNT, CHAIN, MAKE];

    /// What each mode makes of the blocks.
    fn in_all_modes(blocks: &[Block], act: impl Fn(u8, &mut [Block])) -> Vec<Vec<Block>> {
        let results = MODES.into_iter().map(|mode| {
            let mut blocks = blocks.to_vec();
            act(mode, &mut blocks);
            blocks
        });
        results.collect()
    }

    /// The same, elsewhere.
    fn elsewhere(blocks: &[Block], act: impl Fn(u8, Text<'_>)) -> Vec<Vec<Block>> {
        let results = MODES.into_iter().map(|mode| {
            let mut out = vec![MaybeUninit::new(0xa5); size_of_val(blocks)];
            act(
                mode,
                if mode == MAKE { Text::made(&mut out) } else { Text::elsewhere(blocks, &mut out) },
            );
            // SAFETY: all was written at the start.
            unsafe { memory::assume_written(&mut out) }.as_chunks().0.to_vec()
        });
        results.collect()
    }

    // All modes of the module of one kind of CPU.
    macro_rules! run {
        ($module:ident, $keys:expr, $context:expr, $blocks:expr) => {{
            let run = |mode, text: Text<'_>| {
                let mut context = $context;
                // SAFETY: the CPU has what this module needs, as its test assumes.
                unsafe {
                    match mode {
                        ENCRYPT => $module::run::<ENCRYPT>($keys, &mut context, text),
                        DECRYPT => $module::run::<DECRYPT>($keys, &mut context, text),
                        COUNT => $module::run::<COUNT>($keys, &mut context, text),
                        CHAIN => $module::run::<CHAIN>($keys, &mut context, text),
                        _ => $module::run::<MAKE>($keys, &mut context, text),
                    }
                }
            };
            let in_place = in_all_modes($blocks, |mode, blocks| run(mode, Text::in_place(blocks)));
            assert_eq!(elsewhere($blocks, run), in_place);
            in_place
        }};
    }

    proptest! {
        // Whatever this CPU prefers, the code for the others is held to the portable one too.
        #[test]
        fn the_rounds_of_every_kind_of_cpu_agree(
            key in any::<Block>(),
            context in any::<u128>(),
            blocks in proptest::collection::vec(any::<Block>(), 0..200),
        ) {
            prop_assume!(Backend::X86_64.is_available());
            let key = Key::new(&key);
            let context = context >> 32 << 32; // no wrap of the last 32 bits
            let keys = &key.round_keys;
            let expected = in_all_modes(&blocks, |mode, blocks| match mode {
                ENCRYPT => portable::crypt_blocks::<false>(keys, blocks),
                DECRYPT => portable::crypt_blocks::<true>(keys, blocks),
                COUNT => portable::apply_counters(keys, context, blocks),
                CHAIN => portable::decrypt_chain(keys, &context.to_ne_bytes(), blocks),
                _ => {
                    blocks.fill([0; 16]);
                    portable::apply_counters(keys, context, blocks);
                }
            });
            prop_assert_eq!(&run!(sse, &key.mapped, context, &blocks), &expected);
            prop_assert_eq!(&run!(aes, &key.mapped, context, &blocks), &expected);
            if has!("vaes") {
                prop_assert_eq!(&run!(vaes, &key.mapped, context, &blocks), &expected);
            }
            if has!("gfni") {
                prop_assert_eq!(&run!(gfni256, &key.mapped, context, &blocks), &expected);
            }
            if Backend::X86_64Avx512.is_available() {
                prop_assert_eq!(&run!(gfni512, &key.mapped, context, &blocks), &expected);
            }
        }

        #[test]
        fn the_chains_of_every_kind_of_cpu_agree(
            key in any::<Block>(),
            chains in proptest::collection::vec(any::<Block>(), 1..120),
            seed in any::<u128>(),
            steps in 0usize..5,
        ) {
            prop_assume!(Backend::X86_64.is_available());
            let key = Key::new(&key);
            let blocks: Vec<Block> = (0..chains.len() as u128 * 5)
                .map(|number| (seed ^ number).to_ne_bytes())
                .collect();
            type Chain = unsafe fn(&[u32; ROUNDS], &mut [Block], &mut [&mut [Block]], Range<usize>);
            let run = |chain: Chain, keys| {
                let (mut chains, mut blocks) = (chains.clone(), blocks.clone());
                let mut streams: Vec<_> = blocks.chunks_mut(5).collect();
                // SAFETY: the CPU has what the code needs, as tested where it is named.
                unsafe { chain(keys, &mut chains, &mut streams, 5 - steps..5) };
                (chains, blocks)
            };
            let keep = run(portable::chain::<true>, &key.round_keys);
            let mac = run(portable::chain::<false>, &key.round_keys);
            prop_assert_eq!(&mac.1, &blocks);
            let mut kinds: Vec<[Chain; 2]> = vec![
                [sse::chain::<true>, sse::chain::<false>],
                [aes::chain::<true>, aes::chain::<false>],
            ];
            if has!("vaes") {
                kinds.push([vaes::chain::<true>, vaes::chain::<false>]);
            }
            if has!("gfni") {
                kinds.push([gfni256::chain::<true>, gfni256::chain::<false>]);
            }
            if Backend::X86_64Avx512.is_available() {
                kinds.push([gfni512::chain::<true>, gfni512::chain::<false>]);
            }
            for kind in kinds {
                prop_assert_eq!(&run(kind[0], &key.mapped), &keep);
                prop_assert_eq!(&run(kind[1], &key.mapped), &mac);
            }
        }

        #[test]
        fn keys_expand_alike(key in any::<Block>()) {
            prop_assume!(Backend::X86_64.is_available());
            let round_keys = portable::expand(&key);
            // SAFETY: the CPU has what the x86-64 back-end needs, as assumed above.
            prop_assert_eq!(unsafe { expand(&key) }, (round_keys, map_round_keys(&round_keys)));
            let k = core::array::from_fn(|i| portable::load(&key, i) ^ FK[i]);
            let images = map_round_keys(&round_keys).map(|key| key ^ maps::CONSTANT);
            // SAFETY: as above.
            prop_assert_eq!(unsafe { nibbles::expand(&k) }, images);
        }
    }
}
