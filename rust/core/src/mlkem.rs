//! ML-KEM-768 (FIPS 203): key agreement that a quantum computer does not break.
//!
//! The lattice is the `ml-kem` crate's; randomness comes from our generator.

use ml_kem::ml_kem_768::{Ciphertext, DecapsulationKey, EncapsulationKey};
use ml_kem::{B32, Decapsulate, Key, KeyExport, Seed};
use zeroize::Zeroizing;

use crate::drbg::{Purpose, Randomness, System};
use crate::error::Error;

/// Bytes of an encapsulation key.
pub const PUBLIC_SIZE: usize = 1184;
/// Bytes of a ciphertext.
pub const CIPHERTEXT_SIZE: usize = 1088;
/// Bytes of a shared secret.
pub const SECRET_SIZE: usize = 32;
/// Bytes of a seed, d and z.
pub const SEED_SIZE: usize = 64;

/// The secret both sides end with. Wiped when dropped.
pub type Secret = Zeroizing<[u8; SECRET_SIZE]>;

/// A decapsulation key. Wiped when dropped.
pub struct PrivateKey(DecapsulationKey);

impl PrivateKey {
    /// A new key from the generator of the system.
    ///
    /// # Errors
    /// [`Error::RandomnessFailure`].
    pub fn generate() -> Result<Self, Error> {
        let mut seed = Zeroizing::new([0; SEED_SIZE]);
        System.fill(Purpose::PrivateKey, &mut seed[..])?;
        Ok(Self::from_seed(&seed))
    }

    /// The key of a seed (FIPS 203, 7.1, with d and z given).
    #[must_use]
    pub fn from_seed(seed: &[u8; SEED_SIZE]) -> Self {
        Self(DecapsulationKey::from_seed(Seed::from(*seed)))
    }

    /// The encapsulation key as it is sent.
    #[must_use]
    pub fn public_bytes(&self) -> [u8; PUBLIC_SIZE] {
        self.0.encapsulation_key().to_bytes().into()
    }

    /// The shared secret of a ciphertext (FIPS 203, 7.3).
    ///
    /// A ciphertext that was altered gives another secret, and nothing tells so.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] unless it has [`CIPHERTEXT_SIZE`] bytes.
    pub fn decapsulate(&self, ciphertext: &[u8]) -> Result<Secret, Error> {
        let ciphertext = Ciphertext::try_from(ciphertext)
            .map_err(|_| Error::InvalidInput("an ML-KEM-768 ciphertext has 1088 bytes"))?;
        let shared = Zeroizing::new(self.0.decapsulate(&ciphertext));
        Ok(copy(shared.as_ref()))
    }
}

/// A ciphertext for the holder of an encapsulation key, and the shared secret (FIPS 203, 7.2).
///
/// # Errors
/// [`Error::InvalidKey`] for a key of another length or with a coefficient that is not reduced,
/// [`Error::RandomnessFailure`].
pub fn encapsulate(public: &[u8]) -> Result<([u8; CIPHERTEXT_SIZE], Secret), Error> {
    let mut message = Zeroizing::new([0; SECRET_SIZE]);
    System.fill(Purpose::Encryption, &mut message[..])?;
    encapsulate_with(public, &message)
}

fn encapsulate_with(
    public: &[u8],
    message: &[u8; SECRET_SIZE],
) -> Result<([u8; CIPHERTEXT_SIZE], Secret), Error> {
    let encoded = Key::<EncapsulationKey>::try_from(public)
        .map_err(|_| Error::InvalidKey("an ML-KEM-768 encapsulation key has 1184 bytes"))?;
    let key = EncapsulationKey::new(&encoded)
        .map_err(|_| Error::InvalidKey("an ML-KEM-768 encapsulation key out of range"))?;
    let message = Zeroizing::new(B32::from(*message));
    let (ciphertext, shared) = key.encapsulate_deterministic(&message);
    let shared = Zeroizing::new(shared);
    Ok((ciphertext.into(), copy(shared.as_ref())))
}

fn copy(shared: &[u8]) -> Secret {
    let mut secret = Zeroizing::new([0; SECRET_SIZE]);
    secret.copy_from_slice(shared);
    secret
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_share_a_secret() {
        let Ok(private) = PrivateKey::generate() else { panic!("no randomness") };
        let Ok((ciphertext, secret)) = encapsulate(&private.public_bytes()) else {
            panic!("a good key refused")
        };
        assert_eq!(private.decapsulate(&ciphertext).as_deref(), Ok(&*secret));
        let mut altered = ciphertext;
        altered[100] ^= 1;
        let Ok(other) = private.decapsulate(&altered) else { panic!("rejection is implicit") };
        assert_ne!(other, secret);
    }

    #[test]
    fn wrong_lengths_and_unreduced_keys_are_refused() {
        let private = PrivateKey::from_seed(&[7; SEED_SIZE]);
        let public = private.public_bytes();
        for length in [0, PUBLIC_SIZE - 1] {
            assert!(matches!(encapsulate(&public[..length]), Err(Error::InvalidKey(_))));
        }
        for length in [0, CIPHERTEXT_SIZE - 1, CIPHERTEXT_SIZE + 1] {
            assert!(private.decapsulate(&vec![0; length]).is_err());
        }
        let mut unreduced = public;
        (unreduced[0], unreduced[1]) = (0xff, unreduced[1] | 0x0f); // 4095 > 3329
        assert!(matches!(encapsulate(&unreduced), Err(Error::InvalidKey(_))));
    }
}
