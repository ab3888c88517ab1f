//! Secret scalars: keys, nonces and ephemeral keys, over the full range by rejection.
//!
//! Signature nonces are hedged, in the manner of draft-irtf-cfrg-det-sigs-with-noise: SM3 of noise
//! from the generator, the private key, the digest, UTC time and a counter. A working generator
//! alone makes them unpredictable; should it fail, the private key and the digest still keep them
//! secret and apart.

use zeroize::{Zeroize, Zeroizing};

use super::scalar::Scalar;
use crate::drbg::{Noise, Purpose, Randomness, STAMP_LENGTH};
use crate::error::Error;
use crate::sm3::Sm3;
use crate::sm3::many::{self, Message};

/// Each attempt fails with probability 2^-32: this many failures are a broken generator.
const MAX_ATTEMPTS: u8 = 16;
const BROKEN: Error = Error::RandomnessFailure("the generator gives no usable scalar");

/// A scalar of 1 to n-1.
///
/// # Errors
/// [`Error::RandomnessFailure`].
pub fn random_scalar(purpose: Purpose, randomness: &mut impl Randomness) -> Result<Scalar, Error> {
    let mut bytes = Zeroizing::new([0; 32]);
    for _ in 0..MAX_ATTEMPTS {
        randomness.fill(purpose, &mut bytes[..])?;
        if let Some(scalar) = in_range(&bytes) {
            return Ok(scalar);
        }
    }
    Err(BROKEN)
}

/// That many of them from one call of the generator, and from further ones what was out of range.
///
/// # Errors
/// [`Error::RandomnessFailure`].
pub fn random_scalars(
    purpose: Purpose,
    count: usize,
    randomness: &mut impl Randomness,
) -> Result<Zeroizing<Vec<Scalar>>, Error> {
    let mut bytes = Zeroizing::new(vec![[0; 32]; count]);
    randomness.fill(purpose, bytes.as_flattened_mut())?;
    let mut scalars = Zeroizing::new(Vec::with_capacity(count));
    for bytes in bytes.iter() {
        scalars.push(match in_range(bytes) {
            Some(scalar) => scalar,
            None => random_scalar(purpose, randomness)?,
        });
    }
    Ok(scalars)
}

/// The nonces of one signature, one after the other.
///
/// Each is SM3(b || d || zeros || e || UTC || counter || kind || attempt), three blocks, where the
/// noise is the state to which the first of them, b, has led: nobody need know b. All messages have
/// one length and give one digest, so that HMAC, which is there for others, would add nothing.
pub struct HedgedNonces {
    noise: Zeroizing<Noise>,
    /// The private key, padded to the block of the hash, then the digest, the stamp and the attempt.
    input: Zeroizing<[u8; INPUT_LENGTH]>,
    attempts: u8,
}

const INPUT_LENGTH: usize = 64 + 32 + STAMP_LENGTH + 2;

impl HedgedNonces {
    /// Takes noise and time for the signature of `digest`.
    ///
    /// # Errors
    /// [`Error::RandomnessFailure`].
    pub fn new(
        private_key: &Scalar,
        digest: &[u8; 32],
        randomness: &mut impl Randomness,
    ) -> Result<Self, Error> {
        let mut noise = Zeroizing::new([[0; 32]]);
        randomness.noise(&mut noise[..])?;
        Self::with_noise(&noise[0], private_key, Some(digest), randomness)
    }

    /// The same before there is a message. No digest hedges these nonces: their noise is made for them, with
    /// fresh bytes of the system, and the process-wide counter stands in for the digest.
    ///
    /// # Errors
    /// [`Error::RandomnessFailure`].
    pub fn in_advance(
        private_key: &Scalar,
        randomness: &mut impl Randomness,
    ) -> Result<Self, Error> {
        let mut noise = Zeroizing::new([0; 32]);
        randomness.fill(Purpose::Signature, &mut noise[..])?;
        Self::with_noise(&noise, private_key, None, randomness)
    }

    fn with_noise(
        noise: &Noise,
        private_key: &Scalar,
        digest: Option<&[u8; 32]>,
        randomness: &mut impl Randomness,
    ) -> Result<Self, Error> {
        let stamp = randomness.stamp()?;
        let mut input = Zeroizing::new([0; INPUT_LENGTH]);
        let mut key = private_key.to_bytes();
        input[..32].copy_from_slice(&key);
        key.zeroize();
        if let Some(digest) = digest {
            input[64..96].copy_from_slice(digest);
        }
        input[96..96 + STAMP_LENGTH].copy_from_slice(&stamp);
        input[INPUT_LENGTH - 2] = u8::from(digest.is_some());
        Ok(Self { noise: Zeroizing::new(*noise), input, attempts: 0 })
    }

    /// What the first candidate is the digest of.
    fn message(&self) -> Message<'_> {
        Message { after: Some(&self.noise), prefix: &[], body: &self.input[..] }
    }

    /// The next nonce.
    ///
    /// # Errors
    /// [`Error::RandomnessFailure`] after 16 attempts.
    pub fn next_nonce(&mut self) -> Result<Scalar, Error> {
        while self.attempts < MAX_ATTEMPTS {
            self.input[INPUT_LENGTH - 1] = self.attempts;
            self.attempts += 1;
            let mut hash = Sm3::after_block(&self.noise);
            hash.update(&self.input[..]);
            let bytes = Zeroizing::new(hash.finalize());
            if let Some(scalar) = in_range(&bytes) {
                return Ok(scalar);
            }
        }
        Err(BROKEN)
    }
}

/// A nonce for each private key and digest, as [`HedgedNonces`] gives it: each has noise, time and
/// counter of its own.
///
/// # Errors
/// [`Error::RandomnessFailure`].
pub fn hedged_together(
    requests: &[(&Scalar, &[u8; 32])],
    randomness: &mut impl Randomness,
) -> Result<Zeroizing<Vec<Scalar>>, Error> {
    let mut noise = Zeroizing::new(vec![[0; 32]; requests.len()]);
    randomness.noise(&mut noise)?;
    let mut nonces = Vec::with_capacity(requests.len());
    for ((key, digest), noise) in requests.iter().zip(noise.iter()) {
        nonces.push(HedgedNonces::with_noise(noise, key, Some(digest), randomness)?);
    }
    let messages: Vec<_> = nonces.iter().map(HedgedNonces::message).collect();
    let first = Zeroizing::new(many::digest_all(&messages));
    let mut scalars = Zeroizing::new(Vec::with_capacity(requests.len()));
    for (nonces, bytes) in nonces.iter_mut().zip(first.iter()) {
        nonces.attempts = 1;
        scalars.push(in_range(bytes).map_or_else(|| nonces.next_nonce(), Ok)?);
    }
    Ok(scalars)
}

fn in_range(bytes: &[u8; 32]) -> Option<Scalar> {
    Scalar::from_bytes(bytes).filter(|scalar| scalar.is_zero() == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drbg::System;

    const DRAWS: usize = 2000;

    /// A mix-up of units would leave most bits at zero; the bound is 6.5 standard deviations.
    #[test]
    fn every_scalar_uses_its_whole_range() -> Result<(), Error> {
        for purpose in [Purpose::Encryption, Purpose::KeyExchange, Purpose::PrivateKey] {
            let mut set = [0usize; 256];
            for _ in 0..DRAWS {
                let scalar = random_scalar(purpose, &mut System)?;
                for (bit, count) in set.iter_mut().enumerate() {
                    *count += (scalar.0[bit / 64] >> (bit % 64) & 1) as usize;
                }
            }
            for (bit, &count) in set.iter().enumerate() {
                let deviation = count.abs_diff(DRAWS / 2) * 2;
                assert!(
                    deviation * deviation < 43 * DRAWS,
                    "{purpose:?}: bit {bit}, {count} times"
                );
            }
        }
        Ok(())
    }

    /// Gives the same at every call, whatever it is for.
    struct Broken;

    impl Randomness for Broken {
        fn fill(&mut self, _: Purpose, out: &mut [u8]) -> Result<(), Error> {
            out.fill(0x5a);
            Ok(())
        }

        fn noise(&mut self, out: &mut [Noise]) -> Result<(), Error> {
            out.fill([0x5a; 32]);
            Ok(())
        }

        fn stamp(&mut self) -> Result<[u8; STAMP_LENGTH], Error> {
            Ok([0; STAMP_LENGTH])
        }
    }

    /// Gives such numbers as it is told, each once.
    struct Told(Vec<[u8; 32]>);

    impl Randomness for Told {
        fn fill(&mut self, _: Purpose, out: &mut [u8]) -> Result<(), Error> {
            let told = self.0.drain(..out.len() / 32);
            out.copy_from_slice(told.collect::<Vec<_>>().as_flattened());
            Ok(())
        }

        fn noise(&mut self, _: &mut [Noise]) -> Result<(), Error> {
            Err(BROKEN)
        }

        fn stamp(&mut self) -> Result<[u8; STAMP_LENGTH], Error> {
            Err(BROKEN)
        }
    }

    #[test]
    fn of_scalars_drawn_together_what_is_out_of_range_is_drawn_again() -> Result<(), Error> {
        let told = [[1; 32], [0xff; 32], [3; 32], [0; 32], [0; 32], [5; 32], [6; 32]];
        let scalars = random_scalars(Purpose::PrivateKey, 4, &mut Told(told.to_vec()))?;
        let drawn: Vec<_> = scalars.iter().map(Scalar::to_bytes).collect();
        // Two are drawn again, one of them twice.
        assert_eq!(drawn, [[1; 32], [5; 32], [3; 32], [6; 32]]);
        Ok(())
    }

    #[test]
    fn nonces_made_together_are_those_made_one_by_one() -> Result<(), Error> {
        let keys: [Scalar; 20] = core::array::from_fn(|i| Scalar::reduced(&[i as u8 + 1; 32]));
        let digests: [[u8; 32]; 20] = core::array::from_fn(|i| [i as u8; 32]);
        let requests: Vec<_> = keys.iter().zip(&digests).collect();
        let together = hedged_together(&requests, &mut Broken)?;
        assert_eq!(together.len(), requests.len());
        for ((key, digest), nonce) in requests.iter().zip(together.iter()) {
            let alone = HedgedNonces::new(key, digest, &mut Broken)?.next_nonce()?;
            assert_ne!(alone.is_equal(nonce), 0);
        }
        let again = hedged_together(&[(&keys[0], &digests[0]); 2], &mut System)?;
        assert_eq!(again[0].is_equal(&again[1]), 0);
        Ok(())
    }

    #[test]
    fn a_broken_generator_does_not_give_signature_and_ciphertext_one_k() -> Result<(), Error> {
        let d = Scalar::reduced(&[7; 32]);
        let of_ciphertext = random_scalar(Purpose::Encryption, &mut Broken)?;
        let nonce = |digest| HedgedNonces::new(&d, digest, &mut Broken)?.next_nonce();
        let (one, other) = (nonce(&[1; 32])?, nonce(&[2; 32])?);
        let prepared = HedgedNonces::in_advance(&d, &mut Broken)?.next_nonce()?;
        for (left, right) in
            [(&of_ciphertext, &one), (&of_ciphertext, &prepared), (&one, &other), (&one, &prepared)]
        {
            assert_eq!(left.is_equal(right), 0);
        }
        Ok(())
    }
}
