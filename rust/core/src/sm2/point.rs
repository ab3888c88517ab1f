//! Points of the curve y^2 = x^3 - 3 x + b in Jacobian coordinates (GB/T 32918.1-2016, annex A).

use super::field::{Arithmetic, Fe};

/// b, in Montgomery form.
pub const B: Fe = Fe([
    0x90d2_3063_2bc0_dd42,
    0x71cf_379a_e9b5_37ab,
    0x5279_8150_5ea5_1c3c,
    0x240f_e188_ba20_e2c8,
]);
/// The base point G, in Montgomery form.
pub const G: Affine = Affine {
    x: Fe([
        0x6132_8990_f418_029e,
        0x3e79_81ed_dca6_c050,
        0xd6a1_ed99_ac24_c3c3,
        0x9116_7a5e_e1c1_3b05,
    ]),
    y: Fe([
        0xc135_4e59_3c2d_0ddd,
        0xc1f5_e578_8d32_95fa,
        0x8d4c_fb06_6e2a_48f8,
        0x63cd_65d4_81d7_35bd,
    ]),
};

/// A point other than infinity.
#[derive(Clone, Copy, Debug)]
pub struct Affine {
    /// x
    pub x: Fe,
    /// y
    pub y: Fe,
}

/// The point (X / Z^2, Y / Z^3); infinity has Z = 0.
#[derive(Clone, Copy, Debug, Default)]
pub struct Jacobian {
    /// X
    pub x: Fe,
    /// Y
    pub y: Fe,
    /// Z
    pub z: Fe,
}

impl Affine {
    /// Ones if the coordinates fulfil the equation of the curve.
    #[must_use]
    pub fn is_on_curve<A: Arithmetic>(&self) -> u64 {
        A::sqr(&self.y).is_equal(&right_side::<A>(&self.x))
    }

    /// The point of that x whose y has that parity; `None` if there is none. Not for secrets.
    #[must_use]
    pub fn from_x<A: Arithmetic>(x: Fe, odd: bool) -> Option<Self> {
        let y = right_side::<A>(&x).square_root::<A>()?;
        let is_odd = y.to_limbs::<A>()[0] & 1 == 1;
        let y = if is_odd == odd { y } else { A::sub(&Fe::ZERO, &y) };
        Some(Self { x, y })
    }

    /// The same point with Z = 1.
    #[must_use]
    pub fn to_jacobian(self) -> Jacobian {
        Jacobian { x: self.x, y: self.y, z: Fe::ONE }
    }
}

/// x^3 - 3 x + b
fn right_side<A: Arithmetic>(x: &Fe) -> Fe {
    let cube = A::mul(&A::sqr(x), x);
    let triple = A::add(&A::add(x, x), x);
    A::add(&A::sub(&cube, &triple), &B)
}

impl Jacobian {
    /// The neutral element.
    pub const INFINITY: Self = Self { x: Fe::ONE, y: Fe::ONE, z: Fe::ZERO };

    /// Ones if infinity.
    #[inline(always)]
    #[must_use]
    pub fn is_infinity(&self) -> u64 {
        self.z.is_zero()
    }

    /// `a` where the mask is ones, `b` where it is zeros.
    #[inline(always)]
    #[must_use]
    pub fn select(mask: u64, a: &Self, b: &Self) -> Self {
        Self {
            x: Fe::select(mask, &a.x, &b.x),
            y: Fe::select(mask, &a.y, &b.y),
            z: Fe::select(mask, &a.z, &b.z),
        }
    }

    /// The affine form; `None` for infinity.
    #[must_use]
    pub fn to_affine<A: Arithmetic>(&self) -> Option<Affine> {
        if self.is_infinity() != 0 {
            return None;
        }
        Some(self.scaled_by::<A>(&self.z.invert::<A>()))
    }

    /// The affine form, given 1/Z.
    #[must_use]
    pub fn scaled_by<A: Arithmetic>(&self, z_inverse: &Fe) -> Affine {
        let square = A::sqr(z_inverse);
        Affine { x: A::mul(&self.x, &square), y: A::mul(&self.y, &A::mul(&square, z_inverse)) }
    }

    /// 2 P; right for every point.
    #[inline]
    #[must_use]
    pub fn double<A: Arithmetic>(&self) -> Self {
        let delta = A::sqr(&self.z);
        let gamma = A::sqr(&self.y);
        let beta = A::mul(&self.x, &gamma);
        // a = -3: 3 X^2 + a Z^4 = 3 (X - Z^2)(X + Z^2)
        let alpha = A::mul(&A::sub(&self.x, &delta), &A::add(&self.x, &delta));
        let alpha = A::add(&A::add(&alpha, &alpha), &alpha);
        let beta4 = {
            let beta2 = A::add(&beta, &beta);
            A::add(&beta2, &beta2)
        };
        let x = A::sub(&A::sqr(&alpha), &A::add(&beta4, &beta4));
        let yz = A::mul(&self.y, &self.z);
        let gamma2 = A::add(&gamma, &gamma);
        let gamma4_squared = A::sqr(&gamma2);
        let y =
            A::sub(&A::mul(&alpha, &A::sub(&beta4, &x)), &A::add(&gamma4_squared, &gamma4_squared));
        Self { x, y, z: A::add(&yz, &yz) }
    }

    /// P + Q for P and Q neither infinity nor equal; the second value is ones if their x are equal,
    /// and then the first is wrong for P = Q and infinity for P = -Q.
    #[inline]
    #[must_use]
    pub fn add_distinct<A: Arithmetic>(&self, other: &Self) -> (Self, u64) {
        let z1_squared = A::sqr(&self.z);
        let z2_squared = A::sqr(&other.z);
        let u1 = A::mul(&self.x, &z2_squared);
        let u2 = A::mul(&other.x, &z1_squared);
        let s1 = A::mul(&self.y, &A::mul(&z2_squared, &other.z));
        let s2 = A::mul(&other.y, &A::mul(&z1_squared, &self.z));
        let h = A::sub(&u2, &u1);
        let r = A::sub(&s2, &s1);
        let z = A::mul(&A::mul(&self.z, &other.z), &h);
        (Self::from_differences::<A>(&u1, &s1, &h, &r, z), h.is_zero())
    }

    /// P + Q for an affine Q, under the same conditions.
    #[inline]
    #[must_use]
    pub fn add_affine_distinct<A: Arithmetic>(&self, other: &Affine) -> (Self, u64) {
        let z1_squared = A::sqr(&self.z);
        let u2 = A::mul(&other.x, &z1_squared);
        let s2 = A::mul(&other.y, &A::mul(&z1_squared, &self.z));
        let h = A::sub(&u2, &self.x);
        let r = A::sub(&s2, &self.y);
        let z = A::mul(&self.z, &h);
        (Self::from_differences::<A>(&self.x, &self.y, &h, &r, z), h.is_zero())
    }

    #[inline(always)]
    fn from_differences<A: Arithmetic>(u1: &Fe, s1: &Fe, h: &Fe, r: &Fe, z: Fe) -> Self {
        let h_squared = A::sqr(h);
        let h_cubed = A::mul(&h_squared, h);
        let v = A::mul(u1, &h_squared);
        let x = A::sub(&A::sub(&A::sqr(r), &h_cubed), &A::add(&v, &v));
        let y = A::sub(&A::mul(r, &A::sub(&v, &x)), &A::mul(s1, &h_cubed));
        Self { x, y, z }
    }

    /// P + Q, right for every pair, in constant time.
    #[must_use]
    pub fn add_complete<A: Arithmetic>(&self, other: &Self) -> Self {
        let (sum, same_x) = self.add_distinct::<A>(other);
        let doubled = self.double::<A>();
        let (left, right) = self.cross_ordinates::<A>(other);
        let sum = Self::select(same_x & left.is_equal(&right), &doubled, &sum);
        let sum = Self::select(other.is_infinity(), self, &sum);
        Self::select(self.is_infinity(), other, &sum)
    }

    fn cross_ordinates<A: Arithmetic>(&self, other: &Self) -> (Fe, Fe) {
        let cube = |z: &Fe| A::mul(&A::sqr(z), z);
        (A::mul(&self.y, &cube(&other.z)), A::mul(&other.y, &cube(&self.z)))
    }

    /// P + Q, right for every pair. Branches: for public points only.
    #[inline]
    #[must_use]
    pub fn add_public<A: Arithmetic>(&self, other: &Self) -> Self {
        if self.is_infinity() != 0 {
            return *other;
        }
        if other.is_infinity() != 0 {
            return *self;
        }
        let (sum, same_x) = self.add_distinct::<A>(other);
        if same_x == 0 { sum } else { self.add_complete::<A>(other) }
    }

    /// P + Q for an affine Q, right for every pair. Branches: for public points only.
    #[inline]
    #[must_use]
    pub fn add_affine_public<A: Arithmetic>(&self, other: &Affine) -> Self {
        if self.is_infinity() != 0 {
            return other.to_jacobian();
        }
        let (sum, same_x) = self.add_affine_distinct::<A>(other);
        if same_x == 0 { sum } else { self.add_complete::<A>(&other.to_jacobian()) }
    }
}

/// Affine forms of points none of which is infinity, with one inversion in all.
#[must_use]
pub fn to_affine_together<A: Arithmetic>(points: &[Jacobian]) -> Vec<Affine> {
    let mut products = Vec::with_capacity(points.len());
    let mut product = Fe::ONE;
    for point in points {
        products.push(product);
        product = A::mul(&product, &point.z);
    }
    let mut inverse = product.invert::<A>();
    let mut affine: Vec<Affine> = Vec::with_capacity(points.len());
    for (point, before) in points.iter().zip(&products).rev() {
        affine.push(point.scaled_by::<A>(&A::mul(&inverse, before)));
        inverse = A::mul(&inverse, &point.z);
    }
    affine.reverse();
    affine
}
