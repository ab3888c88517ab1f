//! No branch and no address depends on a secret: shown by memcheck, to which secrets are undefined.
//!
//! Run by tests/crypto/test_constant_time.py; without Valgrind there is nothing to see.

use core::hint::black_box;

use super::arch::x86_64::Adx;
use super::danger;
use super::encrypt::Layout;
use super::exchange::Role;
use super::field::{Arithmetic, Fe, Portable};
use super::key::PrivateKey;
use super::limbs::{self, Limbs};
use super::multiply;
use super::nonce::HedgedNonces;
use super::point::G;
use super::scalar::Scalar;
use super::sign::Commitment;
use super::wide::tests::spread_multiples;
use crate::arch::valgrind::{self, SECRET_SIZE, watch};
use crate::cpu::{self, Backend};
use crate::drbg::{Noise, Purpose, Randomness, STAMP_LENGTH};
use crate::error::Error;
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
    // Valgrind knows no AVX-512: what stands above its instructions is watched in emulated lanes.
    check("[k] G spread over lanes", 0, |k| black_box(spread_multiples(&[*k])));
    check("inverse modulo n", 0, |k| black_box(k.invert_to_montgomery()));
    check("product modulo n", 0, |k| black_box(k.mul(k)));
    check("sum and difference modulo n", 0, |k| black_box(k.add(k).sub(&Scalar::ONE)));
    check("HMAC for nonces", 0, |k| black_box(HmacSm3::mac(&k.to_bytes(), &[&k.to_bytes()])));
    for backend in [Backend::Portable, Backend::X86_64] {
        cpu::force_under_valgrind(backend);
        watch_keys(backend.name());
        watch_signing(backend.name());
        watch_encryption(backend.name());
        watch_exchange(backend.name());
    }
}

/// Whether the number is in range is public, and whether its point is infinity, which it never is.
fn watch_keys(name: &str) {
    watch(&format!("import of a private key, {name}"), 3, |secret| key(secret));
    // Here the range is looked at twice, once for 1 to n-1 and once for n-2.
    watch(&format!("generation of a private key, {name}"), 4, |secret| {
        PrivateKey::generate_with(&mut Known(&secret[..]))
    });
}

fn watch_signing(name: &str) {
    // Whether the candidate is in range: a candidate that is not is thrown away.
    watch(&format!("a hedged nonce, {name}"), 2, |secret| {
        let d = Scalar::reduced(secret.first_chunk().unwrap_or(&[0; 32]));
        let nonces = HedgedNonces::new(&d, &[9; 32], &mut Known(&secret[32..]));
        nonces.and_then(|mut nonces| nonces.next_nonce())
    });
    // Whether the point is infinity, whether r, r + k or s is zero, whether the result is sound:
    // always no, no, no and yes.
    check(&format!("signature by the nonce, {name}"), 4, |k| {
        Ok::<_, Error>((Commitment::new(*k)?, PrivateKey::from_bytes(&[7; 32])?))
            .and_then(|(commitment, key)| key.answer(&commitment, &[9; 32]))
    });
    // Taking the key in; whether s is zero and the result sound, as above.
    watch(&format!("signature by the key, {name}"), 3 + 2, |secret| {
        let commitment = Commitment::new(Scalar(NUMBER))?;
        key(secret)?.answer(&commitment, &[9; 32])
    });
}

fn watch_encryption(name: &str) {
    let Ok((ciphertext, altered)) = ciphertexts() else { panic!("a good key refused") };
    // Taking the key in; whether the shared point is infinity, whether the key stream is all
    // zeros, whether the check value fits.
    for ciphertext in [ciphertext, altered] {
        watch(&format!("decryption, {name}"), 3 + 3, |secret| {
            secret[..32].copy_from_slice(&secret_key());
            valgrind::make_bytes_secret(&mut secret[..32]);
            key(secret)?.decrypt(&ciphertext, Layout::Der)
        });
    }
    // Whether a point is infinity, and whether the key stream is all zeros.
    let public = PrivateKey::from_bytes(&[7; 32]).map(|key| key.public_key().clone());
    watch(&format!("encryption by the nonce, {name}"), 2, |secret| {
        let k = Scalar::reduced(secret.first_chunk().unwrap_or(&[0; 32]));
        public.as_ref().ok().and_then(|public| public.encrypt_once(b"reading", &k))
    });
}

fn watch_exchange(name: &str) {
    let peer = PrivateKey::from_bytes(&[7; 32]).map(|key| key.public_key().clone());
    let Ok(peer) = peer else { panic!("a good key refused") };
    // Taking the key in; whether the shared point is infinity.
    watch(&format!("ECDH, {name}"), 3 + 1, |secret| key(secret)?.exchange_ecdh(&peer));
    watch(&format!("key exchange, {name}"), 3 + 3 + 1, |secret| {
        let (own, mut ephemeral) = (key(secret)?, key_at(secret, 32)?);
        // What was sent is public.
        ephemeral.declare_public();
        danger::exchange_with_ephemeral(&own, &ephemeral, Role::Initiator, b"id")?
            .agree(&peer, &peer, 48, b"id")
    });
    // Whether the confirmation is right is not branched on here.
    watch(&format!("confirmation of a key, {name}"), 3 + 3 + 1, |secret| {
        let (own, mut ephemeral) = (key(secret)?, key_at(secret, 32)?);
        ephemeral.declare_public();
        danger::exchange_with_ephemeral(&own, &ephemeral, Role::Responder, b"id")?
            .agree(&peer, &peer, 48, b"id")?
            .verify_confirmation(&[1; 32])
    });
}

fn key(secret: &[u8; SECRET_SIZE]) -> Result<PrivateKey, Error> {
    key_at(secret, 0)
}

fn key_at(secret: &[u8; SECRET_SIZE], start: usize) -> Result<PrivateKey, Error> {
    PrivateKey::from_bytes(&secret[start..start + 32])
}

/// A ciphertext for [`secret_key`], and one whose check value does not fit.
fn ciphertexts() -> Result<(Vec<u8>, Vec<u8>), Error> {
    let key = PrivateKey::from_bytes(&secret_key())?;
    let ciphertext =
        danger::encrypt_with_nonce(key.public_key(), b"reading", &[3; 32], Layout::Der)?;
    let mut altered = ciphertext.clone();
    altered[80] ^= 1;
    Ok((ciphertext, altered))
}

fn secret_key() -> [u8; 32] {
    limbs::to_bytes(&NUMBER)
}

/// Randomness that is known to the test, and secret to memcheck.
struct Known<'a>(&'a [u8]);

impl Randomness for Known<'_> {
    fn fill(&mut self, _: Purpose, out: &mut [u8]) -> Result<(), Error> {
        out.copy_from_slice(&self.0[..out.len()]);
        Ok(())
    }

    fn noise(&mut self, out: &mut [Noise]) -> Result<(), Error> {
        self.fill(Purpose::Signature, out.as_flattened_mut())
    }

    fn stamp(&mut self) -> Result<[u8; STAMP_LENGTH], Error> {
        Ok([0; STAMP_LENGTH])
    }
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
    check(&format!("[k] G, {name}"), 0, |k| black_box(multiply::base_extended::<A>(k)));
    check(&format!("[k] G and [k] G together, {name}"), 0, |k| {
        black_box(multiply::base_together_by::<A>(&[*k, *k], multiply::base_extended::<A>))
    });
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
