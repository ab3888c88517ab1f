//! x86-64 with BMI2, ADX and AVX2: products in MULX and two carry chains, look-ups in 256-bit lanes.
//!
//! The instructions have no branches and touch no memory but their operands.

use core::arch::asm;
use core::arch::x86_64::{
    __m256i, _mm256_add_epi64, _mm256_and_si256, _mm256_cmpeq_epi64, _mm256_loadu_si256,
    _mm256_or_si256, _mm256_set1_epi64x, _mm256_setzero_si256, _mm256_storeu_si256,
};

use crate::sm2::field::{Arithmetic, Fe, P};

/// Arithmetic with MULX, ADCX and ADOX. To be used only where [`crate::cpu`] has chosen x86-64.
pub struct Adx;

/// Adds `t0 * p` to t0..t4 and drops t0, which becomes zero; the carry goes to `top`.
///
/// `t0 * p / 2^64` without the limb that vanishes is `t0 * (1 - 2^32 - 2^160 + 2^192)`.
macro_rules! reduce_limb {
    ($t0:literal, $t1:literal, $t2:literal, $t3:literal, $t4:literal, $top:literal) => {
        concat!(
            "shlx {lo}, {",
            $t0,
            "}, {c32}\n",
            "shrx {hi}, {",
            $t0,
            "}, {c32}\n",
            "mov rdx, {",
            $t0,
            "}\n",
            "sub {",
            $t1,
            "}, {lo}\n",
            "sbb {",
            $t2,
            "}, {hi}\n",
            "sbb {",
            $t3,
            "}, {lo}\n",
            "sbb rdx, {hi}\n",
            "add {",
            $t1,
            "}, {",
            $t0,
            "}\n",
            "adc {",
            $t2,
            "}, 0\n",
            "adc {",
            $t3,
            "}, 0\n",
            "adc {",
            $t4,
            "}, rdx\n",
            "adc {",
            $top,
            "}, 0\n",
        )
    };
}

/// Adds `a * b[offset]` to t0..t4; `top` is set to the carry.
macro_rules! multiply_limb {
    ($offset:literal, $t0:literal, $t1:literal, $t2:literal, $t3:literal, $t4:literal, $top:literal) => {
        concat!(
            "mov rdx, [{b} + ",
            $offset,
            "]\n",
            "xor {",
            $top,
            ":e}, {",
            $top,
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
            "mulx {hi}, {lo}, [{a} + 24]\n",
            "adcx {",
            $t3,
            "}, {lo}\n",
            "adox {",
            $t4,
            "}, {hi}\n",
            "mov {lo:e}, 0\n",
            "adcx {",
            $t4,
            "}, {lo}\n",
            "adox {",
            $top,
            "}, {lo}\n",
            "adc {",
            $top,
            "}, 0\n",
        )
    };
}

/// Adds `t0 * p` to t0..t3, drops t0, which becomes zero, and puts the new top limb there.
macro_rules! reduce_limb_alone {
    ($t0:literal, $t1:literal, $t2:literal, $t3:literal) => {
        concat!(
            "shlx {lo}, {",
            $t0,
            "}, {a}\n",
            "shrx {hi}, {",
            $t0,
            "}, {a}\n",
            "mov rdx, {",
            $t0,
            "}\n",
            "sub {",
            $t1,
            "}, {lo}\n",
            "sbb {",
            $t2,
            "}, {hi}\n",
            "sbb {",
            $t3,
            "}, {lo}\n",
            "sbb rdx, {hi}\n",
            "add {",
            $t1,
            "}, {",
            $t0,
            "}\n",
            "adc {",
            $t2,
            "}, 0\n",
            "adc {",
            $t3,
            "}, 0\n",
            "adc rdx, 0\n",
            "mov {",
            $t0,
            "}, rdx\n",
        )
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
                "mov rdx, [{b}]",
                "mulx {t1}, {t0}, [{a}]",
                "mulx {t2}, {lo}, [{a} + 8]",
                "add {t1}, {lo}",
                "mulx {t3}, {lo}, [{a} + 16]",
                "adc {t2}, {lo}",
                "mulx {t4}, {lo}, [{a} + 24]",
                "adc {t3}, {lo}",
                "adc {t4}, 0",
                "xor {t5:e}, {t5:e}",
                reduce_limb!("t0", "t1", "t2", "t3", "t4", "t5"),
                multiply_limb!("8", "t1", "t2", "t3", "t4", "t5", "t0"),
                reduce_limb!("t1", "t2", "t3", "t4", "t5", "t0"),
                multiply_limb!("16", "t2", "t3", "t4", "t5", "t0", "t1"),
                reduce_limb!("t2", "t3", "t4", "t5", "t0", "t1"),
                multiply_limb!("24", "t3", "t4", "t5", "t0", "t1", "t2"),
                reduce_limb!("t3", "t4", "t5", "t0", "t1", "t2"),
                // The product is t4, t5, t0, t1 and t2 as the carry; a and b are free now.
                "mov {c32}, {p1}",
                "mov rdx, {p3}",
                "mov {lo}, {t4}",
                "mov {hi}, {t5}",
                "mov {a}, {t0}",
                "mov {b}, {t1}",
                "sub {t4}, -1",
                "sbb {t5}, {c32}",
                "sbb {t0}, -1",
                "sbb {t1}, rdx",
                "sbb {t2}, 0",
                "cmovc {t4}, {lo}",
                "cmovc {t5}, {hi}",
                "cmovc {t0}, {a}",
                "cmovc {t1}, {b}",
                a = inout(reg) a.0.as_ptr() => _,
                b = inout(reg) b.0.as_ptr() => _,
                t0 = out(reg) r2,
                t1 = out(reg) r3,
                t2 = out(reg) _,
                t3 = out(reg) _,
                t4 = out(reg) r0,
                t5 = out(reg) r1,
                lo = out(reg) _,
                hi = out(reg) _,
                c32 = inout(reg) 32u64 => _,
                p1 = const P[1],
                p3 = const P[3],
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
                // The products of different limbs, t1..t6.
                "mov rdx, [{a}]",
                "mulx {t2}, {t1}, [{a} + 8]",
                "mulx {t3}, {lo}, [{a} + 16]",
                "add {t2}, {lo}",
                "mulx {t4}, {lo}, [{a} + 24]",
                "adc {t3}, {lo}",
                "adc {t4}, 0",
                "mov rdx, [{a} + 8]",
                "xor {t5:e}, {t5:e}",
                "mulx {hi}, {lo}, [{a} + 16]",
                "adcx {t3}, {lo}",
                "adox {t4}, {hi}",
                "mulx {hi}, {lo}, [{a} + 24]",
                "adcx {t4}, {lo}",
                "adox {t5}, {hi}",
                "adc {t5}, 0",
                "mov rdx, [{a} + 16]",
                "mulx {t6}, {lo}, [{a} + 24]",
                "add {t5}, {lo}",
                "adc {t6}, 0",
                // Twice that, plus the squares of the limbs.
                "xor {t7:e}, {t7:e}",
                "mov rdx, [{a}]",
                "mulx {hi}, {t0}, rdx",
                "adcx {t1}, {t1}",
                "adox {t1}, {hi}",
                "mov rdx, [{a} + 8]",
                "mulx {hi}, {lo}, rdx",
                "adcx {t2}, {t2}",
                "adox {t2}, {lo}",
                "adcx {t3}, {t3}",
                "adox {t3}, {hi}",
                "mov rdx, [{a} + 16]",
                "mulx {hi}, {lo}, rdx",
                "adcx {t4}, {t4}",
                "adox {t4}, {lo}",
                "adcx {t5}, {t5}",
                "adox {t5}, {hi}",
                "mov rdx, [{a} + 24]",
                "mulx {hi}, {lo}, rdx",
                "adcx {t6}, {t6}",
                "adox {t6}, {lo}",
                "adcx {t7}, {t7}",
                "adox {t7}, {hi}",
                // The lower half reduced, limb by limb: t0..t3.
                "mov {a:e}, 32",
                reduce_limb_alone!("t0", "t1", "t2", "t3"),
                reduce_limb_alone!("t1", "t2", "t3", "t0"),
                reduce_limb_alone!("t2", "t3", "t0", "t1"),
                reduce_limb_alone!("t3", "t0", "t1", "t2"),
                "xor {hi:e}, {hi:e}",
                "add {t0}, {t4}",
                "adc {t1}, {t5}",
                "adc {t2}, {t6}",
                "adc {t3}, {t7}",
                "adc {hi}, 0",
                "mov {lo}, {p1}",
                "mov rdx, {p3}",
                "mov {t4}, {t0}",
                "mov {t5}, {t1}",
                "mov {t6}, {t2}",
                "mov {t7}, {t3}",
                "sub {t0}, -1",
                "sbb {t1}, {lo}",
                "sbb {t2}, -1",
                "sbb {t3}, rdx",
                "sbb {hi}, 0",
                "cmovc {t0}, {t4}",
                "cmovc {t1}, {t5}",
                "cmovc {t2}, {t6}",
                "cmovc {t3}, {t7}",
                a = inout(reg) a.0.as_ptr() => _,
                t0 = out(reg) r0,
                t1 = out(reg) r1,
                t2 = out(reg) r2,
                t3 = out(reg) r3,
                t4 = out(reg) _,
                t5 = out(reg) _,
                t6 = out(reg) _,
                t7 = out(reg) _,
                lo = out(reg) _,
                hi = out(reg) _,
                p1 = const P[1],
                p3 = const P[3],
                out("rdx") _,
                options(pure, readonly, nostack),
            );
        }
        Fe([r0, r1, r2, r3])
    }

    #[inline]
    fn add(a: &Fe, b: &Fe) -> Fe {
        let [mut r0, mut r1, mut r2, mut r3] = a.0;
        // SAFETY: reads the four limbs behind `b` and writes registers only.
        unsafe {
            asm!(
                "add {t0}, [{b}]",
                "adc {t1}, [{b} + 8]",
                "adc {t2}, [{b} + 16]",
                "adc {t3}, [{b} + 24]",
                "mov {top:e}, 0",
                "adc {top}, 0",
                "mov {s0}, {t0}",
                "mov {s1}, {t1}",
                "mov {s2}, {t2}",
                "mov {s3}, {t3}",
                "sub {t0}, -1",
                "sbb {t1}, {p1}",
                "sbb {t2}, -1",
                "sbb {t3}, {p3}",
                "sbb {top}, 0",
                "cmovc {t0}, {s0}",
                "cmovc {t1}, {s1}",
                "cmovc {t2}, {s2}",
                "cmovc {t3}, {s3}",
                b = in(reg) b.0.as_ptr(),
                t0 = inout(reg) r0,
                t1 = inout(reg) r1,
                t2 = inout(reg) r2,
                t3 = inout(reg) r3,
                s0 = out(reg) _,
                s1 = out(reg) _,
                s2 = out(reg) _,
                s3 = out(reg) _,
                top = out(reg) _,
                p1 = in(reg) P[1],
                p3 = in(reg) P[3],
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
                "sub {t0}, [{b}]",
                "sbb {t1}, [{b} + 8]",
                "sbb {t2}, [{b} + 16]",
                "sbb {t3}, [{b} + 24]",
                "sbb {mask}, {mask}",
                "and {p1}, {mask}",
                "and {p3}, {mask}",
                "add {t0}, {mask}",
                "adc {t1}, {p1}",
                "adc {t2}, {mask}",
                "adc {t3}, {p3}",
                b = in(reg) b.0.as_ptr(),
                t0 = inout(reg) r0,
                t1 = inout(reg) r1,
                t2 = inout(reg) r2,
                t3 = inout(reg) r3,
                mask = out(reg) _,
                p1 = inout(reg) P[1] => _,
                p3 = inout(reg) P[3] => _,
                options(pure, readonly, nostack),
            );
        }
        Fe([r0, r1, r2, r3])
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

/// Reads every entry and keeps the one wanted.
#[target_feature(enable = "avx2")]
fn look_up<const N: usize, const ENTRIES: usize>(
    table: &[[Fe; N]; ENTRIES],
    index: u64,
) -> [Fe; N] {
    let wanted = _mm256_set1_epi64x(index as i64);
    let one = _mm256_set1_epi64x(1);
    let mut number = one;
    let mut found = [_mm256_setzero_si256(); N];
    for entry in table {
        let mask = _mm256_cmpeq_epi64(number, wanted);
        number = _mm256_add_epi64(number, one);
        for (kept, candidate) in found.iter_mut().zip(entry) {
            // SAFETY: `candidate` is 32 readable bytes; the load asks for no alignment.
            let limbs = unsafe { _mm256_loadu_si256((&raw const candidate.0).cast()) };
            *kept = _mm256_or_si256(*kept, _mm256_and_si256(limbs, mask));
        }
    }
    found.map(|lanes: __m256i| {
        let mut limbs = [0; 4];
        // SAFETY: `limbs` is 32 writable bytes; the store asks for no alignment.
        unsafe { _mm256_storeu_si256((&raw mut limbs).cast(), lanes) };
        Fe(limbs)
    })
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
        fn agrees_with_portable(a in element(), b in element()) {
            if Backend::X86_64.is_available() {
                prop_assert_eq!(Adx::mul(&a, &b).0, Portable::mul(&a, &b).0);
                prop_assert_eq!(Adx::sqr(&a).0, Portable::mul(&a, &a).0);
                prop_assert_eq!(Adx::add(&a, &b).0, Portable::add(&a, &b).0);
                prop_assert_eq!(Adx::sub(&a, &b).0, Portable::sub(&a, &b).0);
                for value in [Adx::mul(&a, &b), Adx::sqr(&a), Adx::add(&a, &b), Adx::sub(&a, &b)] {
                    prop_assert_eq!(limbs::is_less(&value.0, &P), u64::MAX);
                }
            }
        }

        #[test]
        fn looks_up_what_portable_does(table: [[Limbs; 3]; 16], index in 0u64..=16) {
            if Backend::X86_64.is_available() {
                let table = table.map(|entry| entry.map(Fe));
                let found = Adx::look_up(&table, index).map(|fe| fe.0);
                prop_assert_eq!(found, Portable::look_up(&table, index).map(|fe| fe.0));
                let expected = (index as usize).checked_sub(1).map(|i| table[i].map(|fe| fe.0));
                prop_assert_eq!(found, expected.unwrap_or([[0; 4]; 3]));
            }
        }
    }
}
