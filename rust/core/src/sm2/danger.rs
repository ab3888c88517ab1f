//! Operations with a nonce or an ephemeral key given from outside, for test vectors only.
//!
//! A nonce that repeats, or that anyone else knows, gives the private key away.

use super::encrypt::Layout;
use super::exchange::{KeyExchange, Role};
use super::key::{PrivateKey, PublicKey};
use super::scalar::Scalar;
use super::sign::{Commitment, Signature};
use crate::drbg::Randomness;
use crate::error::Error;

/// Signs e with that nonce (GB/T 32918.2-2016, 6.1).
///
/// # Errors
/// [`Error::InvalidInput`] unless the nonce is of 1 to n-1 and the standard accepts it for e;
/// [`Error::FaultDetected`].
pub fn sign_digest_with_nonce(
    key: &PrivateKey,
    e: &[u8; 32],
    nonce: &[u8; 32],
) -> Result<Signature, Error> {
    let refused = Error::InvalidInput("the standard asks for another nonce");
    key.answer(&Commitment::new(given_scalar(nonce)?)?, e)?.ok_or(refused)
}

/// Encrypts with that nonce (GB/T 32918.4-2016, 6.1).
///
/// # Errors
/// [`Error::InvalidInput`] unless the nonce is of 1 to n-1 and the standard accepts it.
pub fn encrypt_with_nonce(
    key: &PublicKey,
    plaintext: &[u8],
    nonce: &[u8; 32],
    layout: Layout,
) -> Result<Vec<u8>, Error> {
    let refused = Error::InvalidInput("the standard asks for another nonce");
    key.encrypt_once(plaintext, &given_scalar(nonce)?)
        .map(|ciphertext| ciphertext.to_bytes(layout))
        .ok_or(refused)
}

/// Begins an exchange with that ephemeral key (GB/T 32918.3-2016, 6.1).
///
/// # Errors
/// [`Error::InvalidInput`] for an identifier that is too long.
pub fn exchange_with_ephemeral(
    key: &PrivateKey,
    ephemeral: &PrivateKey,
    role: Role,
    distinguishing_id: &[u8],
) -> Result<KeyExchange, Error> {
    KeyExchange::with_ephemeral(key, ephemeral.clone(), role, distinguishing_id)
}

/// Signs e with that randomness instead of the system's.
///
/// # Errors
/// [`Error::RandomnessFailure`].
pub fn sign_digest_with_randomness(
    key: &PrivateKey,
    e: &[u8; 32],
    randomness: &mut impl Randomness,
) -> Result<Signature, Error> {
    key.sign_digest_with(e, randomness)
}

/// A scalar of 1 to n-1.
pub(super) fn given_scalar(bytes: &[u8; 32]) -> Result<Scalar, Error> {
    Scalar::from_bytes(bytes)
        .filter(|scalar| scalar.is_zero() == 0)
        .ok_or(Error::InvalidInput("a nonce is a number of 1 to n-1"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sm2::DEFAULT_ID;
    use crate::test_support::hex;

    /// GB/T 32918.5-2017, A.2
    #[test]
    fn signs_and_verifies_as_the_standard_does() -> Result<(), Error> {
        let key = PrivateKey::from_bytes(&hex(
            "3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8",
        ))?;
        let public = hex(concat!(
            "0409F9DF311E5421A150DD7D161E4BC5C672179FAD1833FC076BB08FF356F35020",
            "CCEA490CE26775A52DC6EA718CC1AA600AED05FBF35E084A6632F6072DA9AD13",
        ));
        assert_eq!(key.public_key().to_bytes()[..], public);
        let e = key.public_key().message_digest(b"message digest", DEFAULT_ID)?;
        let nonce = hex("59276E27D506861A16680F3AD9C02DCCEF3CC1FA3CDBE4CE6D54B80DEAC1BC21");
        let nonce = nonce.try_into().map_err(|_| Error::InvalidInput("length"))?;
        let signature = sign_digest_with_nonce(&key, &e, &nonce)?;
        let expected = hex(concat!(
            "F5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3",
            "B1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA",
        ));
        assert_eq!(signature.to_bytes(super::super::SignatureEncoding::Raw), expected);
        key.public_key().verify_digest(&signature, &e)
    }
}
