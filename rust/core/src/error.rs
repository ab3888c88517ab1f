//! The errors of the core: opaque where an attacker could listen.

use core::fmt;

/// Why an operation failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// A length, an encoding or a parameter given by the caller is not acceptable.
    InvalidInput(&'static str),
    /// A scalar or point that came in is not a valid SM2 key.
    InvalidKey(&'static str),
    /// A signature does not verify.
    InvalidSignature,
    /// An authentication tag does not match.
    InvalidTag,
    /// A ciphertext does not decrypt. Says nothing more on purpose.
    DecryptionFailed,
    /// The random generator or its entropy source failed a health test or gave no data.
    RandomnessFailure(&'static str),
    /// A key has protected as many records or bytes as it may.
    Exhausted,
    /// A computation with a private key contradicts itself; its result was thrown away.
    FaultDetected,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidInput(text) | Self::InvalidKey(text) | Self::RandomnessFailure(text) => {
                f.write_str(text)
            }
            Self::InvalidSignature => f.write_str("the signature does not verify"),
            Self::InvalidTag => f.write_str("the authentication tag does not match"),
            Self::DecryptionFailed => f.write_str("the ciphertext does not decrypt"),
            Self::Exhausted => f.write_str("this key has protected as much as it may"),
            Self::FaultDetected => f.write_str("a computation with a private key went wrong"),
        }
    }
}

impl core::error::Error for Error {}
