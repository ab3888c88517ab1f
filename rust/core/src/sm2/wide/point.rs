//! Points in several lanes, in Jacobian and in extended coordinates; the formulas are those of
//! `sm2/point.rs`.

use super::field::{Factor, Sum};
use super::lanes::{self, Lanes, Twice};
use crate::sm2::field::Fe;
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

    /// The same points.
    #[inline(always)]
    pub fn to_extended(&self) -> Extended<L> {
        let zz = self.z.squared().to_factor_quickly();
        Extended { x: self.x, y: self.y, zz, zzz: zz.times(&self.z).to_factor_quickly() }
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
        let (left, right) = (self.y.times(&other.z.cubed()), other.y.times(&self.z.cubed()));
        let equal = difference.is_zero() & left.minus(&right).is_zero();
        Self::select(equal, &self.double(), &sum)
    }
}

/// The points (X / ZZ, Y / ZZZ), where ZZ^3 = ZZZ^2.
#[derive(Clone, Copy)]
pub struct Extended<L> {
    pub x: Factor<L>,
    pub y: Factor<L>,
    zz: Factor<L>,
    zzz: Factor<L>,
}

/// Sums of points that are neither infinity nor equal; infinity, which has ZZ = 0, for opposite ones.
impl<L: Lanes> Extended<L> {
    /// P + Q, both affine.
    #[inline(always)]
    pub fn of_two(one: &Affine<L>, other: &Affine<L>) -> Self {
        let mut h = other.x.to_sum().minus(&one.x.to_sum()).to_factor();
        let mut r = other.y.to_sum().minus(&one.y.to_sum()).to_factor();
        let (mut x, mut y) = (one.x, one.y);
        add_differences(&mut x, &mut y, &mut h, &mut r);
        Self { x, y, zz: h, zzz: r }
    }

    /// P becomes P + Q for an affine Q.
    #[inline(always)]
    pub fn add_affine(&mut self, other: &Affine<L>) {
        let mut h = other.x.times(&self.zz).minus(&self.x.to_sum()).to_factor();
        let mut r = other.y.times(&self.zzz).minus(&self.y.to_sum()).to_factor();
        add_differences(&mut self.x, &mut self.y, &mut h, &mut r);
        self.zz = self.zz.times(&h).to_factor_quickly();
        self.zzz = self.zzz.times(&r).to_factor_quickly();
    }

    /// P becomes P + Q.
    #[inline(always)]
    pub fn add(&mut self, other: &Self) {
        let (u, s) = (other.x.times(&self.zz), other.y.times(&self.zzz));
        self.x = self.x.times(&other.zz).to_factor_quickly();
        self.y = self.y.times(&other.zzz).to_factor_quickly();
        self.zz = self.zz.times(&other.zz).to_factor_quickly();
        self.zzz = self.zzz.times(&other.zzz).to_factor_quickly();
        let mut h = u.minus(&self.x.to_sum()).to_factor();
        let mut r = s.minus(&self.y.to_sum()).to_factor();
        add_differences(&mut self.x, &mut self.y, &mut h, &mut r);
        self.zz = self.zz.times(&h).to_factor_quickly();
        self.zzz = self.zzz.times(&r).to_factor_quickly();
    }

    /// The sum of the points of each two lanes so many places apart, in the lower of them; what is then in
    /// the upper one does not matter.
    ///
    /// Both lanes work on the one sum: seven products instead of the fourteen of `add`.
    #[inline(always)]
    pub fn add_across<const DISTANCE: usize>(&mut self) {
        let upper = L::from_fn(|lane| (lane & DISTANCE) as u64).equal(L::splat(DISTANCE as u64));
        let (other_zz, other_zzz) = (self.zz.swapped::<DISTANCE>(), self.zzz.swapped::<DISTANCE>());
        let u = self.x.times(&other_zz).to_factor_quickly();
        let s = self.y.times(&other_zzz).to_factor_quickly();
        let own_z = Factor::select(upper, &self.zzz, &self.zz);
        let both_z = own_z.times(&Factor::select(upper, &other_zzz, &other_zz)).to_factor_quickly();
        let (other_u, other_s) = (u.swapped::<DISTANCE>(), s.swapped::<DISTANCE>());
        // Below and above: h and -r; their squares; h^3 and v; r (v - x) and s h^3; zz and zzz.
        let h = other_u.to_sum().minus(&u.to_sum());
        let h_r = Sum::select(upper, &other_s.to_sum().minus(&s.to_sum()), &h).to_factor();
        let squares = h_r.squared().to_factor_quickly();
        let r_squared = squares.swapped::<DISTANCE>();
        let h_squared = Factor::select(upper, &r_squared, &squares);
        let h_v = h_squared.times(&Factor::select(upper, &other_u, &h_r)).to_factor_quickly();
        let v_h = h_v.swapped::<DISTANCE>();
        let x = r_squared.to_sum().minus(&h_v.to_sum()).minus(&v_h.to_sum().shifted::<1>());
        self.x = x.to_factor();
        let x_minus_v = self.x.to_sum().minus(&v_h.to_sum());
        let right = Sum::select(upper, &v_h.to_sum(), &x_minus_v).to_factor();
        let y = Factor::select(upper, &other_s, &h_r.swapped::<DISTANCE>()).times(&right);
        self.y = y.minus(&y.swapped::<DISTANCE>()).to_factor();
        self.zz = both_z.times(&Factor::select(upper, &v_h, &squares)).to_factor_quickly();
        self.zzz = self.zz.swapped::<DISTANCE>();
    }

    /// The point of the first lane.
    #[inline(always)]
    pub fn first_lane(&self) -> scalar::Extended {
        let lane = |number| L::from_fn(|lane| lane as u64).equal(L::splat(number));
        let mut all = Factor::select(lane(1), &self.y.swapped::<1>(), &self.x);
        all = Factor::select(lane(2), &self.zz.swapped::<2>(), &all);
        all = Factor::select(lane(4), &self.zzz.swapped::<4>(), &all);
        let mut elements = [Fe::ZERO; lanes::MOST];
        all.scatter(|lane, element| elements[lane] = element);
        let [x, y, zz, _, zzz, ..] = elements;
        scalar::Extended { x, y, zz, zzz }
    }
}

/// x and y become those of the sum, h and r, how much the other point's are larger, h^2 and h^3. Both points
/// have one ZZ and ZZZ, which is then to be multiplied by these.
#[inline(always)]
fn add_differences<L: Lanes>(
    x: &mut Factor<L>,
    y: &mut Factor<L>,
    h: &mut Factor<L>,
    r: &mut Factor<L>,
) {
    let h_squared = h.squared().to_factor_quickly();
    let r_squared = r.squared();
    let h_cubed = h_squared.times(h).to_factor_quickly();
    let v = x.times(&h_squared);
    *x = r_squared.minus(&h_cubed.to_sum()).minus(&v.shifted::<1>()).to_factor();
    let product = r.times(&v.minus(&x.to_sum()).to_factor());
    *y = product.minus(&y.times(&h_cubed)).to_factor();
    (*h, *r) = (h_squared, h_cubed);
}

impl<L: Lanes> Extended<Twice<L>> {
    /// The points of the first lanes, and those of the others.
    #[inline(always)]
    pub fn halves(&self) -> (Extended<L>, Extended<L>) {
        let (x, y) = (self.x.halves(), self.y.halves());
        let (zz, zzz) = (self.zz.halves(), self.zzz.halves());
        let low = Extended { x: x.0, y: y.0, zz: zz.0, zzz: zzz.0 };
        (low, Extended { x: x.1, y: y.1, zz: zz.1, zzz: zzz.1 })
    }
}
