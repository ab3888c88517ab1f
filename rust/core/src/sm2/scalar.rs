//! Numbers modulo the order n of the curve. Values are plain; products go through Montgomery form.

use zeroize::Zeroize;

use super::inverse::Modulus;
use super::limbs::{self, Limbs, adc, mac};
use super::multiply::dispatch;

/// n
pub const N: Limbs =
    [0x53bb_f409_39d5_4123, 0x7203_df6b_21c6_052b, 0xffff_ffff_ffff_ffff, 0xffff_fffe_ffff_ffff];
/// -1/n mod 2^64
const N0: u64 = 0x327f_9e88_7235_0975;
/// R mod n
const R: Limbs = [0xac44_0bf6_c62a_bedd, 0x8dfc_2094_de39_fad4, 0, 0x0000_0001_0000_0000];
/// R^2 mod n
const R2: Scalar = Scalar([
    0x9011_92af_7c11_4f20,
    0x3464_504a_de6f_a2fa,
    0x620f_c84c_3aff_e0d4,
    0x1eb5_e412_a22b_3d3b,
]);

/// A number below n.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scalar(pub(super) Limbs);

impl Scalar {
    /// 1
    pub const ONE: Self = Self([1, 0, 0, 0]);

    /// From 32 bytes, big-endian; `None` if not below n.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; 32]) -> Option<Self> {
        let limbs = limbs::from_bytes(bytes);
        (limbs::is_less(&limbs, &N) != 0).then_some(Self(limbs))
    }

    /// From 32 bytes, big-endian, modulo n.
    #[must_use]
    pub fn reduced(bytes: &[u8; 32]) -> Self {
        Self::from_limbs_reduced(&limbs::from_bytes(bytes))
    }

    /// A 256-bit number modulo n: 2^256 < 2 n, so one subtraction is enough.
    #[must_use]
    pub fn from_limbs_reduced(limbs: &Limbs) -> Self {
        Self(limbs::reduce_once(limbs, 0, &N))
    }

    /// To 32 bytes, big-endian.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 32] {
        limbs::to_bytes(&self.0)
    }

    /// Ones if zero.
    #[must_use]
    pub fn is_zero(&self) -> u64 {
        limbs::is_zero(&self.0)
    }

    /// Ones if equal.
    #[must_use]
    pub fn is_equal(&self, other: &Self) -> u64 {
        limbs::is_equal(&self.0, &other.0)
    }

    /// The sum modulo n.
    #[must_use]
    pub fn add(&self, other: &Self) -> Self {
        Self(limbs::add_mod(&self.0, &other.0, &N))
    }

    /// The difference modulo n.
    #[must_use]
    pub fn sub(&self, other: &Self) -> Self {
        Self(limbs::sub_mod(&self.0, &other.0, &N))
    }

    /// The product modulo n.
    #[must_use]
    pub fn mul(&self, other: &Self) -> Self {
        montgomery(&montgomery(self, other), &R2)
    }

    /// The inverse modulo n, zero for zero, in Montgomery form, ready for
    /// [`Scalar::mul_montgomery`].
    #[must_use]
    pub fn invert_to_montgomery(&self) -> Self {
        const MODULUS: Modulus = Modulus::new(&N);
        dispatch!(A => Self(MODULUS.divide::<A>(&R, &self.0)))
    }

    /// The number in Montgomery form.
    #[must_use]
    pub fn to_montgomery(&self) -> Self {
        montgomery(self, &R2)
    }

    /// The product modulo n with a factor in Montgomery form.
    #[must_use]
    pub fn mul_montgomery(&self, factor: &Self) -> Self {
        montgomery(self, factor)
    }

    /// Whether the number plus n is still below the prime p, and that sum.
    #[must_use]
    pub(super) fn plus_order(&self) -> (Limbs, u64) {
        limbs::add(&self.0, &N)
    }
}

impl Zeroize for Scalar {
    fn zeroize(&mut self) {
        self.0.zeroize();
    }
}

/// The Montgomery product modulo n.
fn montgomery(a: &Scalar, b: &Scalar) -> Scalar {
    let (a, b) = (&a.0, &b.0);
    let mut t = [0u64; 5];
    for &factor in b {
        let (t0, carry) = mac(t[0], a[0], factor, 0);
        let (t1, carry) = mac(t[1], a[1], factor, carry);
        let (t2, carry) = mac(t[2], a[2], factor, carry);
        let (t3, carry) = mac(t[3], a[3], factor, carry);
        let (t4, t5) = adc(t[4], carry, 0);
        let m = t0.wrapping_mul(N0);
        let (_, carry) = mac(t0, m, N[0], 0);
        let (t1, carry) = mac(t1, m, N[1], carry);
        let (t2, carry) = mac(t2, m, N[2], carry);
        let (t3, carry) = mac(t3, m, N[3], carry);
        let (t4, carry) = adc(t4, carry, 0);
        t = [t1, t2, t3, t4, t5.wrapping_add(carry)];
    }
    Scalar(limbs::reduce_once(&[t[0], t[1], t[2], t[3]], t[4], &N))
}
