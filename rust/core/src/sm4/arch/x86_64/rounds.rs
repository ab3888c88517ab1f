//! The cipher over groups of blocks, for one kind of registers and one kind of maps.

/// Encrypt each block by itself.
pub const ENCRYPT: u8 = 0;
/// Decrypt each block by itself.
pub const DECRYPT: u8 = 1;
/// Add the key stream of counters; the last 32 bits do not wrap. The context is the next counter.
pub const COUNT: u8 = 2;
/// Make that key stream, without anything to add it to.
pub const MAKE: u8 = 4;
/// Decrypt a chain of CBC. The context is the ciphertext block before, or the IV.
pub const CHAIN: u8 = 3;

// Compiled once for each kind of CPU.
macro_rules! rounds {
    ($module:ident, $features:literal, $lanes:ident, $maps:ident::$kind:ident, $most:literal) => {
        pub mod $module {
            use super::$maps::$kind::Maps;
            use core::ops::Range;

            use super::super::text::Text;
            use super::rounds::{CHAIN, COUNT, DECRYPT, ENCRYPT, MAKE};
            use super::$lanes::*;

            use crate::memory::align_frame;
            use crate::sm4::{BLOCK_SIZE, Block, ROUNDS};

            /// Groups in flight at most.
            const MOST: usize = $most;

            type Group = [Block; LANES];
            type Words = [Vector; 4];

            /// Does what `MODE` says.
            #[target_feature(enable = $features)]
            pub fn run<const MODE: u8>(
                keys: &[u32; ROUNDS],
                context: &mut u128,
                mut text: Text<'_>,
            ) {
                while text.len() >= MOST * LANES {
                    let (batch, rest) = text.split_at(MOST * LANES);
                    groups::<MOST, MODE>(keys, context, batch);
                    text = rest;
                }
                match text.len().div_ceil(LANES) {
                    0 => {}
                    1 => partly::<1, MODE>(keys, context, text),
                    2 => partly::<2, MODE>(keys, context, text),
                    3 => partly::<3, MODE>(keys, context, text),
                    4 => partly::<4, MODE>(keys, context, text),
                    _ => partly::<MOST, MODE>(keys, context, text),
                }
            }

            /// The last blocks, which do not fill so many groups.
            #[target_feature(enable = $features)]
            fn partly<const GROUPS: usize, const MODE: u8>(
                keys: &[u32; ROUNDS],
                context: &mut u128,
                text: Text<'_>,
            ) {
                if text.len() == GROUPS * LANES {
                    return groups::<GROUPS, MODE>(keys, context, text);
                }
                let mut padded = [[[0; BLOCK_SIZE]; LANES]; GROUPS];
                let padded = padded.as_flattened_mut();
                text.read(padded);
                groups::<GROUPS, MODE>(keys, context, Text::in_place(padded));
                text.write(padded);
            }

            #[target_feature(enable = $features)]
            #[inline]
            fn groups<const GROUPS: usize, const MODE: u8>(
                keys: &[u32; ROUNDS],
                context: &mut u128,
                mut text: Text<'_>,
            ) {
                assert!(text.len() == GROUPS * LANES);
                let mut x = [[splat(0); 4]; GROUPS];
                if MODE == COUNT || MODE == MAKE {
                    x = counters::<GROUPS>(*context);
                    *context = context.wrapping_add((GROUPS * LANES) as u128);
                } else {
                    for (index, x) in x.iter_mut().enumerate() {
                        *x = enter(rows(text.group(index)));
                    }
                }
                all_rounds::<GROUPS, MODE>(&mut x, keys);
                for (index, x) in x.into_iter().enumerate() {
                    let mut result = leave(x);
                    if MODE == COUNT {
                        result = add(result, rows(text.group(index)));
                    } else if MODE == CHAIN {
                        let group = text.group::<LANES>(index);
                        let mut before = [context.to_ne_bytes(); LANES];
                        before[1..].copy_from_slice(&group[..LANES - 1]);
                        *context = u128::from_ne_bytes(group[LANES - 1]);
                        result = add(result, rows(&before));
                    }
                    store(text.place(index), result);
                }
            }

            /// To each chain adds the blocks of its stream, one after the other, and encrypts.
            ///
            /// With `KEEP` what comes out replaces the block: that is CBC. Without it the chain
            /// ends as the CBC-MAC. `steps` are places that every stream has.
            #[target_feature(enable = $features)]
            pub fn chain<const KEEP: bool>(
                keys: &[u32; ROUNDS],
                chains: &mut [Block],
                streams: &mut [&mut [Block]],
                steps: Range<usize>,
            ) {
                let chains = chains.chunks_mut(MOST * LANES);
                for (chains, streams) in chains.zip(streams.chunks_mut(MOST * LANES)) {
                    let steps = steps.clone();
                    match chains.len().div_ceil(LANES) {
                        1 => chain_groups::<1, KEEP>(keys, chains, streams, steps),
                        2 => chain_groups::<2, KEEP>(keys, chains, streams, steps),
                        3 | 4 => chain_groups::<4, KEEP>(keys, chains, streams, steps),
                        _ => chain_groups::<MOST, KEEP>(keys, chains, streams, steps),
                    }
                }
            }

            #[target_feature(enable = $features)]
            fn chain_groups<const GROUPS: usize, const KEEP: bool>(
                keys: &[u32; ROUNDS],
                chains: &mut [Block],
                streams: &mut [&mut [Block]],
                steps: Range<usize>,
            ) {
                let mut batch = [[[0; BLOCK_SIZE]; LANES]; GROUPS];
                batch.as_flattened_mut()[..chains.len()].copy_from_slice(chains);
                let mut x = [[splat(0); 4]; GROUPS];
                for (x, group) in x.iter_mut().zip(&batch) {
                    *x = enter(rows(group));
                }
                // The chains stay in the image; only what is kept leaves it.
                for step in steps {
                    for (block, stream) in batch.as_flattened_mut().iter_mut().zip(&*streams) {
                        *block = stream[step];
                    }
                    for (x, group) in x.iter_mut().zip(&batch) {
                        *x = add(*x, enter(rows(group)));
                    }
                    all_rounds::<GROUPS, ENCRYPT>(&mut x, keys);
                    for (x, group) in x.iter_mut().zip(&mut batch) {
                        if KEEP {
                            put(group, leave(*x));
                        }
                        x.reverse();
                    }
                    if KEEP {
                        for (block, stream) in batch.as_flattened().iter().zip(&mut *streams) {
                            stream[step] = *block;
                        }
                    }
                }
                for (mut x, group) in x.into_iter().zip(&mut batch) {
                    x.reverse();
                    put(group, leave(x));
                }
                chains.copy_from_slice(&batch.as_flattened()[..chains.len()]);
            }

            #[target_feature(enable = $features)]
            #[inline]
            fn counters<const GROUPS: usize>(counter: u128) -> [Words; GROUPS] {
                let word = |shift: u32| splat((counter >> shift) as u32);
                let fixed = [word(96), word(64), word(32)].map(|word| Maps::enter(word));
                let mut last = plus(word(0), numbers());
                let mut x = [[splat(0); 4]; GROUPS];
                for x in &mut x {
                    *x = [fixed[0], fixed[1], fixed[2], Maps::enter(last)];
                    last = plus(last, splat(LANES as u32));
                }
                x
            }

            #[target_feature(enable = $features)]
            #[inline]
            fn put(group: &mut Group, rows: [Vector; 4]) {
                store(Text::in_place(group).place(0), rows);
            }

            #[target_feature(enable = $features)]
            #[inline]
            fn enter(rows: [Vector; 4]) -> Words {
                words(rows).map(|word| Maps::enter(word))
            }

            /// The words after the last round as rows, in reverse (R of the standard).
            #[target_feature(enable = $features)]
            #[inline]
            fn leave([x0, x1, x2, x3]: Words) -> [Vector; 4] {
                rows_of([x3, x2, x1, x0].map(|word| Maps::leave(word)))
            }

            #[target_feature(enable = $features)]
            #[inline]
            fn add(a: [Vector; 4], b: [Vector; 4]) -> [Vector; 4] {
                [xor(a[0], b[0]), xor(a[1], b[1]), xor(a[2], b[2]), xor(a[3], b[3])]
            }

            #[target_feature(enable = $features)]
            #[inline]
            fn all_rounds<const GROUPS: usize, const MODE: u8>(
                x: &mut [Words; GROUPS],
                keys: &[u32; ROUNDS],
            ) {
                align_frame();
                let reversed = matches!(MODE, DECRYPT | CHAIN);
                let maps = Maps::new();
                // X0 + T(X1 + X2 + X3 + rk); X3 is the newest word and is added last.
                let step = |x0, x1, x2, x3, key| maps.round(x0, xor3(xor(x1, splat(key)), x2, x3));
                // Four rounds at a time: then every word keeps its register.
                for quarter in 0..ROUNDS / 4 {
                    let mut four = [0; 4];
                    for (step, key) in four.iter_mut().enumerate() {
                        let round = 4 * quarter + step;
                        *key = keys[if reversed { ROUNDS - 1 - round } else { round }];
                    }
                    for [x0, x1, x2, x3] in &mut *x {
                        *x0 = step(*x0, *x1, *x2, *x3, four[0]);
                    }
                    for [x0, x1, x2, x3] in &mut *x {
                        *x1 = step(*x1, *x2, *x3, *x0, four[1]);
                    }
                    for [x0, x1, x2, x3] in &mut *x {
                        *x2 = step(*x2, *x3, *x0, *x1, four[2]);
                    }
                    for [x0, x1, x2, x3] in &mut *x {
                        *x3 = step(*x3, *x0, *x1, *x2, four[3]);
                    }
                }
            }
        }
    };
}
