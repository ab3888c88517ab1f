//! ML-KEM-768 (FIPS 203) of the `ml-kem` crate, with sizes instead of its types.
//!
//! A crate of its own, because its profile differs: the release profile checks every addition for
//! an overflow, and in this arithmetic, which cannot overflow, that would be thousands of branches
//! on secrets. Generic code takes the profile of the crate that uses it: therefore all use is here.

// The long form of a key is deprecated for storing keys, which is not what we do with it.
#![allow(deprecated)]

use ml_kem::ml_kem_768::{Ciphertext, DecapsulationKey, EncapsulationKey};
use ml_kem::{B32, Decapsulate, ExpandedKeyEncoding, Key, KeyExport, Seed};
use zeroize::Zeroizing;

/// Bytes of an encapsulation key.
pub const PUBLIC_SIZE: usize = 1184;
/// Bytes of a ciphertext.
pub const CIPHERTEXT_SIZE: usize = 1088;
/// Bytes of a shared secret.
pub const SECRET_SIZE: usize = 32;
/// Bytes of a seed, d and z.
pub const SEED_SIZE: usize = 64;
/// Bytes of the long form of a decapsulation key.
pub const EXPANDED_SIZE: usize = 2400;

/// The secret both sides end with. Wiped when dropped.
pub type Secret = Zeroizing<[u8; SECRET_SIZE]>;

/// A decapsulation key. Wiped when dropped.
pub struct PrivateKey(DecapsulationKey);

impl PrivateKey {
    /// The key of a seed (7.1, with d and z given).
    #[must_use]
    pub fn from_seed(seed: &[u8; SEED_SIZE]) -> Self {
        Self(DecapsulationKey::from_seed(Seed::from(*seed)))
    }

    /// The key of its long form, or `None` if its parts do not fit: for tests, which need what is
    /// secret and what is public apart.
    #[must_use]
    pub fn from_expanded(bytes: &[u8; EXPANDED_SIZE]) -> Option<Self> {
        DecapsulationKey::from_expanded_bytes(&(*bytes).into()).ok().map(Self)
    }

    /// The long form.
    #[must_use]
    pub fn to_expanded(&self) -> Zeroizing<[u8; EXPANDED_SIZE]> {
        Zeroizing::new(self.0.to_expanded_bytes().into())
    }

    /// The encapsulation key as it is sent.
    #[must_use]
    pub fn public_bytes(&self) -> [u8; PUBLIC_SIZE] {
        self.0.encapsulation_key().to_bytes().into()
    }

    /// The shared secret of a ciphertext (7.3); of an altered one, another secret.
    #[must_use]
    pub fn decapsulate(&self, ciphertext: &[u8; CIPHERTEXT_SIZE]) -> Secret {
        copy(self.0.decapsulate(&Ciphertext::from(*ciphertext)).into())
    }
}

/// A ciphertext and the shared secret (7.2 and 6.2, with m given); `None` if the key has a
/// coefficient that is not reduced.
#[must_use]
pub fn encapsulate(
    public: &[u8; PUBLIC_SIZE],
    message: &[u8; SECRET_SIZE],
) -> Option<([u8; CIPHERTEXT_SIZE], Secret)> {
    let key = EncapsulationKey::new(&Key::<EncapsulationKey>::from(*public)).ok()?;
    let message = Zeroizing::new(B32::from(*message));
    let (ciphertext, shared) = key.encapsulate_deterministic(&message);
    Some((ciphertext.into(), copy(shared.into())))
}

fn copy(shared: [u8; SECRET_SIZE]) -> Secret {
    Zeroizing::new(shared)
}
