//! Points in several lanes, in Jacobian coordinates; the formulas are those of `sm2/point.rs`.

use super::field::{Factor, Sum};
use super::lanes::Lanes;
use crate::sm2::point as scalar;

/// Points other than infinity.
#[derive(Clone, Copy)]
pub struct Affine<L> {
    pub x: Factor<L>,
    pub y: Factor<L>,
}

/// The points (X / Z^2, Y / Z^3); infinity has Z = 0.
#[derive(Clone, Copy)]
pub struct Jacobian<L> {
    pub x: Factor<L>,
    pub y: Factor<L>,
    pub z: Factor<L>,
}

impl<L: Lanes> Affine<L> {
    /// In each lane the point that `value` gives for it.
    #[inline(always)]
    pub fn gather<'a>(value: impl Fn(usize) -> &'a scalar::Affine) -> Self {
        Self { x: Factor::gather(|lane| &value(lane).x), y: Factor::gather(|lane| &value(lane).y) }
    }

    #[inline(always)]
    pub fn to_jacobian(self) -> Jacobian<L> {
        Jacobian { x: self.x, y: self.y, z: Factor::one() }
    }
}

impl<L: Lanes> Jacobian<L> {
    /// `a` in the lanes of the mask, `b` in the others.
    #[inline(always)]
    pub fn select(mask: L::Mask, a: &Self, b: &Self) -> Self {
        Self {
            x: Factor::select(mask, &a.x, &b.x),
            y: Factor::select(mask, &a.y, &b.y),
            z: Factor::select(mask, &a.z, &b.z),
        }
    }

    /// The negative in the lanes of the mask, the point itself in the others.
    #[inline(always)]
    pub fn negated_where(&self, mask: L::Mask) -> Self {
        Self { y: self.y.to_sum().negated_where(mask).to_factor(), ..*self }
    }

    /// Lanes in which the point is infinity.
    #[inline(always)]
    pub fn is_infinity(&self) -> L::Mask {
        self.z.to_sum().is_zero()
    }

    /// The affine form, given 1/Z.
    #[inline(always)]
    pub fn scaled_by(&self, z_inverse: &Factor<L>) -> Affine<L> {
        let square = z_inverse.squared().to_factor_quickly();
        let cube = square.times(z_inverse).to_factor_quickly();
        Affine {
            x: self.x.times(&square).to_factor_quickly(),
            y: self.y.times(&cube).to_factor_quickly(),
        }
    }

    /// 2 P; right for every point.
    #[inline(always)]
    pub fn double(&self) -> Self {
        let delta = self.z.squared();
        let gamma = self.y.squared().to_factor_quickly();
        let beta4 = self.x.times(&gamma).shifted::<2>();
        // a = -3: 3 X^2 + a Z^4 = 3 (X - Z^2)(X + Z^2)
        let (x, z) = (self.x.to_sum(), self.y.times(&self.z).shifted::<1>());
        let alpha = x.minus(&delta).to_factor().times(&x.plus(&delta).to_factor());
        let alpha = alpha.plus(&alpha.shifted::<1>()).to_factor();
        let x = alpha.squared().minus(&beta4.shifted::<1>()).to_factor();
        let y = alpha.times(&beta4.minus(&x.to_sum()).to_factor());
        let y = y.minus(&gamma.squared().shifted::<3>());
        Self { x, y: y.to_factor(), z: z.to_factor() }
    }

    /// P + Q for P and Q neither infinity nor equal; and the difference of their x, scaled: where it
    /// is zero, the sum is wrong for P = Q and infinity for P = -Q.
    #[inline(always)]
    pub fn add_distinct(&self, other: &Self) -> (Self, Sum<L>) {
        let z1_squared = self.z.squared().to_factor_quickly();
        let z2_squared = other.z.squared().to_factor_quickly();
        let u1 = self.x.times(&z2_squared).to_factor_quickly();
        let u2 = other.x.times(&z1_squared);
        let s1 = z2_squared.times(&other.z).to_factor_quickly().times(&self.y).to_factor_quickly();
        let s2 = z1_squared.times(&self.z).to_factor_quickly().times(&other.y);
        let h = u2.minus(&u1.to_sum());
        let z = self.z.times(&other.z).to_factor_quickly();
        (Self::from_differences(&u1, &s1, &h, &s2.minus(&s1.to_sum()), &z), h)
    }

    /// P + Q for an affine Q, under the same conditions.
    #[inline(always)]
    pub fn add_affine_distinct(&self, other: &Affine<L>) -> Self {
        let z_squared = self.z.squared().to_factor_quickly();
        let h = other.x.times(&z_squared).minus(&self.x.to_sum());
        let s2 = z_squared.times(&self.z).to_factor_quickly().times(&other.y);
        Self::from_differences(&self.x, &self.y, &h, &s2.minus(&self.y.to_sum()), &self.z)
    }

    #[inline(always)]
    fn from_differences(
        u1: &Factor<L>,
        s1: &Factor<L>,
        h: &Sum<L>,
        r: &Sum<L>,
        z: &Factor<L>,
    ) -> Self {
        let (h, r) = (h.to_factor(), r.to_factor());
        let h_squared = h.squared().to_factor_quickly();
        let h_cubed = h_squared.times(&h).to_factor_quickly();
        let v = u1.times(&h_squared);
        let x = r.squared().minus(&h_cubed.to_sum()).minus(&v.shifted::<1>()).to_factor();
        let y = r.times(&v.minus(&x.to_sum()).to_factor()).minus(&s1.times(&h_cubed));
        Self { x, y: y.to_factor(), z: z.times(&h).to_factor_quickly() }
    }

    /// P + Q, right for every pair of which neither is infinity.
    #[inline(always)]
    pub fn add_finite(&self, other: &Self) -> Self {
        let (sum, difference) = self.add_distinct(other);
        let cube = |z: &Factor<L>| z.squared().to_factor_quickly().times(z).to_factor_quickly();
        let (left, right) = (self.y.times(&cube(&other.z)), other.y.times(&cube(&self.z)));
        let equal = difference.is_zero() & left.minus(&right).is_zero();
        Self::select(equal, &self.double(), &sum)
    }
}
