//! The lanes against the scalar code, whatever the CPU has.

use std::sync::OnceLock;

use proptest::prelude::*;

use super::lanes::{Emulated, Twice};
use super::*;
use crate::sm2::field::{Arithmetic, Fe, P, Portable};
use crate::sm2::limbs;
use crate::sm2::multiply::{self as scalar_multiply, OddDigits};
use crate::sm2::point::G;
use crate::sm2::scalar::N;

type Factor = field::Factor<Emulated>;

fn lanes_of(values: &[Fe; 8]) -> Factor {
    Factor::gather(|lane| &values[lane])
}

fn values_of(factor: &Factor) -> [Limbs; 8] {
    let mut values = [[0; 4]; 8];
    factor.scatter(|lane, value| values[lane] = value.0);
    values
}

/// Limbs at which carries and borrows run far.
fn limb() -> impl Strategy<Value = u64> {
    prop_oneof![
        Just(0),
        Just(1),
        Just(u64::MAX),
        Just(u64::MAX - 1),
        Just(P[1]),
        Just(P[3]),
        Just((1 << 52) - 1),
        Just(1 << 52),
        any::<u64>(),
    ]
}

fn element() -> impl Strategy<Value = Fe> {
    [limb(), limb(), limb(), limb()].prop_map(|limbs| Fe(limbs::reduce_once(&limbs, 0, &P)))
}

fn elements() -> impl Strategy<Value = [Fe; 8]> {
    proptest::array::uniform8(element())
}

fn scalar(bytes: [u8; 32]) -> Scalar {
    Scalar::reduced(&bytes)
}

fn small(value: u64) -> Scalar {
    Scalar([value, 0, 0, 0])
}

/// Scalars for which windows are zero, full, or wrap around n.
fn edge_scalars() -> Vec<Scalar> {
    let zero = small(0);
    let mut scalars: Vec<_> = [1, 2, 3, 31, 32, 33, 64, 65, 127, 128].map(small).to_vec();
    scalars.extend([1, 2, 3, 5, 6, 7, 16, 17, 64].map(|value| zero.sub(&small(value))));
    scalars.push(Scalar([0, 0, 0, 1 << 63]));
    scalars.push(Scalar(limbs::reduce_once(&[u64::MAX; 4], 0, &N)));
    scalars.extend((1..12u8).map(|byte| scalar([byte.wrapping_mul(0x55); 32])));
    scalars
}

fn table() -> &'static BaseTable {
    static TABLE: OnceLock<Box<BaseTable>> = OnceLock::new();
    TABLE.get_or_init(make_base_table::<Emulated>)
}

fn coordinates(points: &[Affine]) -> Vec<(Limbs, Limbs)> {
    points.iter().map(|point| (point.x.0, point.y.0)).collect()
}

fn point_of(k: &Scalar) -> Affine {
    scalar_multiply::base(k).unwrap_or_else(|| panic!("a scalar that is not zero"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn arithmetic_is_that_of_the_scalar_field(a in elements(), b in elements()) {
        let (x, y) = (lanes_of(&a), lanes_of(&b));
        let each = |act: fn(&Fe, &Fe) -> Fe| core::array::from_fn(|lane| act(&a[lane], &b[lane]).0);
        prop_assert_eq!(values_of(&x), a.map(|value| value.0));
        prop_assert_eq!(values_of(&x.times(&y).to_factor()), each(Portable::mul));
        prop_assert_eq!(values_of(&x.times(&y).to_factor_quickly()), each(Portable::mul));
        prop_assert_eq!(values_of(&x.squared().to_factor_quickly()), each(|a, _| Portable::sqr(a)));
        prop_assert_eq!(values_of(&x.to_sum().plus(&y.to_sum()).to_factor()), each(Portable::add));
        let difference = x.to_sum().minus(&y.to_sum());
        prop_assert_eq!(values_of(&difference.to_factor()), each(Portable::sub));
        for lane in 0..8 {
            prop_assert_eq!(difference.is_zero() >> lane & 1 == 1, a[lane].0 == b[lane].0);
        }
        // Eight times a difference of products is the largest sum that a formula makes.
        let wide = x.times(&y).minus(&x.squared()).shifted::<3>().to_factor();
        let eight = |value: &Fe| (0..3).fold(*value, |v, _| Portable::add(&v, &v));
        let narrow = each(|a, b| Portable::sub(&Portable::mul(a, b), &Portable::sqr(a)));
        prop_assert_eq!(values_of(&wide), narrow.map(|value| eight(&Fe(value)).0));
        let again = wide.times(&wide).to_factor_quickly();
        prop_assert_eq!(values_of(&again), values_of(&wide).map(|v| Portable::sqr(&Fe(v)).0));
    }
}

#[test]
fn zero_is_known_in_each_of_its_forms() {
    let zero = Factor::gather(|_| &Fe::ZERO).to_sum();
    let one = Factor::one().to_sum();
    assert_eq!(zero.is_zero(), 0xff);
    assert_eq!(one.is_zero(), 0);
    assert_eq!(one.minus(&one).is_zero(), 0xff);
    // The same number with another multiple of p in it.
    let other = one.minus(&one.shifted::<4>()).plus(&one.shifted::<4>()).to_factor();
    assert_eq!(other.to_sum().minus(&one).is_zero(), 0xff);
}

#[test]
fn an_inverse_is_the_inverse_and_that_of_zero_is_zero() {
    let values: [Fe; 8] = core::array::from_fn(|i| Fe([i as u64, 7, 1 << i, i as u64 * 3]));
    let product = lanes_of(&values).times(&lanes_of(&values).invert()).to_factor();
    let one = |value: Fe| if value.is_zero() == 0 { Fe::ONE.0 } else { [0; 4] };
    assert_eq!(values_of(&product), values.map(one));
    assert_eq!(values_of(&lanes_of(&[Fe::ZERO; 8]).invert()), [[0; 4]; 8]);
}

#[test]
fn multiples_of_the_base_point_are_those_of_the_scalar_code() {
    let scalars = edge_scalars();
    let expected: Vec<_> = scalars.iter().map(point_of).collect();
    for count in [0, 1, 7, 8, 9, 16, 17, scalars.len()] {
        let found = base_all::<Emulated>(&scalars[..count], table());
        assert_eq!(coordinates(&found), coordinates(&expected[..count]), "{count}");
    }
    let found = base_all::<Twice<Emulated>>(&scalars, table());
    assert_eq!(coordinates(&found), coordinates(&expected));
}

#[test]
fn multiples_of_any_point_are_those_of_the_scalar_code() {
    let scalars = edge_scalars();
    let points: Vec<_> = scalars.iter().rev().map(point_of).collect();
    let pairs: Vec<_> = scalars.iter().zip(&points).collect();
    let expected: Vec<_> =
        pairs.iter().filter_map(|(k, point)| scalar_multiply::secret(k, point)).collect();
    let found = variable_all::<Twice<Emulated>>(&pairs);
    assert_eq!(coordinates(&found), coordinates(&expected));
}

fn spread_table() -> &'static spread::Table {
    static TABLE: OnceLock<Box<spread::Table>> = OnceLock::new();
    TABLE.get_or_init(spread::make_table::<Portable>)
}

fn spread_over_lanes(k: &Scalar) -> Option<Affine> {
    spread::base::<Emulated>(k, spread_table()).to_affine::<Portable>()
}

/// Each [k] G by emulated lanes, for 0 < k < n.
pub fn spread_multiples(scalars: &[Scalar]) -> Vec<Affine> {
    let multiple = |k: &Scalar| spread::base::<Emulated>(k, spread_table());
    scalar_multiply::base_together_by::<Portable>(scalars, multiple)
}

/// Numbers with a piece of zeros among ones, and such for which the halves of the lanes would be equal
/// points if they were added last: an order of additions that is wrong for them would be noticed.
fn spread_scalars() -> Vec<Scalar> {
    let mut scalars = edge_scalars();
    for piece in 0..16 {
        let mut limbs = [u64::MAX; 4];
        limbs[piece / 4] ^= 0xffff << (16 * (piece % 4));
        scalars.push(Scalar(limbs::reduce_once(&limbs, 0, &N)));
    }
    for distance in [1, 2, 4, 8] {
        let half = lower_half_of_order(distance);
        let critical = Scalar::default().sub(&half.add(&half));
        scalars.extend([critical, Scalar::default().sub(&critical)]);
    }
    scalars
}

/// Of the odd digits of n those in lanes with a zero for that distance, modulo n.
fn lower_half_of_order(distance: usize) -> Scalar {
    let halved = OddDigits::of(&Scalar::default(), 256).halved();
    let mut sum = Scalar::default();
    for piece in (0..16).filter(|piece| piece & distance == 0) {
        let bits = halved[piece / 4] >> (16 * (piece % 4)) & 0xffff;
        let digit = small(2 * bits + 1).sub(&small(1 << 16));
        let mut power = [0; 4];
        power[piece / 4] = 1 << (16 * (piece % 4));
        sum = sum.add(&digit.mul(&Scalar(power)));
    }
    sum
}

#[test]
fn a_multiple_spread_over_the_lanes_is_that_of_the_scalar_code() {
    for k in spread_scalars() {
        let found = spread_over_lanes(&k).unwrap_or_else(|| panic!("{k:?} gives infinity"));
        assert_eq!(coordinates(&[found]), coordinates(&[point_of(&k)]), "{k:?}");
    }
    assert!(spread_over_lanes(&Scalar::default()).is_none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(50))]

    #[test]
    fn a_random_multiple_spread_over_the_lanes_is_that_of_the_scalar_code(bytes: [u8; 32]) {
        let k = scalar(bytes);
        let found: Vec<_> = spread_over_lanes(&k).into_iter().collect();
        let expected: Vec<_> = scalar_multiply::base_narrow(&k).into_iter().collect();
        prop_assert_eq!(coordinates(&found), coordinates(&expected));
    }
}

/// Sums that are ordinary, doublings, and infinity.
#[test]
fn questions_are_answered_as_the_scalar_code_does() {
    let points = points();
    let (questions, expected) = questions(&points);
    assert_eq!(answer_all::<Emulated>(&questions, table()), expected);
    assert_eq!(answer_all::<Twice<Emulated>>(&questions, table()), expected);
    let tables: Vec<_> =
        questions.iter().map(|question| scalar_multiply::windows_of(question.point)).collect();
    let known: Vec<_> =
        questions.iter().zip(&tables).map(|(question, table)| (*question, &**table)).collect();
    let expected: Vec<_> = expected.into_iter().map(Some).collect();
    assert_eq!(answer_all_by_tables::<Emulated>(&known, table()), expected);
    assert_eq!(answer_all_by_tables::<Twice<Emulated>>(&known, table()), expected);
}

/// The sum that lanes make of the pieces of both numbers, or none for the few that no addition can do.
#[test]
fn a_sum_with_a_known_point_in_lanes_is_that_of_the_scalar_code_or_there_is_none() {
    let (points, mut none) = (points(), 0);
    let windows = points.each_ref().map(scalar_multiply::windows_of);
    let scalars = edge_scalars();
    for (number, (s, t)) in scalars.iter().zip(scalars.iter().rev()).enumerate() {
        let (point, windows) = (&points[number % 2], &windows[number % 2]);
        let sum = spread::sum_with_known::<Emulated>(s, t, windows, spread_table());
        let Some(sum) = sum.to_affine::<Portable>() else {
            none += 1;
            continue;
        };
        let expected = scalar_multiply::sum_with_multiple(&point_of(s), t, point);
        let expected = expected.unwrap_or_else(|| panic!("{s:?} and {t:?} give infinity"));
        assert_eq!(coordinates(&[sum]), coordinates(&[expected]), "{s:?} {t:?}");
    }
    assert!(none <= 3, "{none}");
    let (one, minus_one) = (Scalar::ONE, Scalar::default().sub(&Scalar::ONE));
    let infinity = spread::sum_with_known::<Emulated>(&one, &one, &windows[1], spread_table());
    assert!(infinity.to_affine::<Portable>().is_none());
    let two = spread::sum_with_known::<Emulated>(&minus_one, &one, &windows[1], spread_table());
    assert!(two.to_affine::<Portable>().is_none_or(|two| two.x.0 == point_of(&small(2)).x.0));
}

/// Multiples by tables over all edges, those that no addition on the way can do but told.
#[test]
fn answers_by_tables_are_right_or_there_is_none() {
    let point = point_of(&scalar([0x5b; 32]));
    let (windows, s) = (scalar_multiply::windows_of(&point), scalar([0x31; 32]));
    let mut known = Vec::new();
    for t in edge_scalars() {
        let sum = scalar_multiply::sum_with_multiple(&point_of(&s), &t, &point);
        let x = sum.map_or([0; 4], |sum| sum.x.to_limbs::<Portable>());
        known.push((Question { s, t, point: &point, x }, &*windows));
    }
    let answers = answer_all_by_tables::<Emulated>(&known, table());
    assert!(answers.iter().all(|answer| *answer != Some(false)));
    assert!(answers.iter().filter(|answer| answer.is_none()).count() <= 2, "{answers:?}");
}

fn points() -> [Affine; 2] {
    let minus_one = Scalar::default().sub(&Scalar::ONE);
    [point_of(&scalar([0x5b; 32])), point_of(&minus_one)]
}

fn questions([first, second]: &[Affine; 2]) -> (Vec<Question<'_>>, Vec<bool>) {
    let one = Scalar::ONE;
    let minus_one = one.sub(&one).sub(&one);
    let some = scalar([0x5b; 32]);
    let cases = [
        (some, minus_one, first), // s G - s G: infinity
        (some, one, first),       // s G + s G
        (some, one, second),
        (one, one, second), // infinity
        (one, one, &G),
        (one, minus_one, second), // G + G
        (minus_one, some, first),
        (some, some, second), // infinity
        (scalar([0xa7; 32]), scalar([0x11; 32]), first),
    ];
    let mut questions = Vec::new();
    let mut expected = Vec::new();
    for (s, t, point) in cases {
        let sum = scalar_multiply::sum_with_multiple(&point_of(&s), &t, point);
        let x = sum.map_or([5, 0, 0, 0], |sum| sum.x.to_limbs::<Portable>());
        for x in [x, [x[0] ^ 1, x[1], x[2], x[3]], [0; 4]] {
            questions.push(Question { s, t, point, x });
            expected.push(sum.is_some_and(|sum| sum.x.to_limbs::<Portable>() == x));
        }
    }
    (questions, expected)
}
