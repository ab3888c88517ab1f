//! Points of the curve y^2 = x^3 - 3 x + b in Jacobian coordinates (GB/T 32918.1-2016, annex A).

use zeroize::Zeroizing;

use super::fault::{Place, strike};
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
    /// -P where the mask is ones, P where it is zeros.
    #[inline(always)]
    #[must_use]
    pub fn negate_if<A: Arithmetic>(&self, mask: u64) -> Self {
        Self { x: self.x, y: Fe::select(mask, &A::sub(&Fe::ZERO, &self.y), &self.y) }
    }

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

    /// P becomes 2 P; right for every point.
    ///
    /// Here and below, coordinates change in place, as a copy of what was just written would have
    /// to wait, and products stand in an order in which neighbours hardly wait for each other.
    #[inline]
    pub fn double<A: Arithmetic>(&mut self) {
        let delta = A::sqr(&self.z);
        let gamma = A::sqr(&self.y);
        self.z = A::mul(&self.y, &self.z);
        // a = -3: 3 X^2 + a Z^4 = 3 (X - Z^2)(X + Z^2). Half of it makes Z(2 P) = Y Z, and the
        // other coordinates need no multiples.
        let third = A::mul_sum(&A::sub(&self.x, &delta), &self.x, &delta);
        let beta = A::mul(&self.x, &gamma);
        let alpha = A::add(&A::half(&third), &third);
        self.x = A::sub(&A::sub(&A::sqr(&alpha), &beta), &beta);
        self.y = A::mul_sub_sqr(&alpha, &A::sub(&beta, &self.x), &gamma);
    }

    /// P with what its additions need.
    #[inline]
    #[must_use]
    pub fn to_addend<A: Arithmetic>(&self) -> Addend {
        let z_squared = A::sqr(&self.z);
        Addend { point: *self, z_squared, z_cubed: A::mul(&z_squared, &self.z) }
    }

    /// P becomes P + Q for P and Q neither infinity nor equal; infinity if P = -Q. That P = Q is
    /// told, and the sum is wrong then.
    #[inline]
    pub fn add_distinct<A: Arithmetic>(&mut self, other: &Addend) -> u64 {
        let z_squared = A::sqr(&self.z);
        let u = A::mul(&self.x, &other.z_squared);
        let s = A::mul(&self.y, &other.z_cubed);
        let z_cubed = A::mul(&z_squared, &self.z);
        let u_other = A::mul(&other.point.x, &z_squared);
        self.z = A::mul(&self.z, &other.point.z);
        let s_other = A::mul(&other.point.y, &z_cubed);
        let h = A::sub(&u_other, &u);
        let h_squared = A::sqr(&h);
        self.z = A::mul(&self.z, &h);
        let r = A::sub(&s_other, &s);
        let r_squared = A::sqr(&r);
        let h_cubed = A::mul(&h_squared, &h);
        let v = A::mul(&u, &h_squared);
        self.x = A::sub(&A::sub(&A::sub(&r_squared, &h_cubed), &v), &v);
        self.y = A::mul_sub(&r, &A::sub(&v, &self.x), &s, &h_cubed);
        h.is_zero() & r.is_zero()
    }

    /// The same for an affine Q.
    #[inline]
    pub fn add_affine_distinct<A: Arithmetic>(&mut self, other: &Affine) -> u64 {
        let z_squared = A::sqr(&self.z);
        let z_other = A::mul(&other.y, &self.z);
        let u = A::mul(&other.x, &z_squared);
        let s = A::mul(&z_other, &z_squared);
        let h = A::sub(&u, &self.x);
        let h_squared = A::sqr(&h);
        let r = A::sub(&s, &self.y);
        let r_squared = A::sqr(&r);
        self.z = A::mul(&self.z, &h);
        let h_cubed = A::mul(&h_squared, &h);
        let v = A::mul(&self.x, &h_squared);
        self.x = A::sub(&A::sub(&A::sub(&r_squared, &h_cubed), &v), &v);
        self.y = A::mul_sub(&r, &A::sub(&v, &self.x), &self.y, &h_cubed);
        h.is_zero() & r.is_zero()
    }

    /// P + Q, right for every pair, in constant time.
    #[must_use]
    pub fn add_complete<A: Arithmetic>(&self, other: &Addend) -> Self {
        let (mut sum, mut doubled) = (*self, *self);
        let equal = sum.add_distinct::<A>(other);
        doubled.double::<A>();
        let sum = Self::select(equal, &doubled, &sum);
        let sum = Self::select(other.point.is_infinity(), self, &sum);
        Self::select(self.is_infinity(), &other.point, &sum)
    }

    /// P becomes P + Q, right for every P; Q is not infinity. Branches: for public points only.
    #[inline]
    pub fn add_public<A: Arithmetic>(&mut self, other: &Addend) {
        if self.is_infinity() != 0 {
            *self = other.point;
        } else if self.add_distinct::<A>(other) != 0 {
            // P was Q.
            *self = other.point;
            self.double::<A>();
        }
    }

    /// The same for an affine Q.
    #[inline]
    pub fn add_affine_public<A: Arithmetic>(&mut self, other: &Affine) {
        if self.is_infinity() != 0 {
            *self = other.to_jacobian();
        } else if self.add_affine_distinct::<A>(other) != 0 {
            // P was Q.
            *self = other.to_jacobian();
            self.double::<A>();
        }
    }
}

/// A point that is added more than once, with the square and the cube of Z.
#[derive(Clone, Copy, Debug)]
pub struct Addend {
    /// The point.
    pub point: Jacobian,
    /// Z^2
    pub z_squared: Fe,
    /// Z^3
    pub z_cubed: Fe,
}

/// The point (X / ZZ, Y / ZZZ), where ZZ^3 = ZZZ^2: sums of affine points take one product less
/// than in Jacobian coordinates.
#[derive(Clone, Copy, Debug)]
pub struct Extended {
    /// X
    pub x: Fe,
    /// Y
    pub y: Fe,
    /// ZZ
    pub zz: Fe,
    /// ZZZ
    pub zzz: Fe,
}

impl Extended {
    /// That point.
    #[must_use]
    pub fn from_affine(point: &Affine) -> Self {
        Self { x: point.x, y: point.y, zz: Fe::ONE, zzz: Fe::ONE }
    }

    /// -P where the mask is ones, P where it is zeros.
    #[must_use]
    pub fn negate_if<A: Arithmetic>(&self, mask: u64) -> Self {
        Self { y: Fe::select(mask, &A::sub(&Fe::ZERO, &self.y), &self.y), ..*self }
    }

    /// P becomes P + Q for points that are neither infinity nor equal; infinity, which has ZZ = 0,
    /// if P = -Q.
    #[inline]
    pub fn add_distinct<A: Arithmetic>(&mut self, other: &Affine) {
        let u = A::mul(&other.x, &self.zz);
        let s = A::mul(&other.y, &self.zzz);
        let h = A::sub(&u, &self.x);
        let h_squared = A::sqr(&h);
        let r = A::sub(&s, &self.y);
        let r_squared = A::sqr(&r);
        let h_cubed = A::mul(&h_squared, &h);
        let v = A::mul(&self.x, &h_squared);
        self.zz = A::mul(&self.zz, &h_squared);
        self.x = A::sub(&A::sub(&A::sub(&r_squared, &h_cubed), &v), &v);
        self.zzz = A::mul(&self.zzz, &h_cubed);
        self.y = A::mul_sub(&r, &A::sub(&v, &self.x), &self.y, &h_cubed);
    }

    /// Ones if infinity.
    #[must_use]
    pub fn is_infinity(&self) -> u64 {
        self.zz.is_zero()
    }

    /// The affine form; `None` for infinity.
    #[must_use]
    pub fn to_affine<A: Arithmetic>(&self) -> Option<Affine> {
        (self.is_infinity() == 0).then(|| self.scaled_by::<A>(&self.zzz.invert::<A>()))
    }

    /// The affine form, given 1/ZZZ.
    #[must_use]
    pub fn scaled_by<A: Arithmetic>(&self, zzz_inverse: &Fe) -> Affine {
        let z_inverse = A::mul(&self.zz, zzz_inverse);
        Affine { x: A::mul(&self.x, &A::sqr(&z_inverse)), y: A::mul(&self.y, zzz_inverse) }
    }
}

/// Affine forms of points none of which is infinity, with one inversion in all.
#[must_use]
pub fn to_affine_together<A: Arithmetic>(points: &[Jacobian]) -> Vec<Affine> {
    let inverses = inverses_of::<A>(points.iter().map(|point| point.z));
    points.iter().zip(&*inverses).map(|(point, inverse)| point.scaled_by::<A>(inverse)).collect()
}

/// The same for extended coordinates.
#[must_use]
pub fn extended_to_affine_together<A: Arithmetic>(points: &[Extended]) -> Vec<Affine> {
    let inverses = inverses_of::<A>(points.iter().map(|point| point.zzz));
    points.iter().zip(&*inverses).map(|(point, inverse)| point.scaled_by::<A>(inverse)).collect()
}

/// The inverses of elements none of which is zero, by three products for each and one inversion.
fn inverses_of<A: Arithmetic>(
    elements: impl DoubleEndedIterator<Item = Fe> + ExactSizeIterator + Clone,
) -> Zeroizing<Vec<Fe>> {
    let mut inverses = Zeroizing::new(Vec::with_capacity(elements.len()));
    let mut product = Fe::ONE;
    for element in elements.clone() {
        inverses.push(product);
        product = A::mul(&product, &element);
    }
    let mut inverse = product.invert::<A>();
    strike(Place::Inverse, &mut inverse.0);
    for (place, element) in inverses.iter_mut().zip(elements).rev() {
        *place = A::mul(&inverse, place);
        inverse = A::mul(&inverse, &element);
    }
    inverses
}
