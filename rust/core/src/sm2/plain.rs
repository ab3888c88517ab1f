//! The standard's steps one after the other: the yardstick for what optimisation brings.
//!
//! Multiples are computed bit by bit and without tables, and what a key could keep is computed anew
//! each time. How long it takes tells secrets: `meterseal lab` measures with it, and nothing else may
//! use it.

use super::danger::given_scalar;
use super::encoding::{encode_point, field_bytes};
use super::field::Arithmetic;
use super::key::{PrivateKey, PublicKey};
use super::multiply::dispatch;
use super::point::{Affine, G, Jacobian};
use super::scalar::Scalar;
use super::sign::Signature;
use crate::error::Error;

const ANOTHER: Error = Error::InvalidInput("the standard asks for another nonce");

/// Signs e with that nonce (GB/T 32918.2-2016, 6.1).
///
/// # Errors
/// [`Error::InvalidInput`] unless the nonce is of 1 to n-1 and the standard accepts it for e.
pub fn sign_digest(key: &PrivateKey, e: &[u8; 32], nonce: &[u8; 32]) -> Result<Signature, Error> {
    let k = given_scalar(nonce)?;
    // A4: (x1, y1) = [k] G
    let point = multiple(&k, &G).ok_or(ANOTHER)?;
    // A5: r = (e + x1) mod n
    let r = Scalar::reduced(e).add(&Scalar::reduced(&field_bytes(&point.x)));
    // A6: s = (1 + d)^-1 (k - r d) mod n
    let inverse = Scalar::ONE.add(key.scalar()).invert_to_montgomery();
    let s = k.sub(&r.mul(key.scalar())).mul_montgomery(&inverse);
    if r.is_zero() | r.add(&k).is_zero() | s.is_zero() != 0 {
        return Err(ANOTHER);
    }
    Ok(Signature { r, s })
}

/// Verifies the signature of e (GB/T 32918.2-2016, 7.1).
///
/// # Errors
/// [`Error::InvalidSignature`].
pub fn verify_digest(key: &PublicKey, signature: &Signature, e: &[u8; 32]) -> Result<(), Error> {
    let Signature { r, s } = signature;
    // B5: t = (r + s) mod n
    let t = r.add(s);
    // B6: (x1, y1) = [s] G + [t] P
    let x = sum_of_multiples(s, &t, key.point()).ok_or(Error::InvalidSignature)?.x;
    // B7: R = (e + x1) mod n, which must be r
    let found = Scalar::reduced(e).add(&Scalar::reduced(&field_bytes(&x)));
    if t.is_zero() | !found.is_equal(r) == 0 { Ok(()) } else { Err(Error::InvalidSignature) }
}

/// The public key of that private key: 04, x, y (GB/T 32918.1-2016, 6.1).
///
/// # Errors
/// [`Error::InvalidInput`] unless the number is of 1 to n-1.
pub fn public_key(private_key: &[u8; 32]) -> Result<[u8; 65], Error> {
    let point = multiple(&given_scalar(private_key)?, &G).ok_or(ANOTHER)?;
    Ok(encode_point(&point))
}

/// The x coordinate of `[d]P`.
///
/// # Errors
/// [`Error::InvalidInput`] unless the number is of 1 to n-1.
pub fn exchange_ecdh(private_key: &[u8; 32], peer: &PublicKey) -> Result<[u8; 32], Error> {
    let point = multiple(&given_scalar(private_key)?, peer.point()).ok_or(ANOTHER)?;
    Ok(field_bytes(&point.x))
}

fn multiple(k: &Scalar, point: &Affine) -> Option<Affine> {
    dispatch!(A => bit_by_bit::<A>(k, point).to_affine::<A>())
}

/// [s] G + [t] P
fn sum_of_multiples(s: &Scalar, t: &Scalar, point: &Affine) -> Option<Affine> {
    dispatch!(A => {
        let mut sum = bit_by_bit::<A>(s, &G);
        sum.add_public::<A>(&bit_by_bit::<A>(t, point).to_addend::<A>());
        sum.to_affine::<A>()
    })
}

/// GB/T 32918.1-2016, A.3.2, algorithm one.
fn bit_by_bit<A: Arithmetic>(k: &Scalar, point: &Affine) -> Jacobian {
    let mut sum = Jacobian::INFINITY;
    for bit in (0..256).rev() {
        sum.double::<A>();
        if (k.0[bit / 64] >> (bit % 64)) & 1 == 1 {
            sum.add_affine_public::<A>(point);
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::super::danger;
    use super::*;

    const E: [u8; 32] = [9; 32];
    const NONCE: [u8; 32] = [0x5b; 32];

    #[test]
    fn gives_what_the_optimised_way_gives() -> Result<(), Error> {
        let key = PrivateKey::from_bytes(&[7; 32])?;
        let plain = sign_digest(&key, &E, &NONCE)?;
        let optimised = danger::sign_digest_with_nonce(&key, &E, &NONCE)?;
        assert!(plain.r.is_equal(&optimised.r) & plain.s.is_equal(&optimised.s) != 0);
        verify_digest(key.public_key(), &plain, &E)?;
        assert_eq!(public_key(&[7; 32])?, key.public_key().to_bytes());
        let peer = PrivateKey::from_bytes(&[8; 32])?;
        let shared = exchange_ecdh(&[7; 32], peer.public_key())?;
        assert_eq!(shared[..], key.exchange_ecdh(peer.public_key())?[..]);
        Ok(())
    }

    #[test]
    fn refuses_what_was_not_signed() -> Result<(), Error> {
        let key = PrivateKey::from_bytes(&[7; 32])?;
        let signature = sign_digest(&key, &E, &NONCE)?;
        let refused = verify_digest(key.public_key(), &signature, &[8; 32]);
        assert_eq!(refused, Err(Error::InvalidSignature));
        assert!(sign_digest(&key, &E, &[0; 32]).is_err());
        assert!(public_key(&[0xff; 32]).is_err());
        Ok(())
    }
}
