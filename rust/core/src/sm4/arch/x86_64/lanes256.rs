//! Registers of 256 bits: a word of eight blocks in each.
//!
//! Two blocks that follow each other stand in the halves of a row; words take the blocks in the
//! order 0 2 4 6, 1 3 5 7.

use core::arch::x86_64::*;
use core::mem::MaybeUninit;

use super::maps::SWAP_WORDS;
use crate::sm4::Block;

pub type Vector = __m256i;

/// Blocks in a group.
pub const LANES: usize = 8;

/// The word in every lane.
#[target_feature(enable = "avx2")]
#[inline]
pub fn splat(word: u32) -> Vector {
    _mm256_set1_epi32(word as i32)
}

/// The numbers of the blocks.
#[target_feature(enable = "avx2")]
#[inline]
pub fn numbers() -> Vector {
    _mm256_set_epi32(7, 5, 3, 1, 6, 4, 2, 0)
}

#[target_feature(enable = "avx2")]
#[inline]
pub fn plus(a: Vector, b: Vector) -> Vector {
    _mm256_add_epi32(a, b)
}

#[target_feature(enable = "avx2")]
#[inline]
pub fn xor(a: Vector, b: Vector) -> Vector {
    _mm256_xor_si256(a, b)
}

/// a + b + c; c is the last to be known.
#[target_feature(enable = "avx2")]
#[inline]
pub fn xor3(a: Vector, b: Vector, c: Vector) -> Vector {
    xor(xor(a, b), c)
}

#[target_feature(enable = "avx2")]
#[inline]
pub fn shuffle(a: Vector, shuffle: Vector) -> Vector {
    _mm256_shuffle_epi8(a, shuffle)
}

/// The lower halves of the bytes, and the higher ones.
#[target_feature(enable = "avx2")]
#[inline]
pub fn nibbles(x: Vector) -> (Vector, Vector) {
    let mask = _mm256_set1_epi8(15);
    (_mm256_and_si256(x, mask), _mm256_and_si256(_mm256_srli_epi16::<4>(x), mask))
}

#[target_feature(enable = "avx2")]
#[inline]
pub fn broadcast(bytes: &Block) -> Vector {
    // SAFETY: 16 readable bytes, and the load wants no alignment.
    _mm256_broadcastsi128_si256(unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) })
}

/// The blocks as they stand, in rows.
#[target_feature(enable = "avx2")]
#[inline]
pub fn rows(blocks: &[Block; LANES]) -> [Vector; 4] {
    let blocks: *const Vector = blocks.as_ptr().cast();
    // SAFETY: four rows of 32 readable bytes, and the loads want no alignment.
    unsafe {
        [
            _mm256_loadu_si256(blocks),
            _mm256_loadu_si256(blocks.add(1)),
            _mm256_loadu_si256(blocks.add(2)),
            _mm256_loadu_si256(blocks.add(3)),
        ]
    }
}

/// Undoes [`rows`].
#[target_feature(enable = "avx2")]
#[inline]
pub fn store(blocks: &mut [MaybeUninit<Block>; LANES], rows: [Vector; 4]) {
    let blocks: *mut Vector = blocks.as_mut_ptr().cast();
    for (index, row) in rows.into_iter().enumerate() {
        // SAFETY: one of four rows of 32 writable bytes, and the store wants no alignment.
        unsafe { _mm256_storeu_si256(blocks.add(index), row) };
    }
}

/// Rows as the four words of eight blocks, each word read big-endian.
#[target_feature(enable = "avx2")]
#[inline]
pub fn words(rows: [Vector; 4]) -> [Vector; 4] {
    let swap = broadcast(&SWAP_WORDS);
    let [a, b, c, d] = rows;
    transpose([shuffle(a, swap), shuffle(b, swap), shuffle(c, swap), shuffle(d, swap)])
}

/// Undoes [`words`].
#[target_feature(enable = "avx2")]
#[inline]
pub fn rows_of(words: [Vector; 4]) -> [Vector; 4] {
    let swap = broadcast(&SWAP_WORDS);
    let [a, b, c, d] = transpose(words);
    [shuffle(a, swap), shuffle(b, swap), shuffle(c, swap), shuffle(d, swap)]
}

/// Transposes the 4 by 4 matrix of words in each half.
#[target_feature(enable = "avx2")]
#[inline]
fn transpose(rows: [Vector; 4]) -> [Vector; 4] {
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
