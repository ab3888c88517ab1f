//! Registers of 512 bits: a word of sixteen blocks in each.
//!
//! Four blocks that follow each other stand in a row; words take the blocks in the order
//! 0 4 8 12, 1 5 9 13, 2 6 10 14, 3 7 11 15.

use core::arch::x86_64::*;
use core::mem::MaybeUninit;

use super::maps::SWAP_WORDS;
use crate::sm4::Block;

pub type Vector = __m512i;

/// Blocks in a group.
pub const LANES: usize = 16;

/// The word in every lane.
#[target_feature(enable = "avx512f")]
#[inline]
pub fn splat(word: u32) -> Vector {
    _mm512_set1_epi32(word as i32)
}

/// The numbers of the blocks.
#[target_feature(enable = "avx512f")]
#[inline]
pub fn numbers() -> Vector {
    _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15)
}

#[target_feature(enable = "avx512f")]
#[inline]
pub fn plus(a: Vector, b: Vector) -> Vector {
    _mm512_add_epi32(a, b)
}

#[target_feature(enable = "avx512f")]
#[inline]
pub fn xor(a: Vector, b: Vector) -> Vector {
    _mm512_xor_si512(a, b)
}

/// a + b + c.
#[target_feature(enable = "avx512f")]
#[inline]
pub fn xor3(a: Vector, b: Vector, c: Vector) -> Vector {
    _mm512_ternarylogic_epi32::<0x96>(a, b, c)
}

/// The blocks as they stand, in rows.
#[target_feature(enable = "avx512f")]
#[inline]
pub fn rows(blocks: &[Block; LANES]) -> [Vector; 4] {
    let blocks: *const Vector = blocks.as_ptr().cast();
    // SAFETY: four rows of 64 readable bytes, and the loads want no alignment.
    unsafe {
        [
            _mm512_loadu_si512(blocks),
            _mm512_loadu_si512(blocks.add(1)),
            _mm512_loadu_si512(blocks.add(2)),
            _mm512_loadu_si512(blocks.add(3)),
        ]
    }
}

/// Undoes [`rows`].
#[target_feature(enable = "avx512f")]
#[inline]
pub fn store(blocks: &mut [MaybeUninit<Block>; LANES], rows: [Vector; 4]) {
    let blocks: *mut Vector = blocks.as_mut_ptr().cast();
    for (index, row) in rows.into_iter().enumerate() {
        // SAFETY: one of four rows of 64 writable bytes, and the store wants no alignment.
        unsafe { _mm512_storeu_si512(blocks.add(index), row) };
    }
}

/// Rows as the four words of sixteen blocks, each word read big-endian.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
pub fn words(rows: [Vector; 4]) -> [Vector; 4] {
    let [a, b, c, d] = rows;
    transpose([swap_words(a), swap_words(b), swap_words(c), swap_words(d)])
}

/// Undoes [`words`].
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
pub fn rows_of(words: [Vector; 4]) -> [Vector; 4] {
    let [a, b, c, d] = transpose(words);
    [swap_words(a), swap_words(b), swap_words(c), swap_words(d)]
}

#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn swap_words(row: Vector) -> Vector {
    // SAFETY: 16 readable bytes, and the load wants no alignment.
    let swap = unsafe { _mm_loadu_si128(SWAP_WORDS.as_ptr().cast()) };
    _mm512_shuffle_epi8(row, _mm512_broadcast_i32x4(swap))
}

/// Transposes the 4 by 4 matrix of words in each quarter.
#[target_feature(enable = "avx512f")]
#[inline]
fn transpose(rows: [Vector; 4]) -> [Vector; 4] {
    let [a, b, c, d] = rows;
    let (ab_low, ab_high) = (_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
    let (cd_low, cd_high) = (_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
    [
        _mm512_unpacklo_epi64(ab_low, cd_low),
        _mm512_unpackhi_epi64(ab_low, cd_low),
        _mm512_unpacklo_epi64(ab_high, cd_high),
        _mm512_unpackhi_epi64(ab_high, cd_high),
    ]
}
