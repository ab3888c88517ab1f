//! Signatures (GB/T 32918.2-2016).
//!
//! With the inverse of 1 + d at hand, A6 is one product: s = (1 + d)^-1 (k + r) - r.

use zeroize::Zeroizing;

use super::encoding::{self, SignatureEncoding};
use super::key::{PrivateKey, PublicKey};
use super::multiply;
use super::nonce::HedgedNonces;
use super::scalar::Scalar;
use crate::drbg::{Randomness, System, process_mark};
use crate::error::Error;
use crate::sm3::Sm3;

/// The two numbers of a signature, each of 1 to n-1.
#[derive(Clone, Copy, Debug)]
pub struct Signature {
    pub(super) r: Scalar,
    pub(super) s: Scalar,
}

impl Signature {
    /// From its encoding.
    ///
    /// # Errors
    /// [`Error::InvalidSignature`] for anything but the one encoding of numbers of 1 to n-1.
    pub fn from_bytes(bytes: &[u8], encoding: SignatureEncoding) -> Result<Self, Error> {
        encoding::decode_signature(bytes, encoding)
    }

    /// To its encoding.
    #[must_use]
    pub fn to_bytes(&self, encoding: SignatureEncoding) -> Vec<u8> {
        encoding::encode_signature(self, encoding)
    }
}

impl PrivateKey {
    /// Signs a message.
    ///
    /// # Errors
    /// [`Error::RandomnessFailure`]; [`Error::InvalidInput`] for an identifier that is too long.
    pub fn sign(&self, message: &[u8], distinguishing_id: &[u8]) -> Result<Signature, Error> {
        // A1, A2: e = SM3(Z, M)
        self.sign_digest(&self.public_key().message_digest(message, distinguishing_id)?)
    }

    /// Signs e.
    ///
    /// # Errors
    /// [`Error::RandomnessFailure`].
    pub fn sign_digest(&self, e: &[u8; 32]) -> Result<Signature, Error> {
        self.sign_digest_with(e, &mut System)
    }

    /// Signs e with that randomness.
    ///
    /// # Errors
    /// [`Error::RandomnessFailure`].
    pub fn sign_digest_with(
        &self,
        e: &[u8; 32],
        randomness: &mut impl Randomness,
    ) -> Result<Signature, Error> {
        let mut nonces = HedgedNonces::new(self.scalar(), Some(e), randomness)?;
        loop {
            // A3: k
            let commitment = Commitment::new(nonces.next_nonce()?)?;
            if let Some(signature) = self.answer(&commitment, e) {
                return Ok(signature);
            }
        }
    }

    /// A5 and A6; `None` if the standard asks for another k.
    pub(super) fn answer(&self, commitment: &Commitment, e: &[u8; 32]) -> Option<Signature> {
        // A5: r = (e + x1) mod n, not 0, and r + k not n
        let r = Scalar::reduced(e).add(&commitment.x);
        let sum = Zeroizing::new(r.add(&commitment.k));
        if r.is_zero() | sum.is_zero() != 0 {
            return None;
        }
        // A6: s = (1 + d)^-1 (k - r d) mod n, not 0
        let s = sum.mul_montgomery(self.inverse()).sub(&r);
        (s.is_zero() == 0).then_some(Signature { r, s })
    }
}

/// A nonce and the x coordinate of its point: what a signature needs before the message is known.
pub(super) struct Commitment {
    k: Zeroizing<Scalar>,
    x: Scalar,
}

impl Commitment {
    /// A4: (x1, y1) = [k] G. A point off the curve would be a fault of the machine: it could reveal
    /// the key, so nothing is signed with it.
    pub(super) fn new(k: Scalar) -> Result<Self, Error> {
        let k = Zeroizing::new(k);
        let point = multiply::base(&k)
            .filter(multiply::is_on_curve)
            .ok_or(Error::RandomnessFailure("the point of the nonce is wrong"))?;
        let x = Scalar::reduced(&encoding::field_bytes(&point.x));
        Ok(Self { k, x })
    }
}

/// Signs a message that comes in pieces, with the point of the nonce computed beforehand.
pub struct Signer {
    key: PrivateKey,
    hash: Sm3,
    commitment: Commitment,
    process: (u32, u64),
}

impl Signer {
    /// Computes Z and the nonce's point. The nonce cannot depend on a message not yet known: it
    /// rests on the private key, the generator, UTC time and the counter.
    ///
    /// # Errors
    /// [`Error::RandomnessFailure`]; [`Error::InvalidInput`] for an identifier that is too long.
    pub fn new(key: &PrivateKey, distinguishing_id: &[u8]) -> Result<Self, Error> {
        let mut hash = Sm3::new();
        hash.update(&key.public_key().z_value(distinguishing_id)?);
        let mut nonces = HedgedNonces::new(key.scalar(), None, &mut System)?;
        let commitment = Commitment::new(nonces.next_nonce()?)?;
        key.inverse();
        Ok(Self { key: key.clone(), hash, commitment, process: process_mark() })
    }

    /// Takes a piece of the message.
    pub fn update(&mut self, data: &[u8]) {
        self.hash.update(data);
    }

    /// The signature; each signer gives one only. After a fork, parent and child would share the
    /// nonce: a signer that finds itself in another process takes a new one.
    ///
    /// # Errors
    /// [`Error::RandomnessFailure`] if another nonce is needed and none is to be had.
    pub fn finish(self) -> Result<Signature, Error> {
        let e = self.hash.finalize();
        let prepared = (self.process == process_mark())
            .then(|| self.key.answer(&self.commitment, &e))
            .flatten();
        prepared.map_or_else(|| self.key.sign_digest(&e), Ok)
    }
}

impl PublicKey {
    /// Verifies the signature of a message.
    ///
    /// # Errors
    /// [`Error::InvalidSignature`]; [`Error::InvalidInput`] for an identifier that is too long.
    pub fn verify(
        &self,
        signature: &Signature,
        message: &[u8],
        distinguishing_id: &[u8],
    ) -> Result<(), Error> {
        // B3, B4: e = SM3(Z, M)
        self.verify_digest(signature, &self.message_digest(message, distinguishing_id)?)
    }

    /// Verifies the signature of e. B1 and B2, the ranges of r and s, hold for every [`Signature`].
    ///
    /// # Errors
    /// [`Error::InvalidSignature`].
    pub fn verify_digest(&self, signature: &Signature, e: &[u8; 32]) -> Result<(), Error> {
        let Signature { r, s } = signature;
        // B5: t = (r + s) mod n, not 0
        let t = r.add(s);
        if t.is_zero() != 0 {
            return Err(Error::InvalidSignature);
        }
        // B6, B7: (e + x1) mod n = r for (x1, y1) = [s] G + [t] P
        let x = r.sub(&Scalar::reduced(e));
        if multiply::public_sum_has_x(s, &t, self.point(), &x) {
            Ok(())
        } else {
            Err(Error::InvalidSignature)
        }
    }
}
