//! SM4 with AES-NI and AVX2 (and VAES where the CPU has it): the S-box is AESENCLAST between two
//! maps done by PSHUFB.
//!
//! Every word X of the state is kept as its image under the linear part of `INTO_AES`, byte by
//! byte, and so is every round key (plus the constant of that map). The sum X1 + X2 + X3 + rk is
//! then at once the input of the AES S-box. Behind it, the way out of AES's field, the linear layer
//! L and the way back into the image are all linear, so they melt into two maps E and F of bytes.
//! With z the output of the AES S-box and bytes numbered from the least significant, modulo 4,
//!
//! ```text
//! byte j = E z[j] + F z[j-1] + F z[j-2] + (E + F) z[j+1]
//! ```
//!
//! because L(B) = B + (B <<< 24) + (Y <<< 2) with Y = B + (B <<< 8) + (B <<< 16), and a rotation by
//! two takes `shift(2)` of the same byte and `shift(-6)` of the one below.

use core::arch::x86_64::*;

use crate::sm4::algebra::{Affine, FROM_AES, INTO_AES};
use crate::sm4::{BLOCK_SIZE, Block, ROUNDS};

/// Encrypts in place, thirty-two blocks in flight; decrypts with `REVERSED` round keys.
#[target_feature(enable = "avx2,aes,ssse3")]
pub fn crypt_blocks<const REVERSED: bool>(keys: &[u32; ROUNDS], blocks: &mut [Block]) {
    if std::arch::is_x86_feature_detected!("vaes") {
        // SAFETY: the CPU has just been asked.
        unsafe { with_vaes::crypt_blocks::<REVERSED>(keys, blocks) };
    } else {
        with_aes::crypt_blocks::<REVERSED>(keys, blocks);
    }
}

/// Adds the key stream of consecutive counters, whose last 32 bits do not wrap, to the blocks.
#[target_feature(enable = "avx2,aes,ssse3")]
pub fn apply_counters(keys: &[u32; ROUNDS], counter: u128, blocks: &mut [Block]) {
    if std::arch::is_x86_feature_detected!("vaes") {
        // SAFETY: the CPU has just been asked.
        unsafe { with_vaes::apply_counters(keys, counter, blocks) };
    } else {
        with_aes::apply_counters(keys, counter, blocks);
    }
}

/// The S-box on each byte of a word.
#[target_feature(enable = "avx2,aes,ssse3")]
pub fn tau(word: u32) -> u32 {
    let input = _mm256_set1_epi32(word as i32);
    let z = aes_s_box(Nibbles::of(&INTO_AES_TABLE).look_up(input));
    // All columns are equal, so that ShiftRows changes nothing.
    let result = Nibbles::of(&FROM_AES_TABLE).look_up(z);
    _mm_cvtsi128_si32(_mm256_castsi256_si128(result)) as u32
}

/// The image of a round key, with the constant that the input of the AES S-box wants.
pub fn map_word(word: u32) -> u32 {
    let constant = u32::from(INTO_AES.constant) * 0x0101_0101;
    INTO_AES.columns.iter().enumerate().fold(constant, |sum, (bit, column)| {
        sum ^ (((word >> bit) & 0x0101_0101) * u32::from(*column))
    })
}

// The rounds, compiled once with AESENCLAST on halves of a register and once on whole registers.
macro_rules! rounds {
    ($module:ident, $features:literal, $s_box:ident) => {
        mod $module {
            use super::*;

            #[target_feature(enable = $features)]
            pub fn crypt_blocks<const REVERSED: bool>(keys: &[u32; ROUNDS], blocks: &mut [Block]) {
                let (batches, rest) = blocks.as_chunks_mut::<32>();
                for batch in batches {
                    crypt_groups::<4, REVERSED>(keys, batch.as_chunks_mut::<8>().0);
                }
                match rest.len() {
                    0 => {}
                    ..=8 => crypt_partly::<1, REVERSED>(keys, rest),
                    ..=16 => crypt_partly::<2, REVERSED>(keys, rest),
                    _ => crypt_partly::<4, REVERSED>(keys, rest),
                }
            }

            /// Fewer blocks than `GROUPS` groups hold.
            #[target_feature(enable = $features)]
            fn crypt_partly<const GROUPS: usize, const REVERSED: bool>(
                keys: &[u32; ROUNDS],
                blocks: &mut [Block],
            ) {
                let mut padded = [[[0; BLOCK_SIZE]; 8]; GROUPS];
                padded.as_flattened_mut()[..blocks.len()].copy_from_slice(blocks);
                crypt_groups::<GROUPS, REVERSED>(keys, &mut padded);
                blocks.copy_from_slice(&padded.as_flattened()[..blocks.len()]);
            }

            #[target_feature(enable = $features)]
            fn crypt_groups<const GROUPS: usize, const REVERSED: bool>(
                keys: &[u32; ROUNDS],
                groups: &mut [[Block; 8]],
            ) {
                let into = Nibbles::of(&INTO_IMAGE_TABLE);
                let mut x = [[_mm256_setzero_si256(); 4]; GROUPS];
                for (x, blocks) in x.iter_mut().zip(&*groups) {
                    *x = load(blocks).map(|word| into.look_up(word));
                }
                all_rounds::<GROUPS, REVERSED>(&mut x, keys);
                for (x, blocks) in x.into_iter().zip(groups) {
                    store(blocks, leave_image(x));
                }
            }

            #[target_feature(enable = $features)]
            pub fn apply_counters(keys: &[u32; ROUNDS], mut counter: u128, blocks: &mut [Block]) {
                let (batches, rest) = blocks.as_chunks_mut::<32>();
                for batch in batches {
                    counter_groups::<4>(keys, counter, batch.as_chunks_mut::<8>().0);
                    counter = counter.wrapping_add(32);
                }
                match rest.len() {
                    0 => {}
                    ..=8 => counters_partly::<1>(keys, counter, rest),
                    ..=16 => counters_partly::<2>(keys, counter, rest),
                    _ => counters_partly::<4>(keys, counter, rest),
                }
            }

            #[target_feature(enable = $features)]
            fn counters_partly<const GROUPS: usize>(
                keys: &[u32; ROUNDS],
                counter: u128,
                blocks: &mut [Block],
            ) {
                let mut padded = [[[0; BLOCK_SIZE]; 8]; GROUPS];
                padded.as_flattened_mut()[..blocks.len()].copy_from_slice(blocks);
                counter_groups::<GROUPS>(keys, counter, &mut padded);
                blocks.copy_from_slice(&padded.as_flattened()[..blocks.len()]);
            }

            #[target_feature(enable = $features)]
            fn counter_groups<const GROUPS: usize>(
                keys: &[u32; ROUNDS],
                counter: u128,
                groups: &mut [[Block; 8]],
            ) {
                let into = Nibbles::of(&INTO_IMAGE_TABLE);
                let word = |shift: u32| _mm256_set1_epi32((counter >> shift) as i32);
                let fixed = [word(96), word(64), word(32)].map(|word| into.look_up(word));
                let mut last = _mm256_add_epi32(word(0), _mm256_set_epi32(7, 6, 5, 4, 3, 2, 1, 0));
                let mut x = [[_mm256_setzero_si256(); 4]; GROUPS];
                for x in &mut x {
                    *x = [fixed[0], fixed[1], fixed[2], into.look_up(last)];
                    last = _mm256_add_epi32(last, _mm256_set1_epi32(8));
                }
                all_rounds::<GROUPS, false>(&mut x, keys);
                for (x, blocks) in x.into_iter().zip(groups) {
                    add(blocks, leave_image(x));
                }
            }

            #[target_feature(enable = $features)]
            #[inline]
            fn all_rounds<const GROUPS: usize, const REVERSED: bool>(
                x: &mut [[__m256i; 4]; GROUPS],
                keys: &[u32; ROUNDS],
            ) {
                let linear = Linear::new();
                // X0 + T(X1 + X2 + X3 + rk); X3 is the newest word and is added last.
                let step = |x0, x1, x2, x3, key| {
                    let sum = _mm256_xor_si256(x1, _mm256_set1_epi32(key as i32));
                    let sum = _mm256_xor_si256(_mm256_xor_si256(sum, x2), x3);
                    _mm256_xor_si256(x0, linear.apply($s_box(sum)))
                };
                // Four rounds at a time: then every word keeps its register.
                for quarter in 0..ROUNDS / 4 {
                    let mut four = [0; 4];
                    for (step, key) in four.iter_mut().enumerate() {
                        let round = 4 * quarter + step;
                        *key = keys[if REVERSED { ROUNDS - 1 - round } else { round }];
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

rounds!(with_aes, "avx2,aes,ssse3", aes_s_box);
rounds!(with_vaes, "avx2,aes,ssse3,vaes", vaes_s_box);

/// The AES S-box on each byte, with ShiftRows in each half.
#[target_feature(enable = "avx2,aes,ssse3")]
#[inline]
fn aes_s_box(x: __m256i) -> __m256i {
    let zero = _mm_setzero_si128();
    let low = _mm_aesenclast_si128(_mm256_castsi256_si128(x), zero);
    let high = _mm_aesenclast_si128(_mm256_extracti128_si256::<1>(x), zero);
    _mm256_inserti128_si256::<1>(_mm256_castsi128_si256(low), high)
}

/// The same in one instruction.
#[target_feature(enable = "avx2,aes,ssse3,vaes")]
#[inline]
fn vaes_s_box(x: __m256i) -> __m256i {
    _mm256_aesenclast_epi128(x, _mm256_setzero_si256())
}

/// What follows the AES S-box; it also undoes ShiftRows.
struct Linear {
    e: Nibbles,
    f: Nibbles,
    rotations: [__m256i; 4],
}

impl Linear {
    #[target_feature(enable = "avx2,aes,ssse3")]
    #[inline]
    fn new() -> Self {
        Self {
            e: Nibbles::of(&E_TABLE),
            f: Nibbles::of(&F_TABLE),
            rotations: [
                broadcast(&ROTATIONS[0]),
                broadcast(&ROTATIONS[1]),
                broadcast(&ROTATIONS[2]),
                broadcast(&ROTATIONS[3]),
            ],
        }
    }

    #[target_feature(enable = "avx2,aes,ssse3")]
    #[inline]
    fn apply(&self, z: __m256i) -> __m256i {
        let e = self.e.look_up(z);
        let f = self.f.look_up(z);
        let [r0, r8, r16, r24] = self.rotations;
        let first = _mm256_xor_si256(_mm256_shuffle_epi8(e, r0), _mm256_shuffle_epi8(f, r8));
        let e_plus_f = _mm256_xor_si256(e, f);
        let second =
            _mm256_xor_si256(_mm256_shuffle_epi8(e_plus_f, r24), _mm256_shuffle_epi8(f, r16));
        _mm256_xor_si256(first, second)
    }
}

/// An affine map of bytes as two tables, one for each half of the byte.
struct Nibbles {
    low: __m256i,
    high: __m256i,
}

impl Nibbles {
    #[target_feature(enable = "avx2,aes,ssse3")]
    #[inline]
    fn of(table: &[Block; 2]) -> Self {
        Self { low: broadcast(&table[0]), high: broadcast(&table[1]) }
    }

    #[target_feature(enable = "avx2,aes,ssse3")]
    #[inline]
    fn look_up(&self, x: __m256i) -> __m256i {
        let mask = _mm256_set1_epi8(15);
        let low = _mm256_and_si256(x, mask);
        let high = _mm256_and_si256(_mm256_srli_epi16::<4>(x), mask);
        _mm256_xor_si256(_mm256_shuffle_epi8(self.low, low), _mm256_shuffle_epi8(self.high, high))
    }
}

/// Eight blocks as four words of eight lanes, each word read big-endian.
#[target_feature(enable = "avx2,aes,ssse3")]
#[inline]
fn load(blocks: &[Block; 8]) -> [__m256i; 4] {
    let swap = broadcast(&SWAP_WORDS);
    transpose([
        _mm256_shuffle_epi8(read(blocks, 0), swap),
        _mm256_shuffle_epi8(read(blocks, 1), swap),
        _mm256_shuffle_epi8(read(blocks, 2), swap),
        _mm256_shuffle_epi8(read(blocks, 3), swap),
    ])
}

/// The words after the last round, out of their image and in reverse (R of the standard).
#[target_feature(enable = "avx2,aes,ssse3")]
#[inline]
fn leave_image(x: [__m256i; 4]) -> [__m256i; 4] {
    let out_of = Nibbles::of(&FROM_IMAGE_TABLE);
    let [x0, x1, x2, x3] = x.map(|word| out_of.look_up(word));
    [x3, x2, x1, x0]
}

/// Undoes [`load`].
#[target_feature(enable = "avx2,aes,ssse3")]
#[inline]
fn store(blocks: &mut [Block; 8], words: [__m256i; 4]) {
    for (index, row) in rows(words).into_iter().enumerate() {
        write(blocks, index, row);
    }
}

/// Adds words to blocks.
#[target_feature(enable = "avx2,aes,ssse3")]
#[inline]
fn add(blocks: &mut [Block; 8], words: [__m256i; 4]) {
    for (index, row) in rows(words).into_iter().enumerate() {
        let sum = _mm256_xor_si256(read(blocks, index), row);
        write(blocks, index, sum);
    }
}

#[target_feature(enable = "avx2,aes,ssse3")]
#[inline]
fn rows(words: [__m256i; 4]) -> [__m256i; 4] {
    let swap = broadcast(&SWAP_WORDS);
    let [a, b, c, d] = transpose(words);
    [
        _mm256_shuffle_epi8(a, swap),
        _mm256_shuffle_epi8(b, swap),
        _mm256_shuffle_epi8(c, swap),
        _mm256_shuffle_epi8(d, swap),
    ]
}

/// Blocks `index` and `index + 4`.
#[target_feature(enable = "avx2,aes,ssse3")]
#[inline]
fn read(blocks: &[Block; 8], index: usize) -> __m256i {
    // SAFETY: a block is 16 readable bytes, and the load wants no alignment.
    let (low, high) = unsafe {
        (
            _mm_loadu_si128(blocks[index].as_ptr().cast()),
            _mm_loadu_si128(blocks[index + 4].as_ptr().cast()),
        )
    };
    _mm256_set_m128i(high, low)
}

#[target_feature(enable = "avx2,aes,ssse3")]
#[inline]
fn write(blocks: &mut [Block; 8], index: usize, row: __m256i) {
    // SAFETY: a block is 16 writable bytes, and the store wants no alignment.
    unsafe {
        _mm_storeu_si128(blocks[index].as_mut_ptr().cast(), _mm256_castsi256_si128(row));
        _mm_storeu_si128(blocks[index + 4].as_mut_ptr().cast(), _mm256_extracti128_si256::<1>(row));
    }
}

/// Transposes the 4 by 4 matrix of 32-bit words in each half.
#[target_feature(enable = "avx2,aes,ssse3")]
#[inline]
fn transpose(rows: [__m256i; 4]) -> [__m256i; 4] {
    let [a, b, c, d] = rows;
    let (ab_low, ab_high) = (_mm256_unpacklo_epi32(a, b), _mm256_unpackhi_epi32(a, b));
    let (cd_low, cd_high) = (_mm256_unpacklo_epi32(c, d), _mm256_unpackhi_epi32(c, d));
    [
        _mm256_unpacklo_epi64(ab_low, cd_low),
        _mm256_unpackhi_epi64(ab_low, cd_low),
        _mm256_unpacklo_epi64(ab_high, cd_high),
        _mm256_unpackhi_epi64(ab_high, cd_high),
    ]
}

#[target_feature(enable = "avx2,aes,ssse3")]
#[inline]
fn broadcast(bytes: &Block) -> __m256i {
    // SAFETY: 16 readable bytes, and the load wants no alignment.
    _mm256_broadcastsi128_si256(unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) })
}

const INTO_AES_TABLE: [Block; 2] = nibble_tables(&INTO_AES);
const FROM_AES_TABLE: [Block; 2] = nibble_tables(&FROM_AES);
const INTO_IMAGE_TABLE: [Block; 2] = nibble_tables(&IMAGE);
const FROM_IMAGE_TABLE: [Block; 2] = nibble_tables(&IMAGE.inverse());
const E_TABLE: [Block; 2] = nibble_tables(&E);
const F_TABLE: [Block; 2] = nibble_tables(&F);

/// The linear part of `INTO_AES`.
const IMAGE: Affine = Affine { columns: INTO_AES.columns, constant: 0 };
const E: Affine = {
    let out = Affine { columns: FROM_AES.columns, constant: 0 };
    IMAGE.after(&Affine::shift(0).plus(&Affine::shift(2)).after(&out))
};
/// F carries the constant of the whole round: F stands three times in a byte, so that it counts
/// once. L takes a word of four equal bytes t to the word of bytes t <<< 2.
const F: Affine = {
    let out = Affine { columns: FROM_AES.columns, constant: 0 };
    let linear = IMAGE.after(&Affine::shift(2).plus(&Affine::shift(-6)).after(&out));
    Affine { columns: linear.columns, constant: IMAGE.linear(FROM_AES.constant.rotate_left(2)) }
};

const fn nibble_tables(map: &Affine) -> [Block; 2] {
    let mut tables = [[0; 16]; 2];
    let mut nibble = 0;
    while nibble < 16 {
        tables[0][nibble] = map.apply(nibble as u8);
        tables[1][nibble] = map.linear((nibble as u8) << 4);
        nibble += 1;
    }
    tables
}

/// Reads from what AESENCLAST left: undoes ShiftRows, then rotates each column left by 8k bits.
const ROTATIONS: [Block; 4] = {
    let mut shuffles = [[0; 16]; 4];
    let mut place = 0;
    while place < 64 {
        let (k, column, row) = (place / 16, place / 4 % 4, place % 4);
        let from = (row + 4 - k) % 4;
        shuffles[k][4 * column + row] = (4 * ((column + 4 - from) % 4) + from) as u8;
        place += 1;
    }
    shuffles
};

const SWAP_WORDS: Block = [3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cpu::Backend;
    use crate::sm4::{Key, portable};

    proptest! {
        // Whatever this CPU prefers, the code for the others is held to the portable one too.
        #[test]
        fn the_rounds_of_every_kind_of_cpu_agree(
            key in any::<Block>(),
            counter in any::<u128>(),
            blocks in proptest::collection::vec(any::<Block>(), 0..80),
        ) {
            prop_assume!(Backend::X86_64.is_available());
            let key = Key::new(&key);
            let counter = counter >> 32 << 32; // no wrap of the last 32 bits
            let apply = |act: &dyn Fn(&mut [Block])| {
                let mut blocks = blocks.clone();
                act(&mut blocks);
                blocks
            };
            let keys = &key.mapped;
            let expected = [
                apply(&|b| portable::crypt_blocks::<false>(&key.round_keys, b)),
                apply(&|b| portable::crypt_blocks::<true>(&key.round_keys, b)),
                apply(&|b| portable::apply_counters(&key.round_keys, counter, b)),
            ];
            // SAFETY: the CPU has what the x86-64 back-end needs, as assumed above.
            let with_aes = unsafe {
                [
                    apply(&|b| with_aes::crypt_blocks::<false>(keys, b)),
                    apply(&|b| with_aes::crypt_blocks::<true>(keys, b)),
                    apply(&|b| with_aes::apply_counters(keys, counter, b)),
                ]
            };
            prop_assert_eq!(&with_aes, &expected);
            prop_assume!(std::arch::is_x86_feature_detected!("vaes"));
            // SAFETY: the CPU has just been asked.
            let with_vaes = unsafe {
                [
                    apply(&|b| with_vaes::crypt_blocks::<false>(keys, b)),
                    apply(&|b| with_vaes::crypt_blocks::<true>(keys, b)),
                    apply(&|b| with_vaes::apply_counters(keys, counter, b)),
                ]
            };
            prop_assert_eq!(&with_vaes, &expected);
        }
    }
}
