//! The round function by AESENCLAST and PSHUFB.

use core::arch::x86_64::*;

use super::maps::{
    self, CK_MAPPED, IMAGE, LEAVE, SCHEDULE, nibble_tables, rotation, rotation_of_shifted,
    straight_rotation,
};
use super::{lanes128, lanes256};
use crate::sm4::{Block, ROUNDS};

// The round function, compiled for each kind of registers and of AESENCLAST.
macro_rules! maps {
    ($module:ident, $features:literal, $lanes:ident, $s_box:path) => {
        pub mod $module {
            use super::$lanes::{Vector, broadcast, nibbles, shuffle, xor};
            use super::*;

            /// The maps, in registers.
            pub struct Maps {
                f: Nibbles,
                e_plus_f: Nibbles,
                by_16: Vector,
                straight: Vector,
                straight_by_24: Vector,
            }

            impl Maps {
                #[target_feature(enable = $features)]
                #[inline]
                pub fn new() -> Self {
                    Self {
                        f: Nibbles::of(&F_TABLE),
                        e_plus_f: Nibbles::of(&E_PLUS_F_TABLE),
                        by_16: broadcast(&SHIFTED_BY_16),
                        straight: broadcast(&STRAIGHT),
                        straight_by_24: broadcast(&STRAIGHT_BY_24),
                    }
                }

                /// X0 + T(sum).
                #[target_feature(enable = $features)]
                #[inline]
                pub fn round(&self, x0: Vector, sum: Vector) -> Vector {
                    let z = $s_box(sum);
                    let f = self.f.look_up(z);
                    let v = xor(self.e_plus_f.look_up(z), shuffle(f, self.by_16));
                    let first = xor(x0, shuffle(v, self.straight_by_24));
                    xor(first, shuffle(xor(f, v), self.straight))
                }

                /// Words into their image.
                #[target_feature(enable = $features)]
                #[inline]
                pub fn enter(word: Vector) -> Vector {
                    Nibbles::of(&ENTER_TABLE).look_up(word)
                }

                /// Out of it.
                #[target_feature(enable = $features)]
                #[inline]
                pub fn leave(word: Vector) -> Vector {
                    Nibbles::of(&LEAVE_TABLE).look_up(word)
                }
            }

            /// An affine map of bytes as two tables, one for each half of the byte.
            pub struct Nibbles {
                low: Vector,
                high: Vector,
            }

            impl Nibbles {
                #[target_feature(enable = $features)]
                #[inline]
                pub fn of(table: &[Block; 2]) -> Self {
                    Self { low: broadcast(&table[0]), high: broadcast(&table[1]) }
                }

                #[target_feature(enable = $features)]
                #[inline]
                pub fn look_up(&self, x: Vector) -> Vector {
                    let (low, high) = nibbles(x);
                    xor(shuffle(self.low, low), shuffle(self.high, high))
                }
            }
        }
    };
}

maps!(sse, "ssse3,sse4.1,aes", lanes128, super::sse_s_box);
maps!(aes, "avx2,aes", lanes256, super::aes_s_box);
maps!(vaes, "avx2,aes,vaes", lanes256, super::vaes_s_box);

/// The AES S-box on each byte, with ShiftRows.
#[target_feature(enable = "sse4.1,aes")]
#[inline]
fn sse_s_box(x: lanes128::Vector) -> lanes128::Vector {
    _mm_aesenclast_si128(x, _mm_setzero_si128())
}

/// The same in each half.
#[target_feature(enable = "avx2,aes")]
#[inline]
fn aes_s_box(x: lanes256::Vector) -> lanes256::Vector {
    let low = sse_s_box(_mm256_castsi256_si128(x));
    let high = sse_s_box(_mm256_extracti128_si256::<1>(x));
    _mm256_inserti128_si256::<1>(_mm256_castsi128_si256(low), high)
}

/// The same in one instruction.
#[target_feature(enable = "avx2,aes,vaes")]
#[inline]
fn vaes_s_box(x: lanes256::Vector) -> lanes256::Vector {
    _mm256_aesenclast_epi128(x, _mm256_setzero_si256())
}

/// The round keys, in the image, of a key that is added to FK (GB/T 32907-2016, 7.3).
#[target_feature(enable = "ssse3,sse4.1,aes")]
pub fn expand(key: &[u32; 4]) -> [u32; ROUNDS] {
    use lanes128::{broadcast, first, shuffle, splat, xor, xor3};
    let maps = [
        sse::Nibbles::of(&SCHEDULE_TABLES[0]),
        sse::Nibbles::of(&SCHEDULE_TABLES[1]),
        sse::Nibbles::of(&SCHEDULE_TABLES[2]),
        sse::Nibbles::of(&SCHEDULE_TABLES[3]),
    ];
    let rotations = [broadcast(&BY_8), broadcast(&BY_16), broadcast(&BY_24)];
    let enter = |word| sse::Maps::enter(splat(word));
    let mut k = [enter(key[0]), enter(key[1]), enter(key[2]), enter(key[3])];
    let mut round_keys = [0; ROUNDS];
    for (round_key, constant) in round_keys.iter_mut().zip(CK_MAPPED) {
        // All columns are equal, so that ShiftRows changes nothing.
        let z = sse_s_box(xor3(xor(k[1], splat(constant)), k[2], k[3]));
        let [k0, k1, k2, k3] = maps.each_ref().map(|map| map.look_up(z));
        let even = xor3(k[0], k0, shuffle(k2, rotations[1]));
        let odd = xor(shuffle(k1, rotations[0]), shuffle(k3, rotations[2]));
        k = [k[1], k[2], k[3], xor(even, odd)];
        *round_key = first(k[3]);
    }
    round_keys
}

/// Words out of their image.
#[target_feature(enable = "ssse3,sse4.1,aes")]
pub fn leave(words: &[u32; ROUNDS]) -> [u32; ROUNDS] {
    let mut out = [0; ROUNDS];
    for (from, to) in words.as_chunks::<4>().0.iter().zip(out.as_chunks_mut::<4>().0) {
        // SAFETY: 16 readable and 16 writable bytes, and neither access wants alignment.
        unsafe {
            let word = sse::Maps::leave(_mm_loadu_si128(from.as_ptr().cast()));
            _mm_storeu_si128(to.as_mut_ptr().cast(), word);
        }
    }
    out
}

const F_TABLE: [Block; 2] = nibble_tables(&maps::F);
const E_PLUS_F_TABLE: [Block; 2] = nibble_tables(&maps::E_PLUS_F);
const ENTER_TABLE: [Block; 2] = nibble_tables(&IMAGE);
const LEAVE_TABLE: [Block; 2] = nibble_tables(&LEAVE);
const SCHEDULE_TABLES: [[Block; 2]; 4] = [
    nibble_tables(&SCHEDULE[0]),
    nibble_tables(&SCHEDULE[1]),
    nibble_tables(&SCHEDULE[2]),
    nibble_tables(&SCHEDULE[3]),
];
const BY_8: Block = rotation(1);
const SHIFTED_BY_16: Block = rotation_of_shifted(2);
const STRAIGHT: Block = straight_rotation(0);
const STRAIGHT_BY_24: Block = straight_rotation(3);
const BY_16: Block = rotation(2);
const BY_24: Block = rotation(3);
