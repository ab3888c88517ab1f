//! Many signatures in one call.

use super::encoding::SignatureEncoding;
use super::key::{PrivateKey, PublicKey};
use super::sign::Signature;
use crate::error::Error;

/// Signs each message with its key.
///
/// # Errors
/// [`Error::RandomnessFailure`]; [`Error::InvalidInput`] for an identifier that is too long.
pub fn sign_batch(
    requests: &[(&PrivateKey, &[u8])],
    distinguishing_id: &[u8],
) -> Result<Vec<Signature>, Error> {
    requests.iter().map(|(key, message)| key.sign(message, distinguishing_id)).collect()
}

/// Which of the encoded signatures verify: key, signature, message.
///
/// # Errors
/// [`Error::InvalidInput`] for an identifier that is too long.
pub fn verify_batch(
    requests: &[(&PublicKey, &[u8], &[u8])],
    distinguishing_id: &[u8],
    encoding: SignatureEncoding,
) -> Result<Vec<bool>, Error> {
    requests
        .iter()
        .map(|(key, signature, message)| {
            let outcome = Signature::from_bytes(signature, encoding)
                .and_then(|signature| key.verify(&signature, message, distinguishing_id));
            match outcome {
                Ok(()) => Ok(true),
                Err(Error::InvalidSignature) => Ok(false),
                Err(error) => Err(error),
            }
        })
        .collect()
}
