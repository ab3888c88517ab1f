//! Registers of 128 bits: a word of four blocks in each.

use core::arch::x86_64::*;
use core::mem::MaybeUninit;

use super::maps::SWAP_WORDS;
use crate::sm4::Block;

pub type Vector = __m128i;

/// Blocks in a group.
pub const LANES: usize = 4;

/// The word in every lane.
#[target_feature(enable = "sse4.1")]
#[inline]
pub fn splat(word: u32) -> Vector {
    _mm_set1_epi32(word as i32)
}

/// The word of the first lane.
#[target_feature(enable = "sse4.1")]
#[inline]
pub fn first(words: Vector) -> u32 {
    _mm_cvtsi128_si32(words) as u32
}

/// The numbers of the blocks.
#[target_feature(enable = "sse4.1")]
#[inline]
pub fn numbers() -> Vector {
    _mm_set_epi32(3, 2, 1, 0)
}

#[target_feature(enable = "sse4.1")]
#[inline]
pub fn plus(a: Vector, b: Vector) -> Vector {
    _mm_add_epi32(a, b)
}

#[target_feature(enable = "sse4.1")]
#[inline]
pub fn xor(a: Vector, b: Vector) -> Vector {
    _mm_xor_si128(a, b)
}

/// a + b + c; c is the last to be known.
#[target_feature(enable = "sse4.1")]
#[inline]
pub fn xor3(a: Vector, b: Vector, c: Vector) -> Vector {
    xor(xor(a, b), c)
}

#[target_feature(enable = "sse4.1,ssse3")]
#[inline]
pub fn shuffle(a: Vector, shuffle: Vector) -> Vector {
    _mm_shuffle_epi8(a, shuffle)
}

/// The lower halves of the bytes, and the higher ones.
#[target_feature(enable = "sse4.1")]
#[inline]
pub fn nibbles(x: Vector) -> (Vector, Vector) {
    let mask = _mm_set1_epi8(15);
    (_mm_and_si128(x, mask), _mm_and_si128(_mm_srli_epi16::<4>(x), mask))
}

#[target_feature(enable = "sse4.1")]
#[inline]
pub fn broadcast(bytes: &Block) -> Vector {
    // SAFETY: 16 readable bytes, and the load wants no alignment.
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
}

/// The blocks as they stand, in rows.
#[target_feature(enable = "sse4.1")]
#[inline]
pub fn rows(blocks: &[Block; LANES]) -> [Vector; 4] {
    let [a, b, c, d] = blocks;
    [broadcast(a), broadcast(b), broadcast(c), broadcast(d)]
}

/// Undoes [`rows`].
#[target_feature(enable = "sse4.1")]
#[inline]
pub fn store(blocks: &mut [MaybeUninit<Block>; LANES], rows: [Vector; 4]) {
    for (block, row) in blocks.iter_mut().zip(rows) {
        // SAFETY: 16 writable bytes, and the store wants no alignment.
        unsafe { _mm_storeu_si128(block.as_mut_ptr().cast(), row) };
    }
}

/// Rows as the four words of four blocks, each word read big-endian.
#[target_feature(enable = "sse4.1,ssse3")]
#[inline]
pub fn words(rows: [Vector; 4]) -> [Vector; 4] {
    let swap = broadcast(&SWAP_WORDS);
    let [a, b, c, d] = rows;
    transpose([shuffle(a, swap), shuffle(b, swap), shuffle(c, swap), shuffle(d, swap)])
}

/// Undoes [`words`].
#[target_feature(enable = "sse4.1,ssse3")]
#[inline]
pub fn rows_of(words: [Vector; 4]) -> [Vector; 4] {
    let swap = broadcast(&SWAP_WORDS);
    let [a, b, c, d] = transpose(words);
    [shuffle(a, swap), shuffle(b, swap), shuffle(c, swap), shuffle(d, swap)]
}

/// Transposes the 4 by 4 matrix of words.
#[target_feature(enable = "sse4.1")]
#[inline]
fn transpose(rows: [Vector; 4]) -> [Vector; 4] {
    let [a, b, c, d] = rows;
    let (ab_low, ab_high) = (_mm_unpacklo_epi32(a, b), _mm_unpackhi_epi32(a, b));
    let (cd_low, cd_high) = (_mm_unpacklo_epi32(c, d), _mm_unpackhi_epi32(c, d));
    [
        _mm_unpacklo_epi64(ab_low, cd_low),
        _mm_unpackhi_epi64(ab_low, cd_low),
        _mm_unpacklo_epi64(ab_high, cd_high),
        _mm_unpackhi_epi64(ab_high, cd_high),
    ]
}
