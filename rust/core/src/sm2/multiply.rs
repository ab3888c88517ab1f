//! Scalar multiplication: of the base point, of any point, and of both together.
//!
//! The back-end is chosen once per operation.

use zeroize::Zeroize;

use super::arch;
use super::fault::{Place, strike};
use super::field::{Arithmetic, Fe};
use super::limbs::{self, Limbs};
use super::point::{self, Addend, Affine, Extended, Jacobian};
use super::scalar::{self, Scalar};
use super::tables::{self, PIECES, SPAN, Windows};

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
    dispatch!(A => base_sum::<A>(k).to_affine::<A>())
}

/// The same without wide registers.
#[must_use]
pub fn base_narrow(k: &Scalar) -> Option<Affine> {
    dispatch!(A => base_extended::<A>(k).to_affine::<A>())
}

/// Scalars that are worth a lane each; fewer are spread over the lanes one by one.
const WORTH_LANES: usize = 12;

/// Each [k] G in constant time, for 0 < k < n: in wide registers where there are some, and with one
/// inversion in all.
#[must_use]
pub fn base_together(scalars: &[Scalar]) -> Vec<Affine> {
    if scalars.len() >= WORTH_LANES
        && let Some(points) = arch::base_all(scalars)
    {
        return points;
    }
    dispatch!(A => base_together_by::<A>(scalars, base_sum::<A>))
}

pub(super) fn base_together_by<A: Arithmetic>(
    scalars: &[Scalar],
    multiple: impl Fn(&Scalar) -> Extended,
) -> Vec<Affine> {
    let points: Vec<_> = scalars.iter().map(multiple).collect();
    point::extended_to_affine_together::<A>(&points)
}

/// Each [k] P in constant time, for 0 < k < n: as [`base_together`].
#[must_use]
pub fn secret_together(pairs: &[(&Scalar, &Affine)]) -> Vec<Affine> {
    if let Some(points) = arch::variable_all(pairs) {
        return points;
    }
    dispatch!(A => {
        let points: Vec<_> = pairs.iter().map(|(k, p)| secret_jacobian::<A>(k, p)).collect();
        point::to_affine_together::<A>(&points)
    })
}

/// [k] P in constant time; `None` for k = 0.
#[must_use]
pub fn secret(k: &Scalar, point: &Affine) -> Option<Affine> {
    dispatch!(A => secret_jacobian::<A>(k, point).to_affine::<A>())
}

/// [k] G and [k] P in constant time, with one inversion; `None` for k = 0.
#[must_use]
pub fn base_and_secret(k: &Scalar, point: &Affine) -> Option<(Affine, Affine)> {
    dispatch!(A => {
        let (base, secret) = (base_sum::<A>(k), secret_jacobian::<A>(k, point));
        (base.is_infinity() | secret.is_infinity() == 0).then(|| {
            let inverse = A::mul(&base.zzz, &secret.z).invert::<A>();
            (
                base.scaled_by::<A>(&A::mul(&inverse, &secret.z)),
                secret.scaled_by::<A>(&A::mul(&inverse, &base.zzz)),
            )
        })
    })
}

/// P + [k] Q, the k in constant time; `None` if the sum is infinity.
#[must_use]
pub fn sum_with_multiple(point: &Affine, k: &Scalar, other: &Affine) -> Option<Affine> {
    dispatch!(A => {
        let addend = point.to_jacobian().to_addend::<A>();
        secret_jacobian::<A>(k, other).add_complete::<A>(&addend).to_affine::<A>()
    })
}

/// Whether x([s] G + [t] P) = `expected` mod n. Public values only: the time depends on them.
#[must_use]
pub fn public_sum_has_x(s: &Scalar, t: &Scalar, point: &Affine, expected: &Scalar) -> bool {
    dispatch!(A => has_x::<A>(&public_sum::<A>(s, t, point), expected))
}

/// Multiples of a public point by which [`public_sum_by_table_has_x`] needs few doublings.
#[must_use]
pub fn windows_of(point: &Affine) -> Box<Windows> {
    dispatch!(A => tables::pieces_of::<A, _>(point))
}

/// What [`public_sum_has_x`] answers, with the windows of P at hand. Public values only.
#[must_use]
pub fn public_sum_by_table_has_x(
    s: &Scalar,
    t: &Scalar,
    windows: &Windows,
    expected: &Scalar,
) -> bool {
    dispatch!(A => match arch::sum_with_known(s, t, windows) {
        Some(sum) if sum.is_infinity() == 0 => x_is::<A>(&sum.x, &sum.zz, expected),
        _ => has_x::<A>(&public_sum_by_table::<A>(s, t, windows), expected),
    })
}

/// Ones if the coordinates fulfil the equation of the curve.
#[must_use]
pub fn is_on_curve(point: &Affine) -> u64 {
    dispatch!(A => point.is_on_curve::<A>())
}

/// [k] G, spread over wide registers where there are some; infinity for k = 0.
fn base_sum<A: Arithmetic>(k: &Scalar) -> Extended {
    arch::base_one(k).unwrap_or_else(|| base_extended::<A>(k))
}

/// Windows from the highest down; see [`OddDigits`].
///
/// The sum is an odd multiple u of 2^(6 i), u > 0, before a digit d of magnitude below 64 is added
/// for 2^(6 (i - 1)). They would be equal or opposite if n divided 64 u ± d, which is positive and
/// below n but in the end. There 64 u + d is the scalar, n for k = 0 alone, and 64 u - d = n would
/// need a d of 29 - 128.
pub(super) fn base_extended<A: Arithmetic>(k: &Scalar) -> Extended {
    let digits = OddDigits::of(k, tables::WIDTH * tables::WINDOWS as u32);
    let table = tables::base_windows::<A>();
    let look_up = |window: u32| {
        let (index, negative) = digits.at(window * tables::WIDTH, tables::WIDTH);
        let mut index = [index, 0, 0, 0];
        strike(Place::Digit(window), &mut index);
        let [x, y] = A::look_up(&table[window as usize], index[0]);
        Affine { x, y }.negate_if::<A>(negative)
    };
    let highest = tables::WINDOWS as u32 - 1;
    let mut sum = Extended::from_affine(&look_up(highest));
    strike(Place::Sum(highest), &mut sum.x.0);
    // One look-up ahead, so that no addition waits for its own.
    let mut next = look_up(highest - 1);
    for window in (0..highest).rev() {
        let addend = next;
        if window > 0 {
            next = look_up(window - 1);
        }
        sum.add_distinct::<A>(&addend);
        strike(Place::Sum(window), &mut sum.x.0);
    }
    sum.negate_if::<A>(digits.negated)
}

const SECRET_WIDTH: u32 = 5;
const SECRET_WINDOWS: u32 = 51;

/// Windows from the highest down; see [`OddDigits`]. Above the 51 windows stands the digit 1.
///
/// As in [`base_extended`], no addition but the last meets equal points; the last does for n - 6,
/// which adds -3 P to -3 P, and is complete.
pub(super) fn secret_jacobian<A: Arithmetic>(k: &Scalar, point: &Affine) -> Jacobian {
    let digits = OddDigits::of(k, SECRET_WIDTH * SECRET_WINDOWS);
    let multiples = tables::odd_multiples::<A, { 1 << (SECRET_WIDTH - 1) }>(&point.to_jacobian());
    let table = multiples.map(|multiple| {
        let Addend { point: Jacobian { x, y, z }, z_squared, z_cubed } = multiple.to_addend::<A>();
        [x, y, z, z_squared, z_cubed]
    });
    let mut sum = point.to_jacobian();
    for window in (0..SECRET_WINDOWS).rev() {
        for _ in 0..SECRET_WIDTH {
            sum.double::<A>();
        }
        let (index, negative) = digits.at(window * SECRET_WIDTH, SECRET_WIDTH);
        let [x, y, z, z_squared, z_cubed] = A::look_up(&table, index);
        let y = Fe::select(negative, &A::sub(&Fe::ZERO, &y), &y);
        let addend = Addend { point: Jacobian { x, y, z }, z_squared, z_cubed };
        if window == 0 {
            sum = sum.add_complete::<A>(&addend);
        } else {
            sum.add_distinct::<A>(&addend);
        }
    }
    let y = Fe::select(digits.negated, &A::sub(&Fe::ZERO, &sum.y), &sum.y);
    Jacobian { y, ..sum }
}

/// A scalar k or n - k, whichever is odd, as digits none of which is zero. It may be secret.
///
/// The digit of a window of w bits is 2 v + 1 - 2^w, v being the w bits from the window's second
/// bit on: an odd number of either sign, below 2^w in magnitude. What is left above the last window
/// is one more digit, which is positive.
pub(super) struct OddDigits {
    /// The number, and above it the bit that makes the last digit positive of windows that reach so far.
    odd: [u64; 5],
    /// Ones if the digits are those of n - k.
    negated: u64,
}

impl Drop for OddDigits {
    fn drop(&mut self) {
        self.odd.zeroize();
    }
}

impl OddDigits {
    /// Of windows that end there, below bit 300.
    pub(super) fn of(k: &Scalar, end: u32) -> Self {
        let negated = (k.0[0] & 1).wrapping_sub(1);
        let opposite = limbs::sub(&scalar::N, &k.0).0;
        let [a, b, c, d] = limbs::select(negated, &opposite, &k.0);
        Self { odd: [a, b, c, d, 1 << end.saturating_sub(256)], negated }
    }

    /// Ones if the digits are those of n - k.
    pub(super) fn negated(&self) -> u64 {
        self.negated
    }

    /// Of windows that end at bit 256, the bits that make their digits.
    pub(super) fn halved(&self) -> Limbs {
        core::array::from_fn(|limb| self.odd[limb] >> 1 | self.odd[limb + 1] << 63)
    }

    /// Half of the magnitude, rounded down, of the digit of the window that starts there; ones if it is
    /// negative.
    #[inline(always)]
    pub(super) fn at(&self, start: u32, width: u32) -> (u64, u64) {
        let position = start + 1;
        let (limb, shift) = ((position / 64) as usize, position % 64);
        let above = self.odd.get(limb + 1).copied().unwrap_or(0);
        let high = if shift == 0 { 0 } else { above << (64 - shift) };
        let bits = self.odd[limb] >> shift | high;
        let negative = (bits >> (width - 1) & 1).wrapping_sub(1);
        ((bits ^ negative) & ((1 << (width - 1)) - 1), negative)
    }
}

const POINT_WIDTH: u32 = 5;

/// Doublings of one sum, to which the odd multiples of both points are added where the digits ask.
fn public_sum<A: Arithmetic>(s: &Scalar, t: &Scalar, point: &Affine) -> Jacobian {
    let [base_multiples, ..] = tables::base_pieces::<A>();
    let point_multiples =
        tables::odd_multiples::<A, { 1 << (POINT_WIDTH - 2) }>(&point.to_jacobian())
            .map(|multiple| multiple.to_addend::<A>());
    let base_digits = non_adjacent_form(&s.0, tables::BASE_WIDTH);
    let point_digits = non_adjacent_form(&t.0, POINT_WIDTH);
    let mut sum = Jacobian::INFINITY;
    for (&base_digit, &point_digit) in base_digits.iter().zip(&point_digits).rev() {
        if sum.is_infinity() == 0 {
            sum.double::<A>();
        }
        if point_digit != 0 {
            let mut addend = point_multiples[usize::from(point_digit.unsigned_abs() / 2)];
            if point_digit < 0 {
                addend.point.y = A::sub(&Fe::ZERO, &addend.point.y);
            }
            sum.add_public::<A>(&addend);
        }
        add_multiple::<A, _>(&mut sum, base_digit, base_multiples);
    }
    sum
}

/// As [`public_sum`], with the pieces of both scalars side by side: a fraction of the doublings.
fn public_sum_by_table<A: Arithmetic>(s: &Scalar, t: &Scalar, windows: &Windows) -> Jacobian {
    let base_digits = non_adjacent_form(&s.0, tables::BASE_WIDTH);
    let point_digits = non_adjacent_form(&t.0, tables::POINT_WIDTH);
    let mut sum = Jacobian::INFINITY;
    for place in (0..SPAN).rev() {
        if sum.is_infinity() == 0 {
            sum.double::<A>();
        }
        let places = (place..DIGITS).step_by(SPAN);
        for ((place, base), point) in places.zip(tables::base_pieces::<A>()).zip(windows) {
            add_multiple::<A, _>(&mut sum, base_digits[place], base);
            add_multiple::<A, _>(&mut sum, point_digits[place], point);
        }
    }
    sum
}

/// Adds the multiple of that digit, which is zero or odd: nothing or one of P, 3 P, 5 P, …
#[inline(always)]
fn add_multiple<A: Arithmetic, const COUNT: usize>(
    sum: &mut Jacobian,
    digit: i16,
    multiples: &[Affine; COUNT],
) {
    if digit == 0 {
        return;
    }
    let mut addend = multiples[usize::from(digit.unsigned_abs() / 2)];
    if digit < 0 {
        addend.y = A::sub(&Fe::ZERO, &addend.y);
    }
    sum.add_affine_public::<A>(&addend);
}

fn has_x<A: Arithmetic>(point: &Jacobian, expected: &Scalar) -> bool {
    point.is_infinity() == 0 && x_is::<A>(&point.x, &A::sqr(&point.z), expected)
}

/// Compares without leaving projective coordinates: X = x Z^2 for x = `expected` or `expected` + n.
fn x_is<A: Arithmetic>(scaled: &Fe, z_squared: &Fe, expected: &Scalar) -> bool {
    let matches = |x: &Limbs| {
        Fe::from_limbs::<A>(x).is_some_and(|x| A::mul(&x, z_squared).is_equal(scaled) != 0)
    };
    let (larger, carry) = expected.plus_order();
    matches(&expected.0) || (carry == 0 && matches(&larger))
}

/// Digits of the pieces of a scalar, all together.
const DIGITS: usize = PIECES * SPAN;

/// Odd digits below 2^(width-1) in magnitude, at least `width - 1` zeros between them, lowest
/// first. The time depends on the scalar.
fn non_adjacent_form(scalar: &Limbs, width: u32) -> [i16; DIGITS] {
    let mut digits = [0; DIGITS];
    let mut carry = 0;
    let mut position = 0;
    while position < 257 {
        let value = bits_at(scalar, position, width) + carry;
        if value & 1 == 0 {
            position += 1;
            continue;
        }
        carry = value >> (width - 1) & 1;
        digits[position] = (value as i16) - ((carry as i16) << width);
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

    /// [k] P by doublings and complete additions, bit by bit.
    fn bit_by_bit(k: &Scalar, point: &Affine) -> Jacobian {
        let addend = point.to_jacobian().to_addend::<Portable>();
        let mut sum = Jacobian::INFINITY;
        for bit in (0..256).rev() {
            sum.double::<Portable>();
            let with = sum.add_complete::<Portable>(&addend);
            sum = if k.0[bit / 64] >> (bit % 64) & 1 == 1 { with } else { sum };
        }
        sum
    }

    fn coordinates(point: Option<Affine>) -> Option<(Limbs, Limbs)> {
        point.map(|point| (point.x.0, point.y.0))
    }

    /// Numbers at both ends of the range, with runs of ones and zeros, and others.
    fn scalars() -> Vec<Scalar> {
        let zero = Scalar::default();
        let small = (0..70).map(|number| Scalar([number, 0, 0, 0]));
        let powers = (0..256).step_by(3).map(|bit| {
            let mut power = [0; 4];
            power[bit / 64] = 1 << (bit % 64);
            Scalar::from_limbs_reduced(&power)
        });
        let other = (1..40u8).map(|byte| Scalar::reduced(&[byte.wrapping_mul(53); 32]));
        let near_both: Vec<Scalar> = small.flat_map(|k| [zero.sub(&k), k]).collect();
        let beside = powers.flat_map(|k| [k, k.sub(&Scalar::ONE), zero.sub(&k)]);
        beside.chain(near_both).chain(other).collect()
    }

    #[test]
    fn secret_multiples_are_those_found_bit_by_bit() {
        let point = base(&Scalar::reduced(&[0x5b; 32])).unwrap_or(G);
        for k in scalars() {
            let expected = coordinates(bit_by_bit(&k, &G).to_affine::<Portable>());
            assert_eq!(coordinates(base(&k)), expected, "{k:x?}");
            let portable = base_extended::<Portable>(&k).to_affine::<Portable>();
            assert_eq!(coordinates(portable), expected, "{k:x?}");
            let expected = coordinates(bit_by_bit(&k, &point).to_affine::<Portable>());
            assert_eq!(coordinates(secret(&k, &point)), expected, "{k:x?}");
            let portable = secret_jacobian::<Portable>(&k, &point).to_affine::<Portable>();
            assert_eq!(coordinates(portable), expected, "{k:x?}");
        }
    }

    #[test]
    fn public_sums_are_those_found_bit_by_bit() {
        let some = Scalar::reduced(&[0x5b; 32]);
        let point = base(&some).unwrap_or(G);
        let windows = windows_of(&point);
        let scalars = scalars();
        for (s, t) in scalars.iter().zip(scalars.iter().rev().step_by(2)) {
            let addend = bit_by_bit(t, &point).to_addend::<Portable>();
            let sum = bit_by_bit(s, &G).add_complete::<Portable>(&addend);
            let Some(x) = sum.to_affine::<Portable>().map(|sum| sum.x) else { continue };
            let x = Scalar::from_limbs_reduced(&x.to_limbs::<Portable>());
            let wrong = x.add(&Scalar::ONE);
            assert!(public_sum_has_x(s, t, &point, &x), "{s:x?} {t:x?}");
            assert!(public_sum_by_table_has_x(s, t, &windows, &x), "{s:x?} {t:x?}");
            assert!(!public_sum_has_x(s, t, &point, &wrong), "{s:x?} {t:x?}");
            assert!(!public_sum_by_table_has_x(s, t, &windows, &wrong), "{s:x?} {t:x?}");
        }
    }

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
