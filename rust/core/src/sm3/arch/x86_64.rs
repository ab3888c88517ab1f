//! The compression function with the message expanded in vectors, three words at a time, beside
//! rounds that use the three-operand rotations and shifts of BMI2.

use core::arch::x86_64::*;

use crate::sm3::BLOCK_SIZE;
use crate::sm3::portable::{T, choose, majority, p0, parity};

/// Compresses whole blocks; `blocks` is a multiple of 64 bytes.
#[target_feature(enable = "bmi1,bmi2,avx2")]
pub fn compress(state: &mut [u32; 8], blocks: &[u8]) {
    let mut message = Message::new();
    for block in blocks.as_chunks::<BLOCK_SIZE>().0 {
        message.begin(block);
        // Twelve words ahead of the rounds, which are slower.
        macro_rules! words {
            ($j:expr) => {{
                if $j % 3 == 0 {
                    message.expand($j + 16);
                }
                (message.words[$j], message.sums[$j])
            }};
        }
        rounds!(state, words);
    }
}

/// What words and sums have room for: vectors of four are written where three count.
const ROOM: usize = 84;

/// The words of a block and their sums with the word four further on, as far as they are known.
struct Message {
    words: [u32; ROOM],
    sums: [u32; ROOM],
    /// The fifteen newest words by three, the newest first; the fourth word of each does not count.
    newest: [__m128i; 5],
    /// The words before those, from sixteen before the next.
    oldest: __m128i,
}

impl Message {
    #[target_feature(enable = "bmi1,bmi2,avx2")]
    #[inline]
    fn new() -> Self {
        let zero = _mm_setzero_si128();
        Self { words: [0; ROOM], sums: [0; ROOM], newest: [zero; 5], oldest: zero }
    }

    #[target_feature(enable = "bmi1,bmi2,avx2")]
    #[inline]
    fn begin(&mut self, block: &[u8; BLOCK_SIZE]) {
        let swap = _mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3);
        let part = |index: usize| {
            // SAFETY: one of the four parts of 16 readable bytes; the load wants no alignment.
            let bytes = unsafe { _mm_loadu_si128(block.as_ptr().cast::<__m128i>().add(index)) };
            _mm_shuffle_epi8(bytes, swap)
        };
        let [a, b, c, d] = [part(0), part(1), part(2), part(3)];
        self.oldest = a;
        self.newest = [
            _mm_srli_si128::<4>(d),
            _mm_alignr_epi8::<8>(d, c),
            _mm_alignr_epi8::<12>(c, b),
            b,
            _mm_alignr_epi8::<4>(b, a),
        ];
        for (index, part) in [a, b, c, d].into_iter().enumerate() {
            put(&mut self.words, 4 * index, part);
        }
        put(&mut self.sums, 0, _mm_xor_si128(a, b));
    }

    /// Words j to j + 2 (5.3.2), and the sums of words j - 13 to j - 11.
    #[target_feature(enable = "bmi1,bmi2,avx2")]
    #[inline]
    fn expand(&mut self, j: usize) {
        let [w3, w6, w9, w12, w15] = self.newest;
        let w13 = _mm_alignr_epi8::<12>(w12, _mm_slli_si128::<4>(w15));
        put(&mut self.sums, j - 13, _mm_xor_si128(w13, w9));
        let x = xor3(
            _mm_xor_si128(self.oldest, w9),
            _mm_slli_epi32::<15>(w3),
            _mm_srli_epi32::<17>(w3),
        );
        let p1 = xor3(x, _mm_slli_epi32::<15>(x), _mm_srli_epi32::<17>(x));
        let p1 = xor3(p1, _mm_slli_epi32::<23>(x), _mm_srli_epi32::<9>(x));
        let rest = xor3(w6, _mm_slli_epi32::<7>(w13), _mm_srli_epi32::<25>(w13));
        let words = _mm_xor_si128(p1, rest);
        put(&mut self.words, j, words);
        self.oldest = w13;
        self.newest = [words, w3, w6, w9, w12];
    }
}

#[target_feature(enable = "avx2")]
#[inline]
fn xor3(a: __m128i, b: __m128i, c: __m128i) -> __m128i {
    _mm_xor_si128(_mm_xor_si128(a, b), c)
}

/// Writes four words from `start` on.
#[target_feature(enable = "avx2")]
#[inline]
fn put(words: &mut [u32; ROOM], start: usize, part: __m128i) {
    let place = &mut words[start..start + 4];
    // SAFETY: 16 writable bytes, and the store wants no alignment.
    unsafe { _mm_storeu_si128(place.as_mut_ptr().cast(), part) };
}
