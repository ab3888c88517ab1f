//! POLYVAL's arithmetic with PCLMULQDQ; eight products share one reduction.

use core::arch::x86_64::*;

use super::super::{Element, POWERS};
use crate::sm4::Block;

/// Takes whole blocks into the sum.
#[target_feature(enable = "pclmulqdq,ssse3,sse4.1,avx")]
pub fn update(sum: &mut Element, powers: &[Element; POWERS], blocks: &[Block]) {
    let mut y = load(sum);
    let (batches, rest) = blocks.as_chunks::<POWERS>();
    for batch in batches {
        y = absorb(y, powers, batch);
    }
    if !rest.is_empty() {
        y = absorb(y, powers, rest);
    }
    *sum = unload(y);
}

/// a b / x^128.
#[target_feature(enable = "pclmulqdq,ssse3,sse4.1,avx")]
pub fn multiply(a: Element, b: Element) -> Element {
    let mut product = Product::zero();
    product.add(load(&a), load(&b));
    unload(product.reduce())
}

/// (y + X1) H^n + X2 H^(n-1) + ... + Xn H for one to eight blocks.
#[target_feature(enable = "pclmulqdq,ssse3,sse4.1,avx")]
#[inline]
fn absorb(y: __m128i, powers: &[Element; POWERS], blocks: &[Block]) -> __m128i {
    let mut product = Product::zero();
    let mut carried = y;
    for (block, power) in blocks.iter().zip(powers[..blocks.len()].iter().rev()) {
        product.add(_mm_xor_si128(read(block), carried), load(power));
        carried = _mm_setzero_si128();
    }
    product.reduce()
}

/// A sum of products of 256 bits, not yet reduced, in Karatsuba's three parts.
struct Product {
    low: __m128i,
    cross: __m128i,
    high: __m128i,
}

impl Product {
    #[target_feature(enable = "pclmulqdq,ssse3,sse4.1,avx")]
    #[inline]
    fn zero() -> Self {
        let zero = _mm_setzero_si128();
        Self { low: zero, cross: zero, high: zero }
    }

    #[target_feature(enable = "pclmulqdq,ssse3,sse4.1,avx")]
    #[inline]
    fn add(&mut self, a: __m128i, b: __m128i) {
        let a_folded = _mm_xor_si128(a, _mm_shuffle_epi32::<0x4e>(a));
        let b_folded = _mm_xor_si128(b, _mm_shuffle_epi32::<0x4e>(b));
        self.low = _mm_xor_si128(self.low, _mm_clmulepi64_si128::<0x00>(a, b));
        self.high = _mm_xor_si128(self.high, _mm_clmulepi64_si128::<0x11>(a, b));
        self.cross = _mm_xor_si128(self.cross, _mm_clmulepi64_si128::<0x00>(a_folded, b_folded));
    }

    /// Divides by x^128 modulo x^128 + x^127 + x^126 + x^121 + 1, 64 bits at a time.
    #[target_feature(enable = "pclmulqdq,ssse3,sse4.1,avx")]
    #[inline]
    fn reduce(self) -> __m128i {
        let middle = _mm_xor_si128(self.cross, _mm_xor_si128(self.low, self.high));
        let low = _mm_xor_si128(self.low, _mm_slli_si128::<8>(middle));
        let high = _mm_xor_si128(self.high, _mm_srli_si128::<8>(middle));
        let modulus = _mm_set_epi64x(0, 0xc200_0000_0000_0000_u64 as i64);
        let mut low = low;
        for _ in 0..2 {
            let folded = _mm_clmulepi64_si128::<0x00>(low, modulus);
            low = _mm_xor_si128(_mm_shuffle_epi32::<0x4e>(low), folded);
        }
        _mm_xor_si128(high, low)
    }
}

/// A block, its bytes reversed.
#[target_feature(enable = "pclmulqdq,ssse3,sse4.1,avx")]
#[inline]
fn read(block: &Block) -> __m128i {
    let reverse = _mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    // SAFETY: a block is 16 readable bytes, and the load wants no alignment.
    _mm_shuffle_epi8(unsafe { _mm_loadu_si128(block.as_ptr().cast()) }, reverse)
}

#[target_feature(enable = "pclmulqdq,ssse3,sse4.1,avx")]
#[inline]
fn load(element: &Element) -> __m128i {
    // SAFETY: an element is 16 readable bytes, and the load wants no alignment.
    unsafe { _mm_loadu_si128(element.as_ptr().cast()) }
}

#[target_feature(enable = "pclmulqdq,ssse3,sse4.1,avx")]
#[inline]
fn unload(value: __m128i) -> Element {
    [_mm_cvtsi128_si64(value) as u64, _mm_extract_epi64::<1>(value) as u64]
}
