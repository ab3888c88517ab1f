//! The prime field of the curve, in Montgomery form (R = 2^256).
//!
//! `p = 2^256 - 2^224 - 2^96 + 2^64 - 1` is -1 modulo 2^64, so that the Montgomery factor of each
//! step is the lowest limb itself, and the multiple of `p` is made of shifts: the reduction needs no
//! multiplication. Every element is fully reduced after every operation.

use zeroize::Zeroize;

use super::inverse::{self, Modulus};
use super::limbs::{self, Limbs, adc, mac, sbb};

/// p
pub const P: Limbs =
    [0xffff_ffff_ffff_ffff, 0xffff_ffff_0000_0000, 0xffff_ffff_ffff_ffff, 0xffff_fffe_ffff_ffff];
/// R^2 mod p
const R2: Fe = Fe([
    0x0000_0002_0000_0003,
    0x0000_0002_ffff_ffff,
    0x0000_0001_0000_0001,
    0x0000_0004_0000_0002,
]);

/// An element of the field, in Montgomery form, below p.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fe(pub Limbs);

/// The operations that each back-end does in its own way. All are free of secret-dependent time.
pub trait Arithmetic {
    /// The Montgomery product.
    fn mul(a: &Fe, b: &Fe) -> Fe;
    /// The Montgomery square.
    fn sqr(a: &Fe) -> Fe;
    /// The sum.
    #[inline(always)]
    fn add(a: &Fe, b: &Fe) -> Fe {
        Fe(limbs::add_mod(&a.0, &b.0, &P))
    }
    /// The difference.
    #[inline(always)]
    fn sub(a: &Fe, b: &Fe) -> Fe {
        Fe(limbs::sub_mod(&a.0, &b.0, &P))
    }
    /// `factor * (a + b)`.
    #[inline(always)]
    fn mul_sum(factor: &Fe, a: &Fe, b: &Fe) -> Fe {
        Self::mul(factor, &Self::add(a, b))
    }
    /// `a b - c d`.
    #[inline(always)]
    fn mul_sub(a: &Fe, b: &Fe, c: &Fe, d: &Fe) -> Fe {
        Self::sub(&Self::mul(a, b), &Self::mul(c, d))
    }
    /// `a b - c^2`.
    #[inline(always)]
    fn mul_sub_sqr(a: &Fe, b: &Fe, c: &Fe) -> Fe {
        Self::sub(&Self::mul(a, b), &Self::sqr(c))
    }
    /// The half.
    #[inline(always)]
    fn half(a: &Fe) -> Fe {
        Fe(limbs::half_mod(&a.0, &P))
    }
    /// [`inverse::division_steps`].
    #[inline(always)]
    fn division_steps(counter: &mut i64, f: i64, g: i64) -> (i64, i64) {
        inverse::division_steps(counter, f, g)
    }
    /// That entry of a table; every entry is read.
    fn look_up<const N: usize, const ENTRIES: usize>(
        table: &[[Fe; N]; ENTRIES],
        index: u64,
    ) -> [Fe; N];
}

/// Plain Rust with 128-bit products.
pub struct Portable;

impl Arithmetic for Portable {
    #[inline]
    fn mul(a: &Fe, b: &Fe) -> Fe {
        let (a, b) = (&a.0, &b.0);
        let mut t = [0u64; 5];
        for &factor in b {
            let (t0, carry) = mac(t[0], a[0], factor, 0);
            let (t1, carry) = mac(t[1], a[1], factor, carry);
            let (t2, carry) = mac(t[2], a[2], factor, carry);
            let (t3, carry) = mac(t[3], a[3], factor, carry);
            let (t4, t5) = adc(t[4], carry, 0);
            t = reduce_limb(t0, [t1, t2, t3, t4], t5);
        }
        Fe(limbs::reduce_once(&[t[0], t[1], t[2], t[3]], t[4], &P))
    }

    #[inline]
    fn sqr(a: &Fe) -> Fe {
        Self::mul(a, a)
    }

    #[inline]
    fn look_up<const N: usize, const ENTRIES: usize>(
        table: &[[Fe; N]; ENTRIES],
        index: u64,
    ) -> [Fe; N] {
        let mut found = [Fe::default(); N];
        for (number, entry) in (0..).zip(table) {
            let mask = crate::ct::mask_if_equal(number, index);
            for (limb, &candidate) in
                found.iter_mut().flat_map(|fe| &mut fe.0).zip(entry.iter().flat_map(|fe| &fe.0))
            {
                *limb |= candidate & mask;
            }
        }
        found
    }
}

/// Adds `lowest * p` to the number and drops the limb that has become zero.
#[inline(always)]
fn reduce_limb(lowest: u64, rest: Limbs, top: u64) -> [u64; 5] {
    // lowest * p / 2^64 without the limb that vanishes = lowest * (1 - 2^32 - 2^160 + 2^192)
    let (low, high) = (lowest << 32, lowest >> 32);
    let (t0, borrow) = sbb(rest[0], low, 0);
    let (t1, borrow) = sbb(rest[1], high, borrow);
    let (t2, borrow) = sbb(rest[2], low, borrow);
    let (upper, _) = sbb(lowest, high, borrow);
    let (t0, carry) = adc(t0, lowest, 0);
    let (t1, carry) = adc(t1, 0, carry);
    let (t2, carry) = adc(t2, 0, carry);
    let (t3, carry) = adc(rest[3], upper, carry);
    [t0, t1, t2, t3, top.wrapping_add(carry)]
}

impl Zeroize for Fe {
    fn zeroize(&mut self) {
        self.0.zeroize();
    }
}

impl Fe {
    /// 0
    pub const ZERO: Self = Self([0; 4]);
    /// 1, that is R mod p
    pub const ONE: Self = Self([1, 0xffff_ffff, 0, 0x1_0000_0000]);

    /// From a number below p; `None` otherwise.
    #[must_use]
    pub fn from_limbs<A: Arithmetic>(value: &Limbs) -> Option<Self> {
        (limbs::is_less(value, &P) != 0).then(|| A::mul(&Self(*value), &R2))
    }

    /// From 32 bytes, big-endian; `None` if not below p.
    #[must_use]
    pub fn from_bytes<A: Arithmetic>(bytes: &[u8; 32]) -> Option<Self> {
        Self::from_limbs::<A>(&limbs::from_bytes(bytes))
    }

    /// The number itself, below p.
    #[inline]
    #[must_use]
    pub fn to_limbs<A: Arithmetic>(&self) -> Limbs {
        A::mul(self, &Self([1, 0, 0, 0])).0
    }

    /// To 32 bytes, big-endian.
    #[must_use]
    pub fn to_bytes<A: Arithmetic>(&self) -> [u8; 32] {
        limbs::to_bytes(&self.to_limbs::<A>())
    }

    /// Ones if zero.
    #[inline(always)]
    #[must_use]
    pub fn is_zero(&self) -> u64 {
        limbs::is_zero(&self.0)
    }

    /// Ones if equal.
    #[inline(always)]
    #[must_use]
    pub fn is_equal(&self, other: &Self) -> u64 {
        limbs::is_equal(&self.0, &other.0)
    }

    /// `a` where the mask is ones, `b` where it is zeros.
    #[inline(always)]
    #[must_use]
    pub fn select(mask: u64, a: &Self, b: &Self) -> Self {
        Self(limbs::select(mask, &a.0, &b.0))
    }

    /// The inverse, zero for zero.
    #[must_use]
    pub fn invert<A: Arithmetic>(&self) -> Self {
        // Of a R comes R / a.
        const MODULUS: Modulus = Modulus::new(&P);
        Self(MODULUS.divide::<A>(&R2.0, &self.0))
    }

    /// A square root, `None` if there is none. Not for secrets: the answer is a branch.
    #[must_use]
    pub fn square_root<A: Arithmetic>(&self) -> Option<Self> {
        // (p + 1) / 4 = 2^254 - 2^222 - 2^94 + 2^62, as p = 3 mod 4
        let x1 = *self;
        let x2 = chain::<A>(&x1, 1, &x1);
        let x4 = chain::<A>(&x2, 2, &x2);
        let x8 = chain::<A>(&x4, 4, &x4);
        let x16 = chain::<A>(&x8, 8, &x8);
        let x24 = chain::<A>(&x16, 8, &x8);
        let x28 = chain::<A>(&x24, 4, &x4);
        let x30 = chain::<A>(&x28, 2, &x2);
        let x31 = chain::<A>(&x30, 1, &x1);
        let x32 = chain::<A>(&x31, 1, &x1);
        // 31 ones, a zero, 128 ones, 31 zeros, a one, 62 zeros
        let mut r = chain::<A>(&x31, 33, &x32);
        for _ in 0..3 {
            r = chain::<A>(&r, 32, &x32);
        }
        let r = square_times::<A>(&chain::<A>(&r, 32, &x1), 62);
        (A::sqr(&r).is_equal(self) != 0).then_some(r)
    }
}

#[inline]
fn square_times<A: Arithmetic>(a: &Fe, times: usize) -> Fe {
    let mut r = *a;
    for _ in 0..times {
        r = A::sqr(&r);
    }
    r
}

/// `a^(2^times) * b`
#[inline]
fn chain<A: Arithmetic>(a: &Fe, times: usize, b: &Fe) -> Fe {
    A::mul(&square_times::<A>(a, times), b)
}
