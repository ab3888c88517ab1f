//! Signatures (GB/T 32918.2-2016).
//!
//! With the inverse of 1 + d at hand, A6 is one product: s = (1 + d)^-1 (k + r) - r.
//!
//! A bit that turns in memory or in an addition must not make a signature that tells about k or d:
//! each is checked against values kept apart from those it was made of
//! (docs/decisions/0006-faults-in-signing.md).

use core::hint::black_box;

use zeroize::Zeroizing;

use super::encoding::{self, SignatureEncoding};
use super::fault::{Place, strike};
use super::field;
use super::key::{PrivateKey, PublicKey};
use super::limbs;
use super::multiply;
use super::nonce::HedgedNonces;
use super::point::Affine;
use super::scalar::Scalar;
use super::tables::Windows;
use super::wide::Question;
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
    /// [`Error::RandomnessFailure`]; [`Error::InvalidInput`] for an identifier that is too long;
    /// [`Error::FaultDetected`].
    pub fn sign(&self, message: &[u8], distinguishing_id: &[u8]) -> Result<Signature, Error> {
        // A1, A2: e = SM3(Z, M)
        self.sign_digest(&self.public_key().message_digest(message, distinguishing_id)?)
    }

    /// Signs e.
    ///
    /// # Errors
    /// [`Error::RandomnessFailure`]; [`Error::FaultDetected`].
    pub fn sign_digest(&self, e: &[u8; 32]) -> Result<Signature, Error> {
        self.sign_digest_with(e, &mut System)
    }

    /// Signs e with that randomness.
    ///
    /// # Errors
    /// [`Error::RandomnessFailure`]; [`Error::FaultDetected`].
    pub fn sign_digest_with(
        &self,
        e: &[u8; 32],
        randomness: &mut impl Randomness,
    ) -> Result<Signature, Error> {
        let mut nonces = HedgedNonces::new(self.scalar(), e, randomness)?;
        loop {
            // A3: k
            let commitment = Commitment::new(nonces.next_nonce()?)?;
            if let Some(signature) = self.answer(&commitment, e)? {
                return Ok(signature);
            }
        }
    }

    /// A5 and A6; `None` if the standard asks for another k.
    pub(super) fn answer(
        &self,
        commitment: &Commitment,
        e: &[u8; 32],
    ) -> Result<Option<Signature>, Error> {
        // A5: r = (e + x1) mod n, not 0, and r + k not n
        let mut r = Scalar::reduced(e).add(&commitment.x());
        strike(Place::R, &mut r.0);
        let sum = Zeroizing::new(r.add(&commitment.k));
        if r.is_zero() | sum.is_zero() != 0 {
            return Ok(None);
        }
        // A6: s = (1 + d)^-1 (k - r d) mod n, not 0
        let mut s = sum.mul_montgomery(self.inverse()).sub(&r);
        strike(Place::S, &mut s.0);
        if s.is_zero() != 0 {
            return Ok(None);
        }
        let signature = Signature { r, s };
        if self.is_sound(&signature, black_box(commitment), e) {
            Ok(Some(signature))
        } else {
            Err(Error::FaultDetected)
        }
    }

    /// Whether r - e is x1 of a point of the curve, and (r + s) (1 + d) = k + r.
    fn is_sound(&self, signature: &Signature, commitment: &Commitment, e: &[u8; 32]) -> bool {
        let Signature { r, s } = black_box(signature);
        let same_x = r.sub(&Scalar::reduced(e)).is_equal(&commitment.x());
        let left = Zeroizing::new(r.add(s).mul_montgomery(self.successor()));
        let right = Zeroizing::new(r.sub(&commitment.opposite));
        let on_curve = multiply::is_on_curve(&commitment.point);
        same_x & left.is_equal(&right) & on_curve != 0
    }
}

/// A nonce and its point: what a signature needs before the message is known.
pub(super) struct Commitment {
    k: Zeroizing<Scalar>,
    /// n - k, made before k was used.
    opposite: Zeroizing<Scalar>,
    point: Affine,
}

impl Commitment {
    /// A4: (x1, y1) = [k] G.
    pub(super) fn new(k: Scalar) -> Result<Self, Error> {
        let k = Zeroizing::new(k);
        let opposite = Zeroizing::new(Scalar::default().sub(&k));
        // A nonce is never 0, so that infinity would be a fault.
        let point = multiply::base(&k).ok_or(Error::FaultDetected)?;
        Ok(Self { k, opposite, point })
    }

    /// The same for many nonces.
    pub(super) fn together(nonces: &[Scalar]) -> Vec<Self> {
        Self::with_points(nonces, multiply::base_together)
    }

    fn with_points(nonces: &[Scalar], multiples: impl Fn(&[Scalar]) -> Vec<Affine>) -> Vec<Self> {
        let opposite = |k: &Scalar| Zeroizing::new(Scalar::default().sub(k));
        let opposites: Vec<_> = nonces.iter().map(opposite).collect();
        let points = multiples(nonces);
        let commitments = nonces.iter().zip(opposites).zip(points);
        commitments
            .map(|((k, opposite), point)| Self { k: Zeroizing::new(*k), opposite, point })
            .collect()
    }

    /// x1 mod n
    fn x(&self) -> Scalar {
        Scalar::from_limbs_reduced(&encoding::field_limbs(&self.point.x))
    }
}

/// Signs a message that comes in pieces, with the point of the nonce computed beforehand.
pub struct Signer {
    key: PrivateKey,
    hash: Sm3,
    commitment: Commitment,
    process: (u64, u64),
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
        let mut nonces = HedgedNonces::in_advance(key.scalar(), &mut System)?;
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
    /// [`Error::FaultDetected`]; [`Error::RandomnessFailure`] if another nonce is needed and none is
    /// to be had.
    pub fn finish(self) -> Result<Signature, Error> {
        let e = self.hash.finalize();
        if self.process == process_mark()
            && let Some(signature) = self.key.answer(&self.commitment, &e)?
        {
            return Ok(signature);
        }
        self.key.sign_digest(&e)
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
        self.verify_digest_by(signature, e, None)
    }

    /// What B5 to B7 ask; `None` if t is 0, or if x1 might be x + n as well: which is true of one
    /// x in 2^128.
    pub(super) fn question(&self, signature: &Signature, e: &[u8; 32]) -> Option<Question<'_>> {
        let Signature { r, s } = signature;
        let t = r.add(s);
        let x = r.sub(&Scalar::reduced(e));
        let (larger, carry) = x.plus_order();
        let is_only_x = carry != 0 || limbs::is_less(&larger, &field::P) == 0;
        (is_only_x && t.is_zero() == 0).then(|| Question { s: *s, t, point: self.point(), x: x.0 })
    }

    /// The same, quicker, where the windows of this key's point are at hand or were prepared.
    pub(super) fn verify_digest_by(
        &self,
        signature: &Signature,
        e: &[u8; 32],
        windows: Option<&Windows>,
    ) -> Result<(), Error> {
        let Signature { r, s } = signature;
        // B5: t = (r + s) mod n, not 0
        let t = r.add(s);
        if t.is_zero() != 0 {
            return Err(Error::InvalidSignature);
        }
        // B6, B7: (e + x1) mod n = r for (x1, y1) = [s] G + [t] P
        let x = r.sub(&Scalar::reduced(e));
        let holds = match windows.or_else(|| self.windows()) {
            Some(windows) => multiply::public_sum_by_table_has_x(s, &t, windows, &x),
            None => multiply::public_sum_has_x(s, &t, self.point(), &x),
        };
        if holds { Ok(()) } else { Err(Error::InvalidSignature) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fault::with_fault;
    use super::super::field::Portable;
    use super::super::key::Part;
    use super::super::wide::tests::spread_multiples;
    use super::*;

    const E: [u8; 32] = [9; 32];
    const FAULT: Option<Error> = Some(Error::FaultDetected);

    fn key() -> PrivateKey {
        PrivateKey::from_bytes(&[7; 32]).unwrap_or_else(|_| panic!("a good key"))
    }

    /// With a nonce none of whose windows is zero.
    fn commitment() -> Result<Commitment, Error> {
        Commitment::new(Scalar::reduced(&[0x5b; 32]))
    }

    /// As on any CPU.
    fn scalar_multiples(nonces: &[Scalar]) -> Vec<Affine> {
        multiply::base_together_by::<Portable>(nonces, multiply::base_extended::<Portable>)
    }

    /// The signature, with that code for the point of the nonce.
    fn sign_by(
        key: &PrivateKey,
        multiples: impl Fn(&[Scalar]) -> Vec<Affine>,
    ) -> Result<Option<Signature>, Error> {
        let nonce = [Scalar::reduced(&[0x5b; 32])];
        key.answer(&Commitment::with_points(&nonce, multiples)[0], &E)
    }

    fn sign(key: &PrivateKey) -> Result<Option<Signature>, Error> {
        key.answer(&commitment()?, &E)
    }

    #[test]
    fn without_a_fault_the_signature_verifies() {
        let signature = sign(&key()).ok().flatten().unwrap_or_else(|| panic!("no signature"));
        assert_eq!(key().public_key().verify_digest(&signature, &E), Ok(()));
    }

    #[test]
    fn a_bit_that_turns_in_what_waits_for_the_message_is_noticed() {
        let key = key();
        let values: [fn(&mut Commitment) -> &mut super::super::limbs::Limbs; 4] = [
            |commitment| &mut commitment.k.0,
            |commitment| &mut commitment.opposite.0,
            |commitment| &mut commitment.point.x.0,
            |commitment| &mut commitment.point.y.0,
        ];
        for (number, value) in values.iter().enumerate() {
            for bit in 0..256 {
                let mut commitment = commitment().unwrap_or_else(|_| panic!("a good nonce"));
                value(&mut commitment)[bit / 64] ^= 1 << (bit % 64);
                let outcome = key.answer(&commitment, &E);
                assert_eq!(outcome.err(), FAULT, "value {number}, bit {bit}");
            }
        }
    }

    #[test]
    fn a_bit_that_turns_in_the_key_is_noticed() {
        for bit in 0..256 {
            for part in [Part::D, Part::Successor, Part::Inverse] {
                let mut key = key();
                if matches!(part, Part::Inverse) {
                    key.inverse();
                }
                key.flip(part, bit);
                assert_eq!(sign(&key).err(), FAULT, "{part:?}, bit {bit}");
            }
        }
    }

    #[test]
    fn a_bit_that_turns_in_the_signature_is_noticed() {
        let key = key();
        for bit in 0..256 {
            for place in [Place::R, Place::S] {
                let outcome = with_fault(place, bit, || sign(&key));
                assert_eq!(outcome.err(), FAULT, "{place:?}, bit {bit}");
            }
        }
    }

    #[test]
    fn a_bit_that_turns_in_an_addition_is_noticed() {
        let key = key();
        for window in 0..43 {
            for bit in (window as usize..256).step_by(37) {
                let outcome =
                    with_fault(Place::Sum(window), bit, || sign_by(&key, scalar_multiples));
                assert_eq!(outcome.err(), FAULT, "window {window}, bit {bit}");
            }
        }
    }

    #[test]
    fn a_bit_that_turns_in_an_addition_of_lanes_is_noticed() {
        let key = key();
        for sum in 1..8 {
            for bit in (0..256).step_by(7) {
                let outcome = with_fault(Place::Sum(sum), bit, || sign_by(&key, spread_multiples));
                assert_eq!(outcome.err(), FAULT, "sum {sum}, bit {bit}");
            }
        }
    }

    /// In a batch, a fault in one sum spoils its own signature, one in the common inverse all of them.
    #[test]
    fn a_bit_that_turns_in_a_batch_is_noticed() {
        let key = key();
        let nonces: Vec<_> =
            (1..4u8).map(|i| Scalar::reduced(&[i.wrapping_mul(0x5b); 32])).collect();
        let outcomes = |place, bit| -> Vec<_> {
            let commitments =
                with_fault(place, bit, || Commitment::with_points(&nonces, scalar_multiples));
            commitments.iter().map(|commitment| key.answer(commitment, &E).err()).collect()
        };
        for bit in (0..256).step_by(37) {
            assert_eq!(outcomes(Place::Sum(20), bit), [FAULT, None, None], "bit {bit}");
            assert_eq!(outcomes(Place::Inverse, bit), [FAULT; 3], "bit {bit}");
        }
    }

    /// A point of the curve, though not that of k: what remains for whoever verifies.
    #[test]
    fn a_wrong_digit_is_what_verification_alone_notices() {
        let key = key();
        let mut passed = 0;
        for window in 0..42 {
            let outcome = with_fault(Place::Digit(window), 0, || sign_by(&key, scalar_multiples));
            if let Ok(Some(signature)) = outcome {
                let verified = key.public_key().verify_digest(&signature, &E);
                assert_eq!(verified, Err(Error::InvalidSignature), "window {window}");
                passed += 1;
            }
        }
        assert!(passed > 20, "{passed}: then the decision record says too little of the check");
    }
}
