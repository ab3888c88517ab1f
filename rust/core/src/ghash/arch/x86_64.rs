//! POLYVAL's arithmetic with PCLMULQDQ, or VPCLMULQDQ where the CPU has it; sixteen products share one
//! reduction.

use core::arch::x86_64::*;

use super::super::{Element, GhashKey, POWERS, fold, portable};
use crate::memory::align_frame;
use crate::sm4::Block;

/// Takes whole blocks into the sum.
#[target_feature(enable = "pclmulqdq,ssse3,sse4.1")]
pub fn update(sum: &mut Element, key: &GhashKey, blocks: &[Block]) {
    if blocks.len() > POWERS / 2 && crate::cpu::is_avx512() {
        // SAFETY: the AVX-512 back-end is chosen only on a CPU that has all its instructions.
        unsafe { update_quads(sum, key, blocks) };
    } else if crate::cpu::is_x86_64() && std::arch::is_x86_feature_detected!("vpclmulqdq") {
        // SAFETY: the CPU has just been asked, and has AVX2 too.
        unsafe { update_pairs(sum, key, blocks) };
    } else {
        update_singles(sum, key, blocks);
    }
}

/// a b / x^128.
#[target_feature(enable = "pclmulqdq,ssse3,sse4.1")]
pub fn multiply(a: Element, b: Element) -> Element {
    let mut product = Product::zero();
    product.add(load(&a), &b, &fold(b));
    unload(product.reduce())
}

/// One block in each register.
#[target_feature(enable = "pclmulqdq,ssse3,sse4.1")]
fn update_singles(sum: &mut Element, key: &GhashKey, blocks: &[Block]) {
    let mut y = load(sum);
    for batch in blocks.chunks(POWERS) {
        let first = POWERS - batch.len();
        let mut product = Product::zero();
        product.add_blocks(y, batch, &key.powers[first..], &key.folded[first..]);
        y = product.reduce();
    }
    *sum = unload(y);
}

/// Two blocks in each register.
#[target_feature(enable = "vpclmulqdq,pclmulqdq,ssse3,sse4.1,avx2")]
fn update_pairs(sum: &mut Element, key: &GhashKey, blocks: &[Block]) {
    align_frame();
    let mut y = load(sum);
    let (batches, rest) = blocks.as_chunks::<POWERS>();
    for batch in batches {
        y = absorb_pairs(y, &key.powers, &key.folded, batch);
    }
    if !rest.is_empty() {
        let first = POWERS - rest.len();
        y = absorb_pairs(y, &key.powers[first..], &key.folded[first..], rest);
    }
    *sum = unload(y);
}

/// Four blocks in each register.
#[target_feature(enable = "avx512f,avx512bw,vpclmulqdq,pclmulqdq,ssse3,sse4.1,avx2")]
fn update_quads(sum: &mut Element, key: &GhashKey, blocks: &[Block]) {
    align_frame();
    let mut y = load(sum);
    let (batches, rest) = blocks.as_chunks::<POWERS>();
    for batch in batches {
        y = absorb_quads(y, &key.powers, &key.folded, batch);
    }
    if !rest.is_empty() {
        let first = POWERS - rest.len();
        y = absorb_quads(y, &key.powers[first..], &key.folded[first..], rest);
    }
    *sum = unload(y);
}

/// Whether the 512-bit path gives what the portable one gives.
#[target_feature(enable = "avx512f,avx512bw,vpclmulqdq,pclmulqdq,ssse3,sse4.1,avx2")]
pub fn wide_path_agrees() -> bool {
    let mut powers = [[0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210]; POWERS];
    for index in (0..POWERS - 1).rev() {
        powers[index] = portable::multiply(powers[index + 1], powers[POWERS - 1]);
    }
    let key = GhashKey { powers, folded: powers.map(fold) };
    let blocks: [Block; 39] = core::array::from_fn(|i| (u128::MAX / (i as u128 + 3)).to_ne_bytes());
    let (mut wide, mut plain) = ([1, 2], [1, 2]);
    update_quads(&mut wide, &key, &blocks);
    portable::update(&mut plain, &powers[POWERS - 1], &blocks);
    wide == plain
}

/// As [`absorb_pairs`].
#[target_feature(enable = "avx512f,avx512bw,vpclmulqdq,pclmulqdq,ssse3,sse4.1,avx2")]
#[inline]
fn absorb_quads(y: __m128i, powers: &[Element], folded: &[Element], blocks: &[Block]) -> __m128i {
    let odd = blocks.len() % 4;
    let mut product = Product::zero();
    product.add_blocks(y, &blocks[..odd], &powers[..odd], &folded[..odd]);
    let carried = _mm512_zextsi128_si512(if odd == 0 { y } else { _mm_setzero_si128() });

    let zero = _mm512_setzero_si512();
    let (mut low, mut cross, mut high) = (zero, zero, zero);
    let add = _mm512_xor_si512;
    let quads = blocks[odd..].as_chunks::<4>().0.iter();
    let powers = powers[odd..].as_chunks::<4>().0.iter().zip(folded[odd..].as_chunks::<4>().0);
    for (index, (blocks, (power, folded))) in quads.zip(powers).enumerate().rev() {
        let block = read_quad(blocks);
        let x = if index == 0 { add(block, carried) } else { block };
        let x_folded = add(x, _mm512_shuffle_epi32::<0x4e>(x));
        let (power, folded) = (load_quad(power), load_quad(folded));
        low = add(low, _mm512_clmulepi64_epi128::<0x00>(x, power));
        high = add(high, _mm512_clmulepi64_epi128::<0x11>(x, power));
        cross = add(cross, _mm512_clmulepi64_epi128::<0x00>(x_folded, folded));
    }
    for (sum, quad) in
        [(&mut product.low, low), (&mut product.cross, cross), (&mut product.high, high)]
    {
        let halves = (_mm512_castsi512_si256(quad), _mm512_extracti64x4_epi64::<1>(quad));
        let pair = _mm256_xor_si256(halves.0, halves.1);
        let halves = (_mm256_castsi256_si128(pair), _mm256_extracti128_si256::<1>(pair));
        *sum = _mm_xor_si128(*sum, _mm_xor_si128(halves.0, halves.1));
    }
    product.reduce()
}

/// (y + X1) H^n + X2 H^(n-1) + ... + Xn H, given the powers from H^n on, and the same folded.
///
/// From the last block to the first: what has to wait for y is then added last.
#[target_feature(enable = "vpclmulqdq,pclmulqdq,ssse3,sse4.1,avx2")]
#[inline]
fn absorb_pairs(y: __m128i, powers: &[Element], folded: &[Element], blocks: &[Block]) -> __m128i {
    let odd = blocks.len() % 2;
    let mut product = Product::zero();
    product.add_blocks(y, &blocks[..odd], &powers[..odd], &folded[..odd]);
    let carried = _mm256_zextsi128_si256(if odd == 0 { y } else { _mm_setzero_si128() });

    let zero = _mm256_setzero_si256();
    let (mut low, mut cross, mut high) = (zero, zero, zero);
    let add = _mm256_xor_si256;
    let pairs = blocks[odd..].as_chunks::<2>().0.iter();
    let powers = powers[odd..].as_chunks::<2>().0.iter().zip(folded[odd..].as_chunks::<2>().0);
    for (index, (blocks, (power, folded))) in pairs.zip(powers).enumerate().rev() {
        let block = read_pair(blocks);
        let x = if index == 0 { add(block, carried) } else { block };
        let x_folded = add(x, _mm256_shuffle_epi32::<0x4e>(x));
        let (power, folded) = (load_pair(power), load_pair(folded));
        low = add(low, _mm256_clmulepi64_epi128::<0x00>(x, power));
        high = add(high, _mm256_clmulepi64_epi128::<0x11>(x, power));
        cross = add(cross, _mm256_clmulepi64_epi128::<0x00>(x_folded, folded));
    }
    for (sum, pair) in
        [(&mut product.low, low), (&mut product.cross, cross), (&mut product.high, high)]
    {
        let halves = (_mm256_castsi256_si128(pair), _mm256_extracti128_si256::<1>(pair));
        *sum = _mm_xor_si128(*sum, _mm_xor_si128(halves.0, halves.1));
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
    #[target_feature(enable = "pclmulqdq,ssse3,sse4.1")]
    #[inline]
    fn zero() -> Self {
        let zero = _mm_setzero_si128();
        Self { low: zero, cross: zero, high: zero }
    }

    /// Adds a b, given b folded too.
    #[target_feature(enable = "pclmulqdq,ssse3,sse4.1")]
    #[inline]
    fn add(&mut self, a: __m128i, b: &Element, folded: &Element) {
        let (b, folded) = (load(b), load(folded));
        let a_folded = _mm_xor_si128(a, _mm_shuffle_epi32::<0x4e>(a));
        self.low = _mm_xor_si128(self.low, _mm_clmulepi64_si128::<0x00>(a, b));
        self.high = _mm_xor_si128(self.high, _mm_clmulepi64_si128::<0x11>(a, b));
        self.cross = _mm_xor_si128(self.cross, _mm_clmulepi64_si128::<0x00>(a_folded, folded));
    }

    /// Adds the products of blocks, y being added to the first of them.
    #[target_feature(enable = "pclmulqdq,ssse3,sse4.1")]
    #[inline]
    fn add_blocks(&mut self, y: __m128i, blocks: &[Block], powers: &[Element], folded: &[Element]) {
        let powers = powers.iter().zip(folded);
        for (index, (block, (power, folded))) in blocks.iter().zip(powers).enumerate().rev() {
            let block = read(block);
            let x = if index == 0 { _mm_xor_si128(block, y) } else { block };
            self.add(x, power, folded);
        }
    }

    /// Divides by x^128 modulo x^128 + x^127 + x^126 + x^121 + 1, 64 bits at a time.
    #[target_feature(enable = "pclmulqdq,ssse3,sse4.1")]
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
#[target_feature(enable = "pclmulqdq,ssse3,sse4.1")]
#[inline]
fn read(block: &Block) -> __m128i {
    let reverse = _mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    // SAFETY: a block is 16 readable bytes, and the load wants no alignment.
    _mm_shuffle_epi8(unsafe { _mm_loadu_si128(block.as_ptr().cast()) }, reverse)
}

/// Two blocks, the bytes of each reversed.
#[target_feature(enable = "avx2")]
#[inline]
fn read_pair(blocks: &[Block; 2]) -> __m256i {
    let reverse = _mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    // SAFETY: two blocks are 32 readable bytes, and the load wants no alignment.
    let pair = unsafe { _mm256_loadu_si256(blocks.as_ptr().cast()) };
    _mm256_shuffle_epi8(pair, _mm256_broadcastsi128_si256(reverse))
}

/// Four blocks, the bytes of each reversed.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn read_quad(blocks: &[Block; 4]) -> __m512i {
    let reverse = _mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    // SAFETY: four blocks are 64 readable bytes, and the load wants no alignment.
    let quad = unsafe { _mm512_loadu_si512(blocks.as_ptr().cast()) };
    _mm512_shuffle_epi8(quad, _mm512_broadcast_i32x4(reverse))
}

/// Four powers that follow each other.
#[target_feature(enable = "avx512f")]
#[inline]
fn load_quad(powers: &[Element; 4]) -> __m512i {
    // SAFETY: four elements are 64 readable bytes, and the load wants no alignment.
    unsafe { _mm512_loadu_si512(powers.as_ptr().cast()) }
}

#[target_feature(enable = "pclmulqdq,ssse3,sse4.1")]
#[inline]
fn load(element: &Element) -> __m128i {
    // SAFETY: an element is 16 readable bytes, and the load wants no alignment.
    unsafe { _mm_loadu_si128(element.as_ptr().cast()) }
}

/// Two powers that follow each other.
#[target_feature(enable = "avx2")]
#[inline]
fn load_pair(powers: &[Element; 2]) -> __m256i {
    // SAFETY: two elements are 32 readable bytes, and the load wants no alignment.
    unsafe { _mm256_loadu_si256(powers.as_ptr().cast()) }
}

#[target_feature(enable = "pclmulqdq,ssse3,sse4.1")]
#[inline]
fn unload(value: __m128i) -> Element {
    [_mm_cvtsi128_si64(value) as u64, _mm_extract_epi64::<1>(value) as u64]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cpu::Backend;

    proptest! {
        // Whatever this CPU prefers, the code for the others is held to the portable one too.
        #[test]
        fn the_products_of_every_kind_of_cpu_agree(
            h in any::<Block>(),
            start in any::<Element>(),
            blocks in proptest::collection::vec(any::<Block>(), 0..40),
        ) {
            prop_assume!(Backend::X86_64.is_available());
            let key = GhashKey::new(&h);
            let mut expected = start;
            portable::update(&mut expected, &key.powers[POWERS - 1], &blocks);
            let mut sums = [start; 3];
            // SAFETY: the CPU has what the x86-64 back-end needs, as assumed above.
            unsafe { update_singles(&mut sums[0], &key, &blocks) };
            prop_assert_eq!(sums[0], expected);
            if std::arch::is_x86_feature_detected!("vpclmulqdq") {
                // SAFETY: the CPU has just been asked.
                unsafe { update_pairs(&mut sums[1], &key, &blocks) };
                prop_assert_eq!(sums[1], expected);
            }
            if Backend::X86_64Avx512.is_available() {
                // SAFETY: the CPU has just been asked.
                unsafe { update_quads(&mut sums[2], &key, &blocks) };
                prop_assert_eq!(sums[2], expected);
            }
        }
    }
}
