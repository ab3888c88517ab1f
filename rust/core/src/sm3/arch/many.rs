//! Eight messages in 256-bit registers, sixteen in 512-bit ones.

use core::arch::x86_64::{
    __m256i, __m512i, _mm_cvtsi32_si128, _mm256_add_epi32, _mm256_and_si256, _mm256_loadu_si256,
    _mm256_or_si256, _mm256_permute2x128_si256, _mm256_set1_epi32, _mm256_set1_epi64x,
    _mm256_shuffle_epi8, _mm256_sll_epi32, _mm256_srl_epi32, _mm256_storeu_si256,
    _mm256_unpackhi_epi32, _mm256_unpackhi_epi64, _mm256_unpacklo_epi32, _mm256_unpacklo_epi64,
    _mm256_xor_si256, _mm512_add_epi32, _mm512_broadcast_i64x4, _mm512_loadu_si512,
    _mm512_rolv_epi32, _mm512_set1_epi32, _mm512_shuffle_epi8, _mm512_shuffle_i32x4,
    _mm512_storeu_si512, _mm512_ternarylogic_epi32, _mm512_unpackhi_epi32, _mm512_unpackhi_epi64,
    _mm512_unpacklo_epi32, _mm512_unpacklo_epi64, _mm512_xor_si512,
};

use crate::memory::align_frame;
use crate::sm3::BLOCK_SIZE;
use crate::sm3::many::{States, compress_block};
use crate::sm3::words::Words;

/// Compresses eight strings of the same number of whole blocks.
#[target_feature(enable = "avx2")]
pub fn compress_8(states: &mut States<8>, strings: &[&[u8]; 8]) {
    align_frame();
    // SAFETY: eight words are 32 bytes.
    let mut state = states.each_ref().map(|row| unsafe { Eight::load(row.as_ptr().cast()) });
    for start in (0..strings[0].len()).step_by(BLOCK_SIZE) {
        compress_block(&mut state, eight_blocks(&strings.map(|string| &string[start..])));
    }
    for (row, words) in states.iter_mut().zip(state) {
        // SAFETY: eight words are 32 bytes.
        unsafe { _mm256_storeu_si256(row.as_mut_ptr().cast(), words.0) };
    }
}

/// Compresses sixteen strings of the same number of whole blocks.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
pub fn compress_16(states: &mut States<16>, strings: &[&[u8]; 16]) {
    align_frame();
    // SAFETY: sixteen words are 64 bytes.
    let mut state = states.each_ref().map(|row| unsafe { Sixteen::load(row.as_ptr().cast()) });
    for start in (0..strings[0].len()).step_by(BLOCK_SIZE) {
        compress_block(&mut state, sixteen_blocks(&strings.map(|string| &string[start..])));
    }
    for (row, words) in states.iter_mut().zip(state) {
        // SAFETY: sixteen words are 64 bytes.
        unsafe { _mm512_storeu_si512(row.as_mut_ptr().cast(), words.0) };
    }
}

/// The words of one block of each string: word i of all strings in register i.
#[target_feature(enable = "avx2")]
#[inline]
fn eight_blocks(strings: &[&[u8]; 8]) -> [Eight; 16] {
    let swap = _mm256_set1_epi64x(SWAP_LOW);
    let swap = _mm256_unpacklo_epi64(swap, _mm256_set1_epi64x(SWAP_HIGH));
    let mut words = [Eight::splat(0); 16];
    for half in 0..2 {
        let rows = strings.map(|string| {
            let bytes = &string[32 * half..32 * half + 32];
            // SAFETY: the slice has 32 bytes.
            let row = unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) };
            _mm256_shuffle_epi8(row, swap)
        });
        let fours = [0, 4].map(|first| {
            let [a, b, c, d] = [0, 1, 2, 3].map(|row| rows[first + row]);
            let (low, high) = (_mm256_unpacklo_epi32(a, b), _mm256_unpackhi_epi32(a, b));
            let (low2, high2) = (_mm256_unpacklo_epi32(c, d), _mm256_unpackhi_epi32(c, d));
            [
                _mm256_unpacklo_epi64(low, low2),
                _mm256_unpackhi_epi64(low, low2),
                _mm256_unpacklo_epi64(high, high2),
                _mm256_unpackhi_epi64(high, high2),
            ]
        });
        for column in 0..4 {
            let (upper, lower) = (fours[0][column], fours[1][column]);
            words[8 * half + column] = Eight(_mm256_permute2x128_si256::<0x20>(upper, lower));
            words[8 * half + 4 + column] = Eight(_mm256_permute2x128_si256::<0x31>(upper, lower));
        }
    }
    words
}

/// The same for sixteen.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
#[inline]
fn sixteen_blocks(strings: &[&[u8]; 16]) -> [Sixteen; 16] {
    let swap = _mm256_unpacklo_epi64(_mm256_set1_epi64x(SWAP_LOW), _mm256_set1_epi64x(SWAP_HIGH));
    let swap = _mm512_broadcast_i64x4(swap);
    let rows = strings.map(|string| {
        let bytes = &string[..BLOCK_SIZE];
        // SAFETY: the slice has 64 bytes.
        let row = unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) };
        _mm512_shuffle_epi8(row, swap)
    });
    // Of each four rows: register i has columns i, i + 4, i + 8, i + 12.
    let fours = [0, 4, 8, 12].map(|first| {
        let [a, b, c, d] = [0, 1, 2, 3].map(|row| rows[first + row]);
        let (low, high) = (_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
        let (low2, high2) = (_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
        [
            _mm512_unpacklo_epi64(low, low2),
            _mm512_unpackhi_epi64(low, low2),
            _mm512_unpacklo_epi64(high, high2),
            _mm512_unpackhi_epi64(high, high2),
        ]
    });
    let mut words = [Sixteen::splat(0); 16];
    for column in 0..4 {
        let [a, b, c, d] = [0, 1, 2, 3].map(|four| fours[four][column]);
        let lower = (_mm512_shuffle_i32x4::<0x44>(a, b), _mm512_shuffle_i32x4::<0x44>(c, d));
        let upper = (_mm512_shuffle_i32x4::<0xee>(a, b), _mm512_shuffle_i32x4::<0xee>(c, d));
        words[column] = Sixteen(_mm512_shuffle_i32x4::<0x88>(lower.0, lower.1));
        words[column + 4] = Sixteen(_mm512_shuffle_i32x4::<0xdd>(lower.0, lower.1));
        words[column + 8] = Sixteen(_mm512_shuffle_i32x4::<0x88>(upper.0, upper.1));
        words[column + 12] = Sixteen(_mm512_shuffle_i32x4::<0xdd>(upper.0, upper.1));
    }
    words
}

/// Bytes 3 2 1 0, 7 6 5 4, … of each 16.
const SWAP_LOW: i64 = 0x0405_0607_0001_0203;
const SWAP_HIGH: i64 = 0x0c0d_0e0f_0809_0a0b;

// Calls an intrinsic. The macro holds the one reason for all of them.
macro_rules! instruction {
    ($call:expr) => {
        // SAFETY: the types of this file are met only below its functions, which enable the
        // instructions and are called only where their back-end is available.
        unsafe { $call }
    };
}

#[derive(Clone, Copy)]
struct Eight(__m256i);

impl Eight {
    /// # Safety
    /// 32 bytes must be readable.
    #[target_feature(enable = "avx2")]
    #[inline]
    unsafe fn load(bytes: *const __m256i) -> Self {
        // SAFETY: as the caller promises.
        Self(unsafe { _mm256_loadu_si256(bytes) })
    }
}

impl Words for Eight {
    #[inline(always)]
    fn splat(value: u32) -> Self {
        Self(instruction!(_mm256_set1_epi32(value as i32)))
    }

    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        Self(instruction!(_mm256_add_epi32(self.0, other.0)))
    }

    #[inline(always)]
    fn xor(self, other: Self) -> Self {
        Self(instruction!(_mm256_xor_si256(self.0, other.0)))
    }

    #[inline(always)]
    fn rotate<const LEFT: u32, const RIGHT: u32>(self) -> Self {
        Self(instruction!({
            let high = _mm256_sll_epi32(self.0, _mm_cvtsi32_si128(LEFT as i32));
            let low = _mm256_srl_epi32(self.0, _mm_cvtsi32_si128(RIGHT as i32));
            _mm256_or_si256(high, low)
        }))
    }

    #[inline(always)]
    fn parity(x: Self, y: Self, z: Self) -> Self {
        x.xor(y).xor(z)
    }

    #[inline(always)]
    fn majority(x: Self, y: Self, z: Self) -> Self {
        let differ = instruction!(_mm256_and_si256(x.xor(y).0, x.xor(z).0));
        x.xor(Self(differ))
    }

    #[inline(always)]
    fn choose(x: Self, y: Self, z: Self) -> Self {
        z.xor(Self(instruction!(_mm256_and_si256(x.0, y.xor(z).0))))
    }

    // A rotation by eight more moves whole bytes: one instruction instead of three.
    #[inline(always)]
    fn p0(self) -> Self {
        let nine = self.rotate::<9, 23>();
        Self::parity(self, nine, nine.rotate_8())
    }

    #[inline(always)]
    fn p1(self) -> Self {
        let fifteen = self.rotate::<15, 17>();
        Self::parity(self, fifteen, fifteen.rotate_8())
    }
}

impl Eight {
    #[inline(always)]
    fn rotate_8(self) -> Self {
        Self(instruction!({
            let low = _mm256_set1_epi64x(0x0605_0407_0201_0003);
            let high = _mm256_set1_epi64x(0x0e0d_0c0f_0a09_080b);
            _mm256_shuffle_epi8(self.0, _mm256_unpacklo_epi64(low, high))
        }))
    }
}

#[derive(Clone, Copy)]
struct Sixteen(__m512i);

impl Sixteen {
    /// # Safety
    /// 64 bytes must be readable.
    #[target_feature(enable = "avx512f")]
    #[inline]
    unsafe fn load(bytes: *const __m512i) -> Self {
        // SAFETY: as the caller promises.
        Self(unsafe { _mm512_loadu_si512(bytes) })
    }
}

impl Words for Sixteen {
    #[inline(always)]
    fn splat(value: u32) -> Self {
        Self(instruction!(_mm512_set1_epi32(value as i32)))
    }

    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        Self(instruction!(_mm512_add_epi32(self.0, other.0)))
    }

    #[inline(always)]
    fn xor(self, other: Self) -> Self {
        Self(instruction!(_mm512_xor_si512(self.0, other.0)))
    }

    #[inline(always)]
    fn rotate<const LEFT: u32, const RIGHT: u32>(self) -> Self {
        // With a constant count the compiler takes the form with the count in the instruction.
        Self(instruction!(_mm512_rolv_epi32(self.0, _mm512_set1_epi32(LEFT as i32))))
    }

    #[inline(always)]
    fn parity(x: Self, y: Self, z: Self) -> Self {
        Self(instruction!(_mm512_ternarylogic_epi32::<0x96>(x.0, y.0, z.0)))
    }

    #[inline(always)]
    fn majority(x: Self, y: Self, z: Self) -> Self {
        Self(instruction!(_mm512_ternarylogic_epi32::<0xe8>(x.0, y.0, z.0)))
    }

    #[inline(always)]
    fn choose(x: Self, y: Self, z: Self) -> Self {
        Self(instruction!(_mm512_ternarylogic_epi32::<0xca>(x.0, y.0, z.0)))
    }
}
