//! ML-KEM-768 (FIPS 203) of the `libcrux-ml-kem` crate, with sizes instead of its types.
//!
//! A crate of its own, because its profile differs: the release profile checks every addition for
//! an overflow, and in this arithmetic, which is proven not to overflow, that would be thousands of
//! branches on secrets. Generic code takes the profile of the crate that uses it: therefore all use
//! is here.

use core::hint::black_box;

use libcrux_ml_kem::mlkem768::{self, MlKem768PrivateKey, portable};
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

/// Where the encapsulation key stands in the long form (FIPS 203, 7.1).
const PUBLIC_AT: usize = 1152;

/// The secret both sides end with. Wiped when dropped.
pub type Secret = Zeroizing<[u8; SECRET_SIZE]>;

/// Which code computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// Plain Rust.
    Portable,
    /// The best for this CPU: with AVX2 where it has it.
    Best,
}

/// A decapsulation key. Overwritten when dropped.
pub struct PrivateKey(Box<MlKem768PrivateKey>);

impl PrivateKey {
    /// The key of a seed (7.1, with d and z given).
    #[must_use]
    pub fn from_seed(seed: &[u8; SEED_SIZE], code: Code) -> Self {
        let pair = match code {
            Code::Portable => portable::generate_key_pair(*seed),
            Code::Best => mlkem768::generate_key_pair(*seed),
        };
        Self(Box::new(pair.into_parts().0))
    }

    /// The key of its long form: for tests, which need what is secret and what is public apart.
    #[must_use]
    pub fn from_expanded(bytes: &[u8; EXPANDED_SIZE]) -> Self {
        Self(Box::new((*bytes).into()))
    }

    /// The long form.
    #[must_use]
    pub fn to_expanded(&self) -> Zeroizing<[u8; EXPANDED_SIZE]> {
        Zeroizing::new(*self.0.as_slice())
    }

    /// The encapsulation key as it is sent.
    #[must_use]
    pub fn public_bytes(&self) -> [u8; PUBLIC_SIZE] {
        let mut public = [0; PUBLIC_SIZE];
        public.copy_from_slice(&self.0.as_slice()[PUBLIC_AT..PUBLIC_AT + PUBLIC_SIZE]);
        public
    }

    /// The shared secret of a ciphertext (7.3); of an altered one, another secret.
    #[must_use]
    pub fn decapsulate(&self, ciphertext: &[u8; CIPHERTEXT_SIZE], code: Code) -> Secret {
        let ciphertext = (*ciphertext).into();
        Zeroizing::new(match code {
            Code::Portable => portable::decapsulate(&self.0, &ciphertext),
            Code::Best => mlkem768::decapsulate(&self.0, &ciphertext),
        })
    }
}

impl Drop for PrivateKey {
    fn drop(&mut self) {
        *self.0 = [0; EXPANDED_SIZE].into();
        black_box(&self.0); // the zeros are looked at, so that they are written
    }
}

/// A ciphertext and the shared secret (7.2 and 6.2, with m given); `None` if the key has a
/// coefficient that is not reduced.
#[must_use]
pub fn encapsulate(
    public: &[u8; PUBLIC_SIZE],
    message: &[u8; SECRET_SIZE],
    code: Code,
) -> Option<([u8; CIPHERTEXT_SIZE], Secret)> {
    let key = (*public).into();
    if !portable::validate_public_key(&key) {
        return None;
    }
    let (ciphertext, shared) = match code {
        Code::Portable => portable::encapsulate(&key, *message),
        Code::Best => mlkem768::encapsulate(&key, *message),
    };
    Some((*ciphertext.as_slice(), Zeroizing::new(shared)))
}
