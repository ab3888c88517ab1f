//! ML-KEM-768 (FIPS 203): key agreement that a quantum computer does not break.
//!
//! The lattice is the `libcrux-ml-kem` crate's, which its authors have verified formally, by way of
//! `meterseal-lattice`; randomness comes from our generator.

use meterseal_lattice::{self as lattice, Code};
pub use meterseal_lattice::{CIPHERTEXT_SIZE, PUBLIC_SIZE, SECRET_SIZE, SEED_SIZE, Secret};
use zeroize::Zeroizing;

use crate::cpu;
use crate::drbg::{Purpose, Randomness, System};
use crate::error::Error;

/// A decapsulation key. Overwritten when dropped.
pub struct PrivateKey(lattice::PrivateKey);

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
        Self(lattice::PrivateKey::from_seed(seed, code()))
    }

    /// The encapsulation key as it is sent.
    #[must_use]
    pub fn public_bytes(&self) -> [u8; PUBLIC_SIZE] {
        self.0.public_bytes()
    }

    /// The shared secret of a ciphertext (FIPS 203, 7.3).
    ///
    /// A ciphertext that was altered gives another secret, and nothing tells so.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] unless it has [`CIPHERTEXT_SIZE`] bytes.
    pub fn decapsulate(&self, ciphertext: &[u8]) -> Result<Secret, Error> {
        let ciphertext = ciphertext
            .try_into()
            .map_err(|_| Error::InvalidInput("an ML-KEM-768 ciphertext has 1088 bytes"))?;
        Ok(self.0.decapsulate(ciphertext, code()))
    }
}

/// A ciphertext for the holder of an encapsulation key, and the shared secret (FIPS 203, 7.2).
///
/// # Errors
/// [`Error::InvalidKey`] for a key of another length or with a coefficient that is not reduced,
/// [`Error::RandomnessFailure`].
pub fn encapsulate(public: &[u8]) -> Result<([u8; CIPHERTEXT_SIZE], Secret), Error> {
    let public = public
        .try_into()
        .map_err(|_| Error::InvalidKey("an ML-KEM-768 encapsulation key has 1184 bytes"))?;
    let mut message = Zeroizing::new([0; SECRET_SIZE]);
    System.fill(Purpose::Encryption, &mut message[..])?;
    encapsulate_with(public, &message)
}

fn encapsulate_with(
    public: &[u8; PUBLIC_SIZE],
    message: &[u8; SECRET_SIZE],
) -> Result<([u8; CIPHERTEXT_SIZE], Secret), Error> {
    lattice::encapsulate(public, message, code())
        .ok_or(Error::InvalidKey("an ML-KEM-768 encapsulation key out of range"))
}

fn code() -> Code {
    if cpu::is_x86_64() { Code::Best } else { Code::Portable }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::test_support::on_every_backend;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn back_ends_agree(
            d in any::<[u8; 32]>(),
            z in any::<[u8; 32]>(),
            message in any::<[u8; 32]>(),
            altered in 0..CIPHERTEXT_SIZE,
        ) {
            let mut seed = [0; SEED_SIZE];
            seed[..32].copy_from_slice(&d);
            seed[32..].copy_from_slice(&z);
            let (.., refused) = on_every_backend(|| {
                let private = PrivateKey::from_seed(&seed);
                let encapsulated = encapsulate_with(&private.public_bytes(), &message);
                let Ok((mut ciphertext, secret)) = encapsulated else { panic!("a good key") };
                assert_eq!(private.decapsulate(&ciphertext).as_deref(), Ok(&*secret));
                ciphertext[altered] ^= 1;
                (private.public_bytes(), ciphertext, secret, private.decapsulate(&ciphertext))
            });
            prop_assert!(refused.is_ok(), "rejection is implicit");
        }
    }

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
