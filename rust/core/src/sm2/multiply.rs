//! Scalar multiplication: of the base point, of any point, and of both together.
//!
//! The back-end is chosen once per operation.

use super::fault::{Place, strike};
use super::field::{Arithmetic, Fe};
use super::limbs::{self, Limbs};
use super::point::{Affine, Jacobian};
use super::scalar::Scalar;
use super::tables::{self, PUBLIC_WIDTH, Windows};

/// Runs an expression with `$arithmetic` standing for the arithmetic of the chosen back-end.
macro_rules! dispatch {
    ($arithmetic:ident => $body:expr) => {{
        #[cfg(target_arch = "x86_64")]
        if crate::cpu::is_x86_64() {
            type $arithmetic = crate::sm2::arch::x86_64::Adx;
            return $body;
        }
        type $arithmetic = crate::sm2::field::Portable;
        $body
    }};
}
pub(super) use dispatch;

/// [k] G in constant time; `None` for k = 0.
#[must_use]
pub fn base(k: &Scalar) -> Option<Affine> {
    dispatch!(A => base_jacobian::<A>(k).to_affine::<A>())
}

/// [k] P in constant time; `None` for k = 0.
#[must_use]
pub fn secret(k: &Scalar, point: &Affine) -> Option<Affine> {
    dispatch!(A => secret_jacobian::<A>(k, point).to_affine::<A>())
}

/// P + [k] Q, the k in constant time; `None` if the sum is infinity.
#[must_use]
pub fn sum_with_multiple(point: &Affine, k: &Scalar, other: &Affine) -> Option<Affine> {
    dispatch!(A => {
        secret_jacobian::<A>(k, other).add_complete::<A>(&point.to_jacobian()).to_affine::<A>()
    })
}

/// Whether x([s] G + [t] P) = `expected` mod n. Public values only: the time depends on them.
#[must_use]
pub fn public_sum_has_x(s: &Scalar, t: &Scalar, point: &Affine, expected: &Scalar) -> bool {
    dispatch!(A => has_x::<A>(&public_sum::<A>(s, t, point), expected))
}

/// Multiples of a public point by which [`public_sum_by_table_has_x`] needs no doublings.
#[must_use]
pub fn windows_of(point: &Affine) -> Box<Windows> {
    dispatch!(A => tables::windows_of::<A>(point))
}

/// What [`public_sum_has_x`] answers, with the windows of P at hand. Public values only.
#[must_use]
pub fn public_sum_by_table_has_x(
    s: &Scalar,
    t: &Scalar,
    windows: &Windows,
    expected: &Scalar,
) -> bool {
    dispatch!(A => has_x::<A>(&public_sum_by_table::<A>(s, t, windows), expected))
}

/// Ones if the coordinates fulfil the equation of the curve.
#[must_use]
pub fn is_on_curve(point: &Affine) -> u64 {
    dispatch!(A => point.is_on_curve::<A>())
}

/// Windows from the lowest up. The sum so far is at most half of what the next window's digit one
/// stands for, and k < n, so that no addition meets equal or opposite points; digit zero and the
/// still empty sum are selected around.
pub(super) fn base_jacobian<A: Arithmetic>(k: &Scalar) -> Jacobian {
    let table = tables::base_windows::<A>();
    let mut sum = Jacobian::INFINITY;
    for (window, multiples) in (0..).zip(table) {
        let (magnitude, negative) = limbs::booth_digit::<{ tables::WIDTH }>(&k.0, window);
        let mut digit = [magnitude, 0, 0, 0];
        strike(Place::Digit(window), &mut digit);
        let magnitude = digit[0];
        let [x, y] = A::look_up(multiples, magnitude);
        let y = Fe::select(negative, &A::sub(&Fe::ZERO, &y), &y);
        let addend = Affine { x, y };
        let (next, _) = sum.add_affine_distinct::<A>(&addend);
        let next = Jacobian::select(sum.is_infinity(), &addend.to_jacobian(), &next);
        sum = Jacobian::select(crate::ct::mask_if_zero(magnitude), &sum, &next);
        strike(Place::Sum(window), &mut sum.x.0);
    }
    sum
}

const SECRET_WIDTH: u32 = 5;
const SECRET_WINDOWS: u32 = 52;

/// Windows from the highest down. Before each addition but the last the sum is a multiple of 32
/// below n, the digit at most 16, so the points differ; the last addition alone can wrap around n
/// (k = n - 6 adds -3 P to -3 P) and is complete.
pub(super) fn secret_jacobian<A: Arithmetic>(k: &Scalar, point: &Affine) -> Jacobian {
    let table = first_multiples::<A>(point);
    let mut sum = Jacobian::INFINITY;
    for window in (0..SECRET_WINDOWS).rev() {
        if window != SECRET_WINDOWS - 1 {
            for _ in 0..SECRET_WIDTH {
                sum = sum.double::<A>();
            }
        }
        let (magnitude, negative) = limbs::booth_digit::<SECRET_WIDTH>(&k.0, window);
        let [x, y, z] = A::look_up(&table, magnitude);
        let y = Fe::select(negative, &A::sub(&Fe::ZERO, &y), &y);
        let addend = Jacobian { x, y, z };
        if window == 0 {
            return sum.add_complete::<A>(&addend);
        }
        let (next, _) = sum.add_distinct::<A>(&addend);
        let next = Jacobian::select(sum.is_infinity(), &addend, &next);
        sum = Jacobian::select(crate::ct::mask_if_zero(magnitude), &sum, &next);
    }
    sum
}

/// P, 2 P, …, 16 P. The order is prime and far above 16, so the points differ.
fn first_multiples<A: Arithmetic>(point: &Affine) -> [[Fe; 3]; 16] {
    let mut multiples = [point.to_jacobian(); 16];
    for i in 1..16 {
        multiples[i] = if i % 2 == 1 {
            multiples[i / 2].double::<A>()
        } else {
            multiples[i - 1].add_affine_distinct::<A>(point).0
        };
    }
    multiples.map(|point| [point.x, point.y, point.z])
}

const POINT_WIDTH: u32 = 5;
const POINT_MULTIPLES: usize = 1 << (POINT_WIDTH - 2);

fn public_sum<A: Arithmetic>(s: &Scalar, t: &Scalar, point: &Affine) -> Jacobian {
    let base_multiples = tables::base_odd_multiples::<A>();
    let point_multiples = tables::odd_multiples::<A, POINT_MULTIPLES>(&point.to_jacobian());
    let base_digits = non_adjacent_form(&s.0, PUBLIC_WIDTH);
    let point_digits = non_adjacent_form(&t.0, POINT_WIDTH);
    let mut sum = Jacobian::INFINITY;
    for (base_digit, point_digit) in base_digits.iter().zip(&point_digits).rev() {
        if sum.is_infinity() == 0 {
            sum = sum.double::<A>();
        }
        if *point_digit != 0 {
            let mut addend = point_multiples[usize::from(point_digit.unsigned_abs() / 2)];
            if *point_digit < 0 {
                addend.y = A::sub(&Fe::ZERO, &addend.y);
            }
            sum = sum.add_public::<A>(&addend);
        }
        if *base_digit != 0 {
            let mut addend = base_multiples[usize::from(base_digit.unsigned_abs() / 2)];
            if *base_digit < 0 {
                addend.y = A::sub(&Fe::ZERO, &addend.y);
            }
            sum = sum.add_affine_public::<A>(&addend);
        }
    }
    sum
}

/// One addition for each window that is not zero, of G and of P: in this order every pair of
/// points can meet, equal or opposite ones too, which `add_affine_public` takes.
fn public_sum_by_table<A: Arithmetic>(s: &Scalar, t: &Scalar, windows: &Windows) -> Jacobian {
    let mut sum = Jacobian::INFINITY;
    for (scalar, table) in [(s, tables::base_windows::<A>()), (t, windows)] {
        for (window, multiples) in (0..).zip(table) {
            let (magnitude, negative) = limbs::booth_digit::<{ tables::WIDTH }>(&scalar.0, window);
            if magnitude == 0 {
                continue;
            }
            let [x, y] = multiples[magnitude as usize - 1];
            let y = if negative == 0 { y } else { A::sub(&Fe::ZERO, &y) };
            sum = sum.add_affine_public::<A>(&Affine { x, y });
        }
    }
    sum
}

/// Compares without leaving projective coordinates: X = x Z^2 for x = `expected` or `expected` + n.
fn has_x<A: Arithmetic>(point: &Jacobian, expected: &Scalar) -> bool {
    if point.is_infinity() != 0 {
        return false;
    }
    let z_squared = A::sqr(&point.z);
    let matches = |x: &Limbs| {
        Fe::from_limbs::<A>(x).is_some_and(|x| A::mul(&x, &z_squared).is_equal(&point.x) != 0)
    };
    let (larger, carry) = expected.plus_order();
    matches(&expected.0) || (carry == 0 && matches(&larger))
}

/// Odd digits below 2^(width-1) in magnitude, at least `width - 1` zeros between them, lowest
/// first. The time depends on the scalar.
fn non_adjacent_form(scalar: &Limbs, width: u32) -> [i8; 257] {
    let mut digits = [0i8; 257];
    let mut carry = 0;
    let mut position = 0;
    while position < 257 {
        let bits = bits_at(scalar, position, width);
        let value = bits + carry;
        if value & 1 == 0 {
            position += 1;
            continue;
        }
        carry = value >> (width - 1) & 1;
        let digit = i64::from(value as u32) - i64::from((carry as u32) << width);
        digits[position] = digit as i8;
        position += width as usize;
    }
    digits
}

fn bits_at(scalar: &Limbs, position: usize, width: u32) -> u64 {
    let (limb, shift) = (position / 64, position % 64);
    let low = scalar.get(limb).copied().unwrap_or(0) >> shift;
    let above = scalar.get(limb + 1).copied().unwrap_or(0);
    let high = if shift == 0 { 0 } else { above << (64 - shift) };
    (low | high) & ((1 << width) - 1)
}

#[cfg(test)]
mod tests {
    use super::super::field::Portable;
    use super::super::point::G;
    use super::*;

    /// Points and scalars for which sums meet equal and opposite points, and infinity.
    #[test]
    fn sums_by_table_are_those_by_doubling() {
        let minus_one = Scalar::ONE.sub(&Scalar::ONE).sub(&Scalar::ONE);
        let some = Scalar::reduced(&[0x5b; 32]);
        let scalars =
            [Scalar::ONE.sub(&Scalar::ONE), Scalar::ONE, minus_one, some, minus_one.mul(&some)];
        for multiple in [Scalar::ONE, minus_one, some] {
            let point = base(&multiple).unwrap_or(G);
            let windows = windows_of(&point);
            for (s, t) in scalars.iter().flat_map(|s| scalars.iter().map(move |t| (s, t))) {
                let by_table = public_sum_by_table::<Portable>(s, t, &windows);
                let expected = public_sum::<Portable>(s, t, &point).to_affine::<Portable>();
                let found = by_table.to_affine::<Portable>();
                assert!(found.map(|p| (p.x.0, p.y.0)) == expected.map(|p| (p.x.0, p.y.0)));
            }
        }
    }
}
