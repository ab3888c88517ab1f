//! Both fields against arithmetic whose code was made together with its proof: that of fiat-crypto.

use fiat_crypto::sm2_64::{
    fiat_sm2_add, fiat_sm2_from_montgomery, fiat_sm2_montgomery_domain_field_element as Element,
    fiat_sm2_mul, fiat_sm2_non_montgomery_domain_field_element as Plain, fiat_sm2_set_one,
    fiat_sm2_square, fiat_sm2_sub,
};
use fiat_crypto::sm2_scalar_64::{
    fiat_sm2_scalar_add, fiat_sm2_scalar_from_montgomery,
    fiat_sm2_scalar_montgomery_domain_field_element as ScalarElement, fiat_sm2_scalar_mul,
    fiat_sm2_scalar_non_montgomery_domain_field_element as PlainScalar, fiat_sm2_scalar_sub,
    fiat_sm2_scalar_to_montgomery,
};
use proptest::prelude::*;

use super::field::{Arithmetic, Fe, P};
use super::limbs::{self, Limbs};
use super::multiply::dispatch;
use super::scalar::{N, Scalar};
use crate::test_support::on_every_backend;

/// What a function of fiat-crypto leaves in its first argument.
macro_rules! proved {
    ($kind:ident, $function:ident $(, $argument:expr)*) => {{
        let mut out = $kind([0; 4]);
        $function(&mut out $(, $argument)*);
        out
    }};
}

/// Limbs at which carries and borrows run far.
fn limb() -> impl Strategy<Value = u64> {
    let edges = [0, 1, 2, u64::MAX, u64::MAX - 1, 1 << 63, (1 << 63) - 1, (1 << 32) - 1, 1 << 32];
    prop_oneof![
        proptest::sample::select(edges.to_vec()),
        proptest::sample::select([P, N].concat()),
        any::<u64>(),
    ]
}

/// Numbers below the modulus, often at its edge.
fn below(modulus: Limbs) -> impl Strategy<Value = Limbs> {
    let any = [limb(), limb(), limb(), limb()];
    prop_oneof![
        any.prop_map(move |number| limbs::reduce_once(&number, 0, &modulus)),
        (1..40_u64).prop_map(move |less| limbs::sub(&modulus, &[less, 0, 0, 0]).0),
        (0..40_u64).prop_map(|small| [small, 0, 0, 0]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn the_field_is_the_proved_one(
        a in below(P), b in below(P), c in below(P), d in below(P),
    ) {
        let [ours_a, ours_b, ours_c, ours_d] = [a, b, c, d].map(Fe);
        let [a, b, c, d] = [a, b, c, d].map(Element);
        let mul = |a: &Element, b: &Element| proved!(Element, fiat_sm2_mul, a, b);
        let square = |a: &Element| proved!(Element, fiat_sm2_square, a);
        let add = |a: &Element, b: &Element| proved!(Element, fiat_sm2_add, a, b);
        let sub = |a: &Element, b: &Element| proved!(Element, fiat_sm2_sub, a, b);
        let expected = [
            mul(&a, &b),
            square(&a),
            add(&a, &b),
            sub(&a, &b),
            mul(&a, &add(&b, &c)),
            sub(&mul(&a, &b), &mul(&c, &d)),
            sub(&mul(&a, &b), &square(&c)),
        ];
        let ours = on_every_backend(|| dispatch!(A => [
            A::mul(&ours_a, &ours_b),
            A::sqr(&ours_a),
            A::add(&ours_a, &ours_b),
            A::sub(&ours_a, &ours_b),
            A::mul_sum(&ours_a, &ours_b, &ours_c),
            A::mul_sub(&ours_a, &ours_b, &ours_c, &ours_d),
            A::mul_sub_sqr(&ours_a, &ours_b, &ours_c),
        ].map(|value| value.0)));
        prop_assert_eq!(ours, expected.map(|value| value.0));

        let half = on_every_backend(|| dispatch!(A => A::half(&ours_a).0));
        let half = Element(half);
        prop_assert_eq!(add(&half, &half).0, a.0);

        let inverse = on_every_backend(|| dispatch!(A => ours_a.invert::<A>().0));
        let one = proved!(Element, fiat_sm2_set_one);
        let product = mul(&a, &Element(inverse));
        prop_assert_eq!(product.0, if limbs::is_zero(&a.0) == 0 { one.0 } else { [0; 4] });

        let plain = proved!(Plain, fiat_sm2_from_montgomery, &a);
        prop_assert_eq!(on_every_backend(|| dispatch!(A => ours_a.to_limbs::<A>())), plain.0);
        let back = on_every_backend(|| dispatch!(A => Fe::from_limbs::<A>(&plain.0).map(|x| x.0)));
        prop_assert_eq!(back, Some(a.0));
    }

    #[test]
    fn the_scalars_are_the_proved_ones(a in below(N), b in below(N)) {
        let [ours_a, ours_b] = [a, b].map(Scalar);
        let inside = |number: Limbs| proved!(ScalarElement, fiat_sm2_scalar_to_montgomery, &PlainScalar(number));
        let outside = |value: &ScalarElement| proved!(PlainScalar, fiat_sm2_scalar_from_montgomery, value).0;
        let mul = |a: &ScalarElement, b: &ScalarElement| proved!(ScalarElement, fiat_sm2_scalar_mul, a, b);
        let (a, b) = (inside(a), inside(b));
        let sum = proved!(ScalarElement, fiat_sm2_scalar_add, &a, &b);
        let difference = proved!(ScalarElement, fiat_sm2_scalar_sub, &a, &b);
        let expected = [outside(&mul(&a, &b)), outside(&sum), outside(&difference)];
        let ours = on_every_backend(|| {
            [ours_a.mul(&ours_b), ours_a.add(&ours_b), ours_a.sub(&ours_b)].map(|value| value.0)
        });
        prop_assert_eq!(ours, expected);

        let in_montgomery_form = on_every_backend(|| ours_a.to_montgomery().0);
        prop_assert_eq!(in_montgomery_form, a.0);
        let inverse = on_every_backend(|| ours_a.invert_to_montgomery().0);
        let product = mul(&a, &ScalarElement(inverse));
        let one = if limbs::is_zero(&a.0) == 0 { [1, 0, 0, 0] } else { [0; 4] };
        prop_assert_eq!(outside(&product), one);
        let quotient = on_every_backend(|| ours_b.mul_montgomery(&Scalar(inverse)).0);
        let expected = mul(&b, &ScalarElement(inverse));
        prop_assert_eq!(quotient, outside(&expected));
    }
}
