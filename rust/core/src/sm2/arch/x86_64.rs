//! x86-64 with BMI2, ADX and AVX2: products in MULX and two carry chains, look-ups in 256-bit lanes.
//!
//! The instructions have no branches and touch no memory but their operands.

use core::arch::asm;
use core::arch::x86_64::{
    __m256i, _mm256_blendv_epi8, _mm256_loadu_si256, _mm256_set1_epi64x, _mm256_storeu_si256,
};
use core::hint::black_box;

use crate::sm2::field::{Arithmetic, Fe, P};
use crate::sm2::inverse::STEPS;

/// Arithmetic with MULX, ADCX and ADOX. To be used only where [`crate::cpu`] has chosen x86-64.
pub struct Adx;

/// Adds `a * b[offset]` to t0..t3 and sets t4; `zero` is any register that is free.
macro_rules! multiply_limb {
    ($offset:literal, $t0:literal, $t1:literal, $t2:literal, $t3:literal, $t4:literal, $zero:literal) => {
        concat!(
            "mov rdx, [{b} + ",
            $offset,
            "]\n",
            "xor {",
            $zero,
            ":e}, {",
            $zero,
            ":e}\n",
            "mulx {hi}, {lo}, [{a}]\n",
            "adcx {",
            $t0,
            "}, {lo}\n",
            "adox {",
            $t1,
            "}, {hi}\n",
            "mulx {hi}, {lo}, [{a} + 8]\n",
            "adcx {",
            $t1,
            "}, {lo}\n",
            "adox {",
            $t2,
            "}, {hi}\n",
            "mulx {hi}, {lo}, [{a} + 16]\n",
            "adcx {",
            $t2,
            "}, {lo}\n",
            "adox {",
            $t3,
            "}, {hi}\n",
            "mulx {",
            $t4,
            "}, {lo}, [{a} + 24]\n",
            "adcx {",
            $t3,
            "}, {lo}\n",
            "adox {",
            $t4,
            "}, {",
            $zero,
            "}\n",
            "adcx {",
            $t4,
            "}, {",
            $zero,
            "}\n",
        )
    };
}

/// t0..t7 = a b. Of b, the address is lost.
macro_rules! product {
    () => {
        concat!(
            "mov rdx, [{b}]\n",
            "mulx {t1}, {t0}, [{a}]\n",
            "mulx {t2}, {lo}, [{a} + 8]\n",
            "add {t1}, {lo}\n",
            "mulx {t3}, {lo}, [{a} + 16]\n",
            "adc {t2}, {lo}\n",
            "mulx {t4}, {lo}, [{a} + 24]\n",
            "adc {t3}, {lo}\n",
            "adc {t4}, 0\n",
            multiply_limb!("8", "t1", "t2", "t3", "t4", "t5", "t6"),
            multiply_limb!("16", "t2", "t3", "t4", "t5", "t6", "t7"),
            // The last limb of b is read before b becomes the zero.
            multiply_limb!("24", "t3", "t4", "t5", "t6", "t7", "b"),
        )
    };
}

/// t0..t7 = a^2.
macro_rules! square {
    () => {
        concat!(
            // The products of different limbs, t1..t6.
            "mov rdx, [{a}]\n",
            "mulx {t2}, {t1}, [{a} + 8]\n",
            "mulx {t3}, {lo}, [{a} + 16]\n",
            "add {t2}, {lo}\n",
            "mulx {t4}, {lo}, [{a} + 24]\n",
            "adc {t3}, {lo}\n",
            "adc {t4}, 0\n",
            "mov rdx, [{a} + 8]\n",
            "xor {t6:e}, {t6:e}\n",
            "mulx {hi}, {lo}, [{a} + 16]\n",
            "adcx {t3}, {lo}\n",
            "adox {t4}, {hi}\n",
            "mulx {t5}, {lo}, [{a} + 24]\n",
            "adcx {t4}, {lo}\n",
            "adox {t5}, {t6}\n",
            "mov rdx, [{a} + 16]\n",
            "mulx {t6}, {lo}, [{a} + 24]\n",
            "adcx {t5}, {lo}\n",
            "adc {t6}, 0\n",
            // Twice that, plus the squares of the limbs.
            "xor {t7:e}, {t7:e}\n",
            "mov rdx, [{a}]\n",
            "mulx {hi}, {t0}, rdx\n",
            "adcx {t1}, {t1}\n",
            "adox {t1}, {hi}\n",
            "mov rdx, [{a} + 8]\n",
            "mulx {hi}, {lo}, rdx\n",
            "adcx {t2}, {t2}\n",
            "adox {t2}, {lo}\n",
            "adcx {t3}, {t3}\n",
            "adox {t3}, {hi}\n",
            "mov rdx, [{a} + 16]\n",
            "mulx {hi}, {lo}, rdx\n",
            "adcx {t4}, {t4}\n",
            "adox {t4}, {lo}\n",
            "adcx {t5}, {t5}\n",
            "adox {t5}, {hi}\n",
            "mov rdx, [{a} + 24]\n",
            "mulx {hi}, {lo}, rdx\n",
            "adcx {t6}, {t6}\n",
            "adox {t6}, {lo}\n",
            "adcx {t7}, {t7}\n",
            "adox {t7}, {hi}\n",
        )
    };
}

/// Adds `t0 * p` to t0..t3, which makes t0 zero, and puts the new top limb there.
///
/// `t0 * p / 2^64` without the limb that vanishes is `t0 * (1 - 2^32 - 2^160 + 2^192)`. From t1
/// up, `t0 * (2^32 - 1)`, `t0 * 2^32` are taken off and t0 itself is the top limb: the sum is not
/// negative and below 2^256, so that nothing is carried out. rdx is 32.
macro_rules! reduce_limb {
    ($t0:literal, $t1:literal, $t2:literal, $t3:literal) => {
        concat!(
            "shlx {lo}, {",
            $t0,
            "}, rdx\n",
            "shrx {hi}, {",
            $t0,
            "}, rdx\n",
            "mov {a}, {lo}\n",
            "mov {b}, {hi}\n",
            "sub {a}, {",
            $t0,
            "}\n",
            "sbb {b}, 0\n",
            "sub {",
            $t1,
            "}, {a}\n",
            "sbb {",
            $t2,
            "}, {b}\n",
            "sbb {",
            $t3,
            "}, {lo}\n",
            "sbb {",
            $t0,
            "}, {hi}\n",
        )
    };
}

/// Reduces t0..t7, below p^2 or 2^256 p, to t4..t7.
macro_rules! reduce {
    () => {
        concat!(
            "mov edx, 32\n",
            reduce_limb!("t0", "t1", "t2", "t3"),
            reduce_limb!("t1", "t2", "t3", "t0"),
            reduce_limb!("t2", "t3", "t0", "t1"),
            reduce_limb!("t3", "t0", "t1", "t2"),
            "xor {lo:e}, {lo:e}\n",
            "add {t4}, {t0}\n",
            "adc {t5}, {t1}\n",
            "adc {t6}, {t2}\n",
            "adc {t7}, {t3}\n",
            "adc {lo}, 0\n",
            subtract_p!("t4", "t5", "t6", "t7", "lo", "t0", "t1", "t2", "t3", "a", "b"),
        )
    };
}

/// Takes p off unless the number, r0..r3 and its carry, is below p. s0..s3 are copies; p1 and p3
/// take limbs of p.
macro_rules! subtract_p {
    ($r0:literal, $r1:literal, $r2:literal, $r3:literal, $carry:literal,
     $s0:literal, $s1:literal, $s2:literal, $s3:literal, $p1:literal, $p3:literal) => {
        concat!(
            "mov {",
            $p1,
            "}, {limb1}\n",
            "lea {",
            $p3,
            "}, [{",
            $p1,
            "} - 1]\n",
            "mov {",
            $s0,
            "}, {",
            $r0,
            "}\n",
            "mov {",
            $s1,
            "}, {",
            $r1,
            "}\n",
            "mov {",
            $s2,
            "}, {",
            $r2,
            "}\n",
            "mov {",
            $s3,
            "}, {",
            $r3,
            "}\n",
            "sub {",
            $r0,
            "}, -1\n",
            "sbb {",
            $r1,
            "}, {",
            $p1,
            "}\n",
            "sbb {",
            $r2,
            "}, -1\n",
            "sbb {",
            $r3,
            "}, {",
            $p3,
            "}\n",
            "sbb {",
            $carry,
            "}, 0\n",
            "cmovc {",
            $r0,
            "}, {",
            $s0,
            "}\n",
            "cmovc {",
            $r1,
            "}, {",
            $s1,
            "}\n",
            "cmovc {",
            $r2,
            "}, {",
            $s2,
            "}\n",
            "cmovc {",
            $r3,
            "}, {",
            $s3,
            "}\n",
        )
    };
}

/// Sets p1 and p3 to the limbs of p where the mask is ones, else to zero.
macro_rules! masked_p {
    () => {
        concat!("mov {p1}, {mask}\n", "shl {p1}, 32\n", "lea {p3}, [{p1} + {mask}]\n",)
    };
}

impl Arithmetic for Adx {
    #[inline]
    fn mul(a: &Fe, b: &Fe) -> Fe {
        let (r0, r1, r2, r3): (u64, u64, u64, u64);
        // SAFETY: reads the four limbs behind `a` and `b` and writes registers only. The CPU has
        // BMI2 and ADX, or this back-end would not have been chosen.
        unsafe {
            asm!(
                product!(),
                reduce!(),
                a = inout(reg) a.0.as_ptr() => _,
                b = inout(reg) b.0.as_ptr() => _,
                t0 = out(reg) _,
                t1 = out(reg) _,
                t2 = out(reg) _,
                t3 = out(reg) _,
                t4 = out(reg) r0,
                t5 = out(reg) r1,
                t6 = out(reg) r2,
                t7 = out(reg) r3,
                lo = out(reg) _,
                hi = out(reg) _,
                limb1 = const P[1],
                out("rdx") _,
                options(pure, readonly, nostack),
            );
        }
        Fe([r0, r1, r2, r3])
    }

    #[inline]
    fn sqr(a: &Fe) -> Fe {
        let (r0, r1, r2, r3): (u64, u64, u64, u64);
        // SAFETY: as in `mul`.
        unsafe {
            asm!(
                square!(),
                reduce!(),
                a = inout(reg) a.0.as_ptr() => _,
                b = out(reg) _,
                t0 = out(reg) _,
                t1 = out(reg) _,
                t2 = out(reg) _,
                t3 = out(reg) _,
                t4 = out(reg) r0,
                t5 = out(reg) r1,
                t6 = out(reg) r2,
                t7 = out(reg) r3,
                lo = out(reg) _,
                hi = out(reg) _,
                limb1 = const P[1],
                out("rdx") _,
                options(pure, readonly, nostack),
            );
        }
        Fe([r0, r1, r2, r3])
    }

    #[inline]
    fn mul_sum(factor: &Fe, a: &Fe, b: &Fe) -> Fe {
        // One factor may be anything below 2^256: the product is then below 2^256 p.
        Self::mul(&add_loosely(a, b), factor)
    }

    #[inline]
    fn mul_sub(a: &Fe, b: &Fe, c: &Fe, d: &Fe) -> Fe {
        mul_sub_wide(a, b, &wide_product(c, d))
    }

    #[inline]
    fn mul_sub_sqr(a: &Fe, b: &Fe, c: &Fe) -> Fe {
        mul_sub_wide(a, b, &wide_square(c))
    }

    #[inline]
    fn add(a: &Fe, b: &Fe) -> Fe {
        let [mut r0, mut r1, mut r2, mut r3] = a.0;
        // SAFETY: reads the four limbs behind `b` and writes registers only.
        unsafe {
            asm!(
                "xor {carry:e}, {carry:e}",
                "add {r0}, [{b}]",
                "adc {r1}, [{b} + 8]",
                "adc {r2}, [{b} + 16]",
                "adc {r3}, [{b} + 24]",
                "adc {carry}, 0",
                subtract_p!("r0", "r1", "r2", "r3", "carry", "s0", "s1", "s2", "s3", "p1", "b"),
                b = inout(reg) b.0.as_ptr() => _,
                r0 = inout(reg) r0,
                r1 = inout(reg) r1,
                r2 = inout(reg) r2,
                r3 = inout(reg) r3,
                s0 = out(reg) _,
                s1 = out(reg) _,
                s2 = out(reg) _,
                s3 = out(reg) _,
                carry = out(reg) _,
                p1 = out(reg) _,
                limb1 = const P[1],
                options(pure, readonly, nostack),
            );
        }
        Fe([r0, r1, r2, r3])
    }

    #[inline]
    fn sub(a: &Fe, b: &Fe) -> Fe {
        let [mut r0, mut r1, mut r2, mut r3] = a.0;
        // SAFETY: reads the four limbs behind `b` and writes registers only.
        unsafe {
            asm!(
                "sub {r0}, [{b}]",
                "sbb {r1}, [{b} + 8]",
                "sbb {r2}, [{b} + 16]",
                "sbb {r3}, [{b} + 24]",
                "sbb {mask}, {mask}",
                masked_p!(),
                "add {r0}, {mask}",
                "adc {r1}, {p1}",
                "adc {r2}, {mask}",
                "adc {r3}, {p3}",
                b = in(reg) b.0.as_ptr(),
                r0 = inout(reg) r0,
                r1 = inout(reg) r1,
                r2 = inout(reg) r2,
                r3 = inout(reg) r3,
                mask = out(reg) _,
                p1 = out(reg) _,
                p3 = out(reg) _,
                options(pure, readonly, nostack),
            );
        }
        Fe([r0, r1, r2, r3])
    }

    #[inline]
    fn half(a: &Fe) -> Fe {
        let [mut r0, mut r1, mut r2, mut r3] = a.0;
        // SAFETY: writes registers only.
        unsafe {
            asm!(
                "mov {mask}, {r0}",
                "and {mask:e}, 1",
                "neg {mask}",
                masked_p!(),
                "add {r0}, {mask}",
                "adc {r1}, {p1}",
                "adc {r2}, {mask}",
                "adc {r3}, {p3}",
                "rcr {r3}, 1",
                "rcr {r2}, 1",
                "rcr {r1}, 1",
                "rcr {r0}, 1",
                r0 = inout(reg) r0,
                r1 = inout(reg) r1,
                r2 = inout(reg) r2,
                r3 = inout(reg) r3,
                mask = out(reg) _,
                p1 = out(reg) _,
                p3 = out(reg) _,
                options(pure, nomem, nostack),
            );
        }
        Fe([r0, r1, r2, r3])
    }

    /// Conditional moves: a step waits for four instructions after each other.
    #[inline]
    fn division_steps(counter: &mut i64, f: i64, g: i64) -> (i64, i64) {
        let (mut f, mut g) = (f, g);
        for _ in 0..STEPS {
            // SAFETY: touches registers only.
            unsafe {
                asm!(
                    // What g becomes before it is halved, f, and the counter, if g is odd.
                    "mov {difference}, {g}",
                    "sub {difference}, {f}",
                    "lea {sum}, [{g} + {f}]",
                    "mov {next_f}, {f}",
                    "mov {next_counter}, {counter}",
                    "not {next_counter}",
                    "test {counter}, {counter}",
                    "cmovs {sum}, {difference}",
                    "cmovs {next_f}, {g}",
                    "cmovns {next_counter}, {counter}",
                    // If it is.
                    "test {g:l}, 1",
                    "cmovnz {f}, {next_f}",
                    "cmovnz {counter}, {next_counter}",
                    "cmovnz {g}, {sum}",
                    "sar {g}, 1",
                    "dec {counter}",
                    f = inout(reg) f,
                    g = inout(reg) g,
                    counter = inout(reg) *counter,
                    sum = out(reg) _,
                    difference = out(reg) _,
                    next_f = out(reg) _,
                    next_counter = out(reg) _,
                    options(pure, nomem, nostack),
                );
            }
        }
        (f, g)
    }

    #[inline]
    fn look_up<const N: usize, const ENTRIES: usize>(
        table: &[[Fe; N]; ENTRIES],
        index: u64,
    ) -> [Fe; N] {
        // SAFETY: the CPU has AVX2, or this back-end would not have been chosen.
        unsafe { look_up(table, index) }
    }
}

/// The product, not reduced.
#[inline(always)]
fn wide_product(a: &Fe, b: &Fe) -> [u64; 8] {
    let (t0, t1, t2, t3): (u64, u64, u64, u64);
    let (t4, t5, t6, t7): (u64, u64, u64, u64);
    // SAFETY: as in `mul`.
    unsafe {
        asm!(
            product!(),
            a = in(reg) a.0.as_ptr(),
            b = inout(reg) b.0.as_ptr() => _,
            t0 = out(reg) t0,
            t1 = out(reg) t1,
            t2 = out(reg) t2,
            t3 = out(reg) t3,
            t4 = out(reg) t4,
            t5 = out(reg) t5,
            t6 = out(reg) t6,
            t7 = out(reg) t7,
            lo = out(reg) _,
            hi = out(reg) _,
            out("rdx") _,
            options(pure, readonly, nostack),
        );
    }
    [t0, t1, t2, t3, t4, t5, t6, t7]
}

/// The square, not reduced.
#[inline(always)]
fn wide_square(a: &Fe) -> [u64; 8] {
    let (t0, t1, t2, t3): (u64, u64, u64, u64);
    let (t4, t5, t6, t7): (u64, u64, u64, u64);
    // SAFETY: as in `mul`.
    unsafe {
        asm!(
            square!(),
            a = in(reg) a.0.as_ptr(),
            t0 = out(reg) t0,
            t1 = out(reg) t1,
            t2 = out(reg) t2,
            t3 = out(reg) t3,
            t4 = out(reg) t4,
            t5 = out(reg) t5,
            t6 = out(reg) t6,
            t7 = out(reg) t7,
            lo = out(reg) _,
            hi = out(reg) _,
            out("rdx") _,
            options(pure, readonly, nostack),
        );
    }
    [t0, t1, t2, t3, t4, t5, t6, t7]
}

/// The product less another that is not yet reduced, both below p^2: one reduction for both.
#[inline(always)]
fn mul_sub_wide(a: &Fe, b: &Fe, subtrahend: &[u64; 8]) -> Fe {
    let (r0, r1, r2, r3): (u64, u64, u64, u64);
    // SAFETY: as in `mul`; reads the eight limbs of `subtrahend` too. Its address waits in a vector
    // register until a general one is free.
    unsafe {
        asm!(
            product!(),
            "movq {a}, {subtrahend}",
            "sub {t0}, [{a}]",
            "sbb {t1}, [{a} + 8]",
            "sbb {t2}, [{a} + 16]",
            "sbb {t3}, [{a} + 24]",
            "sbb {t4}, [{a} + 32]",
            "sbb {t5}, [{a} + 40]",
            "sbb {t6}, [{a} + 48]",
            "sbb {t7}, [{a} + 56]",
            // 2^256 p more if that is negative.
            "sbb {a}, {a}",
            "mov {lo}, {a}",
            "shl {lo}, 32",
            "lea {hi}, [{lo} + {a}]",
            "add {t4}, {a}",
            "adc {t5}, {lo}",
            "adc {t6}, {a}",
            "adc {t7}, {hi}",
            reduce!(),
            subtrahend = in(xmm_reg) subtrahend.as_ptr() as i64,
            a = inout(reg) a.0.as_ptr() => _,
            b = inout(reg) b.0.as_ptr() => _,
            t0 = out(reg) _,
            t1 = out(reg) _,
            t2 = out(reg) _,
            t3 = out(reg) _,
            t4 = out(reg) r0,
            t5 = out(reg) r1,
            t6 = out(reg) r2,
            t7 = out(reg) r3,
            lo = out(reg) _,
            hi = out(reg) _,
            limb1 = const P[1],
            out("rdx") _,
            options(pure, readonly, nostack),
        );
    }
    Fe([r0, r1, r2, r3])
}

/// A number below 2^256 that is the sum modulo p, though not always the lowest.
#[inline(always)]
fn add_loosely(a: &Fe, b: &Fe) -> Fe {
    let [mut r0, mut r1, mut r2, mut r3] = a.0;
    // SAFETY: reads the four limbs behind `b` and writes registers only.
    unsafe {
        asm!(
            "add {r0}, [{b}]",
            "adc {r1}, [{b} + 8]",
            "adc {r2}, [{b} + 16]",
            "adc {r3}, [{b} + 24]",
            "sbb {mask}, {mask}",
            masked_p!(),
            "sub {r0}, {mask}",
            "sbb {r1}, {p1}",
            "sbb {r2}, {mask}",
            "sbb {r3}, {p3}",
            b = in(reg) b.0.as_ptr(),
            r0 = inout(reg) r0,
            r1 = inout(reg) r1,
            r2 = inout(reg) r2,
            r3 = inout(reg) r3,
            mask = out(reg) _,
            p1 = out(reg) _,
            p3 = out(reg) _,
            options(pure, readonly, nostack),
        );
    }
    Fe([r0, r1, r2, r3])
}

/// Reads every entry and keeps the one wanted, choosing between two by each bit of the index.
#[target_feature(enable = "avx2")]
fn look_up<const N: usize, const ENTRIES: usize>(
    table: &[[Fe; N]; ENTRIES],
    index: u64,
) -> [Fe; N] {
    const { assert!(ENTRIES == 16 || ENTRIES == 32) };
    // A compiler that knew what the masks are could make branches of them.
    let masks: [__m256i; 5] = core::array::from_fn(|bit| {
        let mask = (index >> bit & 1).wrapping_neg();
        _mm256_set1_epi64x(black_box(mask) as i64)
    });
    let (eights, _) = table.as_chunks::<8>();
    core::array::from_fn(|part| {
        let of_sixteen = |first: usize| {
            let low = of_eight(&eights[first], part, &masks);
            let high = of_eight(&eights[first + 1], part, &masks);
            _mm256_blendv_epi8(low, high, masks[3])
        };
        let mut lanes = of_sixteen(0);
        if ENTRIES == 32 {
            lanes = _mm256_blendv_epi8(lanes, of_sixteen(2), masks[4]);
        }
        let mut limbs = [0; 4];
        // SAFETY: `limbs` is 32 writable bytes; the store asks for no alignment.
        unsafe { _mm256_storeu_si256((&raw mut limbs).cast(), lanes) };
        Fe(limbs)
    })
}

#[target_feature(enable = "avx2")]
#[inline]
fn of_eight<const N: usize>(entries: &[[Fe; N]; 8], part: usize, masks: &[__m256i; 5]) -> __m256i {
    let load = |number: usize| {
        let limbs = &raw const entries[number][part].0;
        // SAFETY: 32 readable bytes; the load asks for no alignment.
        unsafe { _mm256_loadu_si256(limbs.cast()) }
    };
    let of_two = |first: usize| _mm256_blendv_epi8(load(first), load(first + 1), masks[0]);
    let of_four = |first: usize| _mm256_blendv_epi8(of_two(first), of_two(first + 2), masks[1]);
    _mm256_blendv_epi8(of_four(0), of_four(4), masks[2])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cpu::Backend;
    use crate::sm2::field::Portable;
    use crate::sm2::limbs::{self, Limbs};

    /// Limbs that carry: all ones, all zeros, one off either, the limbs of p, or anything.
    fn limb() -> impl Strategy<Value = u64> {
        prop_oneof![
            Just(0),
            Just(1),
            Just(u64::MAX),
            Just(u64::MAX - 1),
            Just(P[1]),
            Just(P[3]),
            Just(P[3] - 1),
            Just(1 << 32),
            Just((1 << 32) - 1),
            any::<u64>(),
        ]
    }

    fn element() -> impl Strategy<Value = Fe> {
        [limb(), limb(), limb(), limb()]
            .prop_map(|limbs: Limbs| Fe(limbs::reduce_once(&limbs, 0, &P)))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn agrees_with_portable(a in element(), b in element(), c in element(), d in element()) {
            if Backend::X86_64.is_available() {
                prop_assert_eq!(Adx::mul(&a, &b).0, Portable::mul(&a, &b).0);
                prop_assert_eq!(Adx::sqr(&a).0, Portable::mul(&a, &a).0);
                prop_assert_eq!(Adx::add(&a, &b).0, Portable::add(&a, &b).0);
                prop_assert_eq!(Adx::sub(&a, &b).0, Portable::sub(&a, &b).0);
                prop_assert_eq!(Adx::half(&a).0, Portable::half(&a).0);
                prop_assert_eq!(Adx::mul_sum(&a, &b, &c).0, Portable::mul_sum(&a, &b, &c).0);
                let (ours, portable) = (Adx::mul_sub(&a, &b, &c, &d), Portable::mul_sub(&a, &b, &c, &d));
                prop_assert_eq!(ours.0, portable.0);
                prop_assert_eq!(Adx::mul_sub_sqr(&a, &b, &c).0, Portable::mul_sub_sqr(&a, &b, &c).0);
                let values = [
                    Adx::mul(&a, &b),
                    Adx::sqr(&a),
                    Adx::add(&a, &b),
                    Adx::sub(&a, &b),
                    Adx::half(&a),
                    Adx::mul_sum(&a, &b, &c),
                    Adx::mul_sub(&a, &b, &c, &d),
                    Adx::mul_sub_sqr(&a, &b, &c),
                ];
                for value in values {
                    prop_assert_eq!(limbs::is_less(&value.0, &P), u64::MAX);
                }
            }
        }

        #[test]
        fn looks_up_what_portable_does(table: [[Limbs; 3]; 16], index in 0u64..16) {
            if Backend::X86_64.is_available() {
                let table = table.map(|entry| entry.map(Fe));
                let found = Adx::look_up(&table, index).map(|fe| fe.0);
                prop_assert_eq!(found, Portable::look_up(&table, index).map(|fe| fe.0));
                prop_assert_eq!(found, table[index as usize].map(|fe| fe.0));
            }
        }
    }
}
