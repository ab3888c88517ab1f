//! The round function by GFNI: inversion in AES's field and an affine map are one instruction.

use core::arch::x86_64::*;

use super::lanes256::{broadcast, shuffle, splat, xor, xor3};
use super::maps::{self, AFTER_INVERSION, CK_MAPPED, IMAGE, LEAVE, SCHEDULE, matrix, rotation};
use crate::sm4::algebra::Affine;
use crate::sm4::{Block, ROUNDS};

/// Registers of 256 bits, which rotate words by shuffling bytes.
pub mod narrow {
    use super::*;

    type Vector = __m256i;

    /// The maps, in registers.
    pub struct Maps {
        f: Vector,
        e_plus_f: Vector,
        by_16: Vector,
        by_24: Vector,
    }

    impl Maps {
        #[target_feature(enable = "avx2,gfni")]
        #[inline]
        pub fn new() -> Self {
            Self {
                f: _mm256_set1_epi64x(matrix(&F)),
                e_plus_f: _mm256_set1_epi64x(matrix(&E_PLUS_F)),
                by_16: broadcast(&BY_16),
                by_24: broadcast(&BY_24),
            }
        }

        /// X0 + T(sum).
        #[target_feature(enable = "avx2,gfni")]
        #[inline]
        pub fn round(&self, x0: Vector, sum: Vector) -> Vector {
            const FC: i32 = F.constant as i32;
            const GC: i32 = E_PLUS_F.constant as i32;
            let f = _mm256_gf2p8affineinv_epi64_epi8::<FC>(sum, self.f);
            let e_plus_f = _mm256_gf2p8affineinv_epi64_epi8::<GC>(sum, self.e_plus_f);
            let v = xor(e_plus_f, shuffle(f, self.by_16));
            xor3(xor(x0, f), v, shuffle(v, self.by_24))
        }

        /// Words into their image.
        #[target_feature(enable = "avx2,gfni")]
        #[inline]
        pub fn enter(word: Vector) -> Vector {
            _mm256_gf2p8affine_epi64_epi8::<0>(word, _mm256_set1_epi64x(matrix(&IMAGE)))
        }

        /// Out of it.
        #[target_feature(enable = "avx2,gfni")]
        #[inline]
        pub fn leave(word: Vector) -> Vector {
            _mm256_gf2p8affine_epi64_epi8::<0>(word, _mm256_set1_epi64x(matrix(&LEAVE)))
        }
    }
}

/// Registers of 512 bits.
pub mod wide {
    use super::super::lanes512::{Vector, xor, xor3};
    use super::*;

    /// The maps, in registers.
    pub struct Maps {
        f: Vector,
        e_plus_f: Vector,
    }

    impl Maps {
        #[target_feature(enable = "avx512f,gfni")]
        #[inline]
        pub fn new() -> Self {
            Self {
                f: _mm512_set1_epi64(matrix(&F)),
                e_plus_f: _mm512_set1_epi64(matrix(&E_PLUS_F)),
            }
        }

        /// X0 + T(sum).
        #[target_feature(enable = "avx512f,gfni")]
        #[inline]
        pub fn round(&self, x0: Vector, sum: Vector) -> Vector {
            const FC: i32 = F.constant as i32;
            const GC: i32 = E_PLUS_F.constant as i32;
            let f = _mm512_gf2p8affineinv_epi64_epi8::<FC>(sum, self.f);
            let e_plus_f = _mm512_gf2p8affineinv_epi64_epi8::<GC>(sum, self.e_plus_f);
            let v = xor(e_plus_f, _mm512_rol_epi32::<16>(f));
            xor3(xor(x0, f), v, _mm512_rol_epi32::<24>(v))
        }

        /// Words into their image.
        #[target_feature(enable = "avx512f,gfni")]
        #[inline]
        pub fn enter(word: Vector) -> Vector {
            _mm512_gf2p8affine_epi64_epi8::<0>(word, _mm512_set1_epi64(matrix(&IMAGE)))
        }

        /// Out of it.
        #[target_feature(enable = "avx512f,gfni")]
        #[inline]
        pub fn leave(word: Vector) -> Vector {
            _mm512_gf2p8affine_epi64_epi8::<0>(word, _mm512_set1_epi64(matrix(&LEAVE)))
        }
    }
}

/// The round keys, in the image, of a key that is added to FK (GB/T 32907-2016, 7.3).
#[target_feature(enable = "avx2,gfni")]
pub fn expand(key: &[u32; 4]) -> [u32; ROUNDS] {
    const C: i32 = K[0].constant as i32;
    const C1: i32 = K[1].constant as i32;
    const C2: i32 = K[2].constant as i32;
    const C3: i32 = K[3].constant as i32;
    let enter = |word| narrow::Maps::enter(splat(word));
    let map = |index: usize| _mm256_set1_epi64x(matrix(&K[index]));
    let mut k = [enter(key[0]), enter(key[1]), enter(key[2]), enter(key[3])];
    let mut round_keys = [0; ROUNDS];
    for (round_key, constant) in round_keys.iter_mut().zip(CK_MAPPED) {
        let sum = xor3(xor(k[1], splat(constant)), k[2], k[3]);
        let k0 = _mm256_gf2p8affineinv_epi64_epi8::<C>(sum, map(0));
        let k1 = _mm256_gf2p8affineinv_epi64_epi8::<C1>(sum, map(1));
        let k2 = _mm256_gf2p8affineinv_epi64_epi8::<C2>(sum, map(2));
        let k3 = _mm256_gf2p8affineinv_epi64_epi8::<C3>(sum, map(3));
        let even = xor3(k[0], k0, shuffle(k2, broadcast(&BY_16)));
        let odd = xor(shuffle(k1, broadcast(&BY_8)), shuffle(k3, broadcast(&BY_24)));
        k = [k[1], k[2], k[3], xor(even, odd)];
        *round_key = _mm_cvtsi128_si32(_mm256_castsi256_si128(k[3])) as u32;
    }
    round_keys
}

// As `maps` has them, from behind the inversion.
const F: Affine = maps::F.after(&AFTER_INVERSION);
const E_PLUS_F: Affine = maps::E_PLUS_F.after(&AFTER_INVERSION);
const K: [Affine; 4] = [
    SCHEDULE[0].after(&AFTER_INVERSION),
    SCHEDULE[1].after(&AFTER_INVERSION),
    SCHEDULE[2].after(&AFTER_INVERSION),
    SCHEDULE[3].after(&AFTER_INVERSION),
];
const BY_8: Block = rotation(1);
const BY_16: Block = rotation(2);
const BY_24: Block = rotation(3);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sm4::algebra::tests::{aes_inverse, s_box};

    /// GF2P8AFFINEQB on one byte, as Intel's manual has it.
    fn affine_instruction(matrix: i64, constant: u8, x: u8) -> u8 {
        (0..8).fold(constant, |result, bit| {
            let row = matrix.to_le_bytes()[7 - bit];
            result ^ (((row & x).count_ones() & 1) as u8) << bit
        })
    }

    fn instruction(map: &Affine, x: u8) -> u8 {
        affine_instruction(matrix(map), map.constant, x)
    }

    fn word(bytes: [u8; 4], map: impl Fn(u8) -> u8) -> u32 {
        u32::from_le_bytes(bytes.map(map))
    }

    // GF2P8AFFINEINVQB inverts in AES's field before it maps.
    #[test]
    fn the_matrices_make_the_round_and_the_key_schedule() {
        for x in 0..=255u8 {
            let image = |word: u32| u32::from_le_bytes(word.to_le_bytes().map(|x| IMAGE.apply(x)));
            let bytes = [x, !x, x.rotate_left(3), x ^ 0x5a];
            let b = word(bytes, s_box);
            let sum = bytes.map(|x| aes_inverse(instruction(&IMAGE, x) ^ maps::CONSTANT as u8));
            let part = |map: &Affine| word(sum, |x| instruction(map, x));
            let (f, v) = (part(&F), part(&E_PLUS_F) ^ part(&F).rotate_left(16));
            let t =
                b ^ b.rotate_left(2) ^ b.rotate_left(10) ^ b.rotate_left(18) ^ b.rotate_left(24);
            assert_eq!(f ^ v ^ v.rotate_left(24), image(t));
            let k = [0, 8, 16, 24].iter().zip(&K);
            let k = k.fold(0, |sum, (bits, map)| sum ^ part(map).rotate_left(*bits));
            assert_eq!(k, image(b ^ b.rotate_left(13) ^ b.rotate_left(23)));
            assert_eq!(instruction(&LEAVE, instruction(&IMAGE, x)), x);
        }
    }
}
