//! SM4 with AES-NI and AVX2: the S-box is AESENCLAST between two maps done by PSHUFB.
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
    let (batches, rest) = blocks.as_chunks_mut::<32>();
    for batch in batches {
        crypt_groups::<4, REVERSED>(keys, batch.as_chunks_mut::<8>().0);
    }
    if rest.len() > 16 {
        crypt_partly::<4, REVERSED>(keys, rest);
    } else if rest.len() > 8 {
        crypt_partly::<2, REVERSED>(keys, rest);
    } else if !rest.is_empty() {
        crypt_partly::<1, REVERSED>(keys, rest);
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

/// Fewer blocks than `GROUPS` groups hold.
#[target_feature(enable = "avx2,aes,ssse3")]
fn crypt_partly<const GROUPS: usize, const REVERSED: bool>(
    keys: &[u32; ROUNDS],
    blocks: &mut [Block],
) {
    let mut padded = [[[0; BLOCK_SIZE]; 8]; GROUPS];
    padded.as_flattened_mut()[..blocks.len()].copy_from_slice(blocks);
    crypt_groups::<GROUPS, REVERSED>(keys, &mut padded);
    blocks.copy_from_slice(&padded.as_flattened()[..blocks.len()]);
}

#[target_feature(enable = "avx2,aes,ssse3")]
fn crypt_groups<const GROUPS: usize, const REVERSED: bool>(
    keys: &[u32; ROUNDS],
    groups: &mut [[Block; 8]],
) {
    let into = Nibbles::of(&INTO_IMAGE_TABLE);
    let mut x = [[_mm256_setzero_si256(); 4]; GROUPS];
    for (x, blocks) in x.iter_mut().zip(&*groups) {
        *x = load(blocks).map(|word| into.look_up(word));
    }
    let linear = Linear::new();
    for round in (0..ROUNDS).step_by(4) {
        let key = |step| {
            let number = round + step;
            keys[if REVERSED { ROUNDS - 1 - number } else { number }]
        };
        four_steps(&mut x, &linear, [key(0), key(1), key(2), key(3)]);
    }
    let out_of = Nibbles::of(&FROM_IMAGE_TABLE);
    for (x, blocks) in x.into_iter().zip(groups) {
        let [x0, x1, x2, x3] = x.map(|word| out_of.look_up(word));
        store(blocks, [x3, x2, x1, x0]);
    }
}

/// Four rounds, after which the words stand where they stood.
#[target_feature(enable = "avx2,aes,ssse3")]
#[inline]
fn four_steps<const GROUPS: usize>(
    x: &mut [[__m256i; 4]; GROUPS],
    linear: &Linear,
    keys: [u32; 4],
) {
    let keys = keys.map(|key| _mm256_set1_epi32(key as i32));
    // Unrolled by hand, so that every word has a register of its own.
    for [x0, x1, x2, x3] in &mut *x {
        *x0 = step(*x0, *x1, *x2, *x3, keys[0], linear);
    }
    for [x0, x1, x2, x3] in &mut *x {
        *x1 = step(*x1, *x2, *x3, *x0, keys[1], linear);
    }
    for [x0, x1, x2, x3] in &mut *x {
        *x2 = step(*x2, *x3, *x0, *x1, keys[2], linear);
    }
    for [x0, x1, x2, x3] in &mut *x {
        *x3 = step(*x3, *x0, *x1, *x2, keys[3], linear);
    }
}

/// X0 + T(X1 + X2 + X3 + rk); X3 is the newest word and is added last.
#[target_feature(enable = "avx2,aes,ssse3")]
#[inline]
fn step(
    x0: __m256i,
    x1: __m256i,
    x2: __m256i,
    x3: __m256i,
    key: __m256i,
    linear: &Linear,
) -> __m256i {
    let sum = _mm256_xor_si256(_mm256_xor_si256(x1, key), _mm256_xor_si256(x2, x3));
    _mm256_xor_si256(x0, linear.apply(aes_s_box(sum)))
}

/// The AES S-box on each byte, with ShiftRows in each half.
#[target_feature(enable = "avx2,aes,ssse3")]
#[inline]
fn aes_s_box(x: __m256i) -> __m256i {
    let zero = _mm_setzero_si128();
    let low = _mm_aesenclast_si128(_mm256_castsi256_si128(x), zero);
    let high = _mm_aesenclast_si128(_mm256_extracti128_si256::<1>(x), zero);
    _mm256_inserti128_si256::<1>(_mm256_castsi128_si256(low), high)
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
    let mut rows = [_mm256_setzero_si256(); 4];
    for (index, row) in rows.iter_mut().enumerate() {
        // SAFETY: a block is 16 readable bytes, and the load wants no alignment.
        let (low, high) = unsafe {
            (
                _mm_loadu_si128(blocks[index].as_ptr().cast()),
                _mm_loadu_si128(blocks[index + 4].as_ptr().cast()),
            )
        };
        *row = _mm256_shuffle_epi8(_mm256_set_m128i(high, low), swap);
    }
    transpose(rows)
}

/// Undoes [`load`].
#[target_feature(enable = "avx2,aes,ssse3")]
#[inline]
fn store(blocks: &mut [Block; 8], words: [__m256i; 4]) {
    let swap = broadcast(&SWAP_WORDS);
    let rows = transpose(words);
    for (index, row) in rows.into_iter().enumerate() {
        let row = _mm256_shuffle_epi8(row, swap);
        // SAFETY: a block is 16 writable bytes, and the store wants no alignment.
        unsafe {
            _mm_storeu_si128(blocks[index].as_mut_ptr().cast(), _mm256_castsi256_si128(row));
            _mm_storeu_si128(
                blocks[index + 4].as_mut_ptr().cast(),
                _mm256_extracti128_si256::<1>(row),
            );
        }
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
