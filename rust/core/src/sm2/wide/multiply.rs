//! Scalar multiplication in several lanes. What is said of exceptions in `sm2/multiply.rs` holds here.

use super::field::Factor;
use super::lanes::{self, Lanes};
use super::point::{Affine, Jacobian};
use super::table::{self, BaseTable};
use crate::sm2::field::Fe;
use crate::sm2::point as scalar_point;
use crate::sm2::scalar::Scalar;

/// Numbers below n, one for each lane, in limbs of 64 bits.
#[derive(Clone, Copy)]
pub struct Scalars<L>([L; 4]);

impl<L: Lanes> Scalars<L> {
    /// In each lane the number that `value` gives for it.
    #[inline(always)]
    pub fn gather<'a>(value: impl Fn(usize) -> &'a Scalar) -> Self {
        Self(core::array::from_fn(|limb| L::from_fn(|lane| value(lane).0[limb])))
    }

    /// The signed digit (Booth) of a window: its magnitude, and where it is negative.
    #[inline(always)]
    fn digit<const WIDTH: u32>(&self, window: u32) -> (L, L::Mask) {
        let bits = self.bits_before::<WIDTH>(window);
        let one = L::splat(1);
        let negative = bits.right_by(WIDTH).equal(one);
        let folded = L::select(negative, L::splat((1 << (WIDTH + 1)) - 1).minus(bits), bits);
        (folded.right::<1>().plus(folded.and(one)), negative)
    }

    /// The bits of a window and the one below it; outside of the number are zeros.
    #[inline(always)]
    fn bits_before<const WIDTH: u32>(&self, window: u32) -> L {
        let mask = L::splat((1 << (WIDTH + 1)) - 1);
        if window == 0 {
            return self.0[0].left::<1>().and(mask);
        }
        let start = window * WIDTH - 1;
        let (limb, shift) = ((start / 64) as usize, start % 64);
        let low = self.0[limb].right_by(shift);
        let above = self.0.get(limb + 1).copied().unwrap_or(L::splat(0));
        low.or(above.left::<1>().left_by(63 - shift)).and(mask)
    }
}

/// [k] G in constant time, for 0 < k < n.
#[inline(always)]
pub fn base<L: Lanes>(k: &Scalars<L>, table: &BaseTable) -> Jacobian<L> {
    let zero = L::splat(0);
    let mut empty = zero.equal(zero);
    let mut sum = table::generator::<L>().to_jacobian();
    for (window, multiples) in (0..).zip(table) {
        let (magnitude, negative) = k.digit::<{ table::WIDTH }>(window);
        let is_zero = magnitude.equal(zero);
        let addend = table::look_up(multiples, magnitude, negative);
        let next = sum.add_affine_distinct(&addend);
        let next = Jacobian::select(empty, &addend.to_jacobian(), &next);
        sum = Jacobian::select(is_zero, &sum, &next);
        empty = empty & is_zero;
    }
    sum
}

const WIDTH: u32 = 5;
const WINDOWS: u32 = 52;

/// [k] P in constant time, for 0 < k < n.
#[inline(always)]
pub fn variable<L: Lanes>(k: &Scalars<L>, point: &Affine<L>) -> Jacobian<L> {
    let table = first_multiples(point, 1 << (WIDTH - 1));
    let zero = L::splat(0);
    let mut empty = zero.equal(zero);
    let mut sum = table[0];
    for window in (0..WINDOWS).rev() {
        if window != WINDOWS - 1 {
            for _ in 0..WIDTH {
                sum = sum.double();
            }
        }
        let (magnitude, negative) = k.digit::<WIDTH>(window);
        let is_zero = magnitude.equal(zero);
        let addend = pick(&table, magnitude).negated_where(negative);
        // Only the last addition can meet equal or opposite points.
        let next = if window == 0 { sum.add_finite(&addend) } else { sum.add_distinct(&addend).0 };
        let next = Jacobian::select(empty, &addend, &next);
        sum = Jacobian::select(is_zero, &sum, &next);
        empty = empty & is_zero;
    }
    sum
}

/// P, 2 P, 3 P, … `count` of them.
#[inline(always)]
pub fn first_multiples<L: Lanes>(point: &Affine<L>, count: usize) -> Vec<Jacobian<L>> {
    let mut multiples = vec![point.to_jacobian(); count];
    for i in 1..count {
        multiples[i] = if i % 2 == 1 {
            multiples[i / 2].double()
        } else {
            multiples[i - 1].add_affine_distinct(point)
        };
    }
    multiples
}

/// Entry `number - 1`, the first for 0; every entry is read.
#[inline(always)]
fn pick<L: Lanes>(table: &[Jacobian<L>], number: L) -> Jacobian<L> {
    let mut found = table[0];
    for (entry, candidate) in (1..).zip(table).skip(1) {
        found = Jacobian::select(number.equal(L::splat(entry)), candidate, &found);
    }
    found
}

/// The affine forms of many points, none of them infinity, with one inversion in all.
#[inline(always)]
pub fn to_affine_together<L: Lanes>(points: &[Jacobian<L>]) -> Vec<Affine<L>> {
    let mut products = Vec::with_capacity(points.len());
    let mut product = Factor::one();
    for point in points {
        products.push(product);
        product = product.times(&point.z).to_factor_quickly();
    }
    let mut inverse = product.invert();
    let mut affine = Vec::with_capacity(points.len());
    for (point, before) in points.iter().zip(&products).rev() {
        affine.push(point.scaled_by(&inverse.times(before).to_factor_quickly()));
        inverse = inverse.times(&point.z).to_factor_quickly();
    }
    affine.reverse();
    affine
}

/// Lanes in which X = x Z^2.
#[inline(always)]
pub fn has_x<L: Lanes>(point: &Jacobian<L>, x: &Factor<L>) -> L::Mask {
    let expected = point.z.squared().to_factor_quickly().times(x);
    expected.minus(&point.x.to_sum()).is_zero() & !point.is_infinity()
}

/// The points in the scalar form, lane after lane.
#[inline(always)]
pub fn scatter<L: Lanes>(point: &Affine<L>, mut out: impl FnMut(scalar_point::Affine)) {
    let (mut xs, mut ys) = ([Fe::ZERO; lanes::MOST], [Fe::ZERO; lanes::MOST]);
    point.x.scatter(|lane, x| xs[lane] = x);
    point.y.scatter(|lane, y| ys[lane] = y);
    for (x, y) in xs.into_iter().zip(ys).take(L::COUNT) {
        out(scalar_point::Affine { x, y });
    }
}
