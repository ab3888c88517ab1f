//! No branch and no address depends on a secret: shown by memcheck, to which secrets are undefined.
//!
//! Run by tests/crypto/test_constant_time.py; without Valgrind there is nothing to see.

use core::hint::black_box;

use super::arch::x86_64::Adx;
use super::field::{Arithmetic, Fe, Portable};
use super::key::PrivateKey;
use super::limbs::{self, Limbs};
use super::multiply;
use super::point::G;
use super::scalar::Scalar;
use crate::arch::valgrind;
use crate::hmac::HmacSm3;

const NUMBER: Limbs =
    [0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210, 0x0f1e_2d3c_4b5a_6978, 0x8796_a5b4_c3d2_e1f0];

#[test]
fn no_branch_and_no_address_depends_on_a_secret() {
    if !valgrind::is_running() {
        return;
    }
    assert_constant_time::<Portable>("portable");
    // Valgrind hides ADX from those who ask, yet emulates it on every CPU.
    assert_constant_time::<Adx>("x86-64");
    check("inverse modulo n", 0, |k| black_box(k.invert_to_montgomery()));
    check("product modulo n", 0, |k| black_box(k.mul(k)));
    check("sum and difference modulo n", 0, |k| black_box(k.add(k).sub(&Scalar::ONE)));
    check("HMAC for nonces", 0, |k| black_box(HmacSm3::mac(&k.to_bytes(), &[&k.to_bytes()])));
    // Three declared branches of one signature: whether the point is infinity, whether it is on
    // the curve, whether r, r + k or s is zero. None is ever taken.
    check("signature", 4, |k| {
        let key = PrivateKey::from_bytes(&[7; 32]);
        let commitment = super::sign::Commitment::new(*k);
        key.and_then(|key| Ok(key.answer(&commitment?, &[9; 32])))
    });
}

#[test]
fn a_planted_leak_is_seen() {
    if !valgrind::is_running() {
        return;
    }
    let before = valgrind::errors();
    let mut k = Scalar(NUMBER);
    valgrind::make_secret(&mut k);
    black_box(multiply::public_sum_has_x(&k, &Scalar::ONE, &G, &Scalar::ONE));
    assert!(valgrind::errors() > before, "memcheck does not see a branch on a secret");
}

fn assert_constant_time<A: Arithmetic>(name: &str) {
    check(&format!("[k] G, {name}"), 0, |k| black_box(multiply::base_jacobian::<A>(k)));
    check(&format!("[k] P, {name}"), 0, |k| black_box(multiply::secret_jacobian::<A>(k, &G)));
    check(&format!("inverse modulo p, {name}"), 0, |k| {
        black_box(Fe(limbs::reduce_once(&k.0, 0, &super::field::P)).invert::<A>())
    });
}

/// Runs `act` on a secret and demands no more errors than the branches declared.
fn check<T>(name: &str, declared: usize, act: impl FnOnce(&Scalar) -> T) {
    let mut k = Scalar(NUMBER);
    valgrind::make_secret(&mut k);
    let before = valgrind::errors();
    let result = act(&k);
    let seen = valgrind::errors() - before;
    core::mem::forget(result);
    valgrind::make_public(&mut k);
    assert!(seen <= declared, "{name}: {seen} uses of a secret, {declared} declared");
}
