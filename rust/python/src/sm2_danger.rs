//! Operations with given nonces: for test vectors, dangerous anywhere else.

use meterseal_core::sm2::{Signature, danger, plain};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::buffer::Buffer;
use crate::convert::raise;
use crate::random::Sm3Drbg;
use crate::sm2::{
    DEFAULT, PrivateKey, PublicKey, ciphertext_layout, digest_bytes, signature_encoding,
};
use crate::sm2_exchange::{KeyExchange, role};

/// Signs e with that nonce.
#[pyfunction]
#[pyo3(signature = (key, digest, nonce, encoding="der"))]
fn sign_digest_with_nonce<'py>(
    py: Python<'py>,
    key: &PrivateKey,
    digest: Buffer,
    nonce: Buffer,
    encoding: &str,
) -> PyResult<Bound<'py, PyBytes>> {
    let encoding = signature_encoding(encoding)?;
    let (digest, nonce) = (digest_bytes(&digest)?, digest_bytes(&nonce)?);
    let signature = danger::sign_digest_with_nonce(&key.0, &digest, &nonce).map_err(raise)?;
    Ok(PyBytes::new(py, &signature.to_bytes(encoding)))
}

/// Signs e with a nonce hedged over that generator.
#[pyfunction]
#[pyo3(signature = (key, digest, generator, encoding="der"))]
fn sign_digest_with_generator<'py>(
    py: Python<'py>,
    key: &PrivateKey,
    digest: Buffer,
    generator: &mut Sm3Drbg,
    encoding: &str,
) -> PyResult<Bound<'py, PyBytes>> {
    let encoding = signature_encoding(encoding)?;
    let digest = digest_bytes(&digest)?;
    let signature =
        danger::sign_digest_with_randomness(&key.0, &digest, &mut generator.0).map_err(raise)?;
    Ok(PyBytes::new(py, &signature.to_bytes(encoding)))
}

/// Encrypts with that nonce.
#[pyfunction]
#[pyo3(signature = (key, data, nonce, layout="der", leading_04=true))]
fn encrypt_with_nonce<'py>(
    py: Python<'py>,
    key: &PublicKey,
    data: Buffer,
    nonce: Buffer,
    layout: &str,
    leading_04: bool,
) -> PyResult<Bound<'py, PyBytes>> {
    let layout = ciphertext_layout(layout, leading_04)?;
    let nonce = digest_bytes(&nonce)?;
    let ciphertext = danger::encrypt_with_nonce(&key.0, &data, &nonce, layout).map_err(raise)?;
    Ok(PyBytes::new(py, &ciphertext))
}

/// Begins an exchange with that ephemeral key.
#[pyfunction]
#[pyo3(
    signature = (key, ephemeral, *, initiator, distinguishing_id=DEFAULT),
    text_signature = "(key, ephemeral, *, initiator, distinguishing_id=b'1234567812345678')"
)]
fn exchange_with_ephemeral(
    key: &PrivateKey,
    ephemeral: &PrivateKey,
    initiator: bool,
    distinguishing_id: Buffer,
) -> PyResult<KeyExchange> {
    danger::exchange_with_ephemeral(&key.0, &ephemeral.0, role(initiator), &distinguishing_id)
        .map(|exchange| KeyExchange(Some(exchange)))
        .map_err(raise)
}

/// Signs e with that nonce by the standard's steps, not optimised.
#[pyfunction]
#[pyo3(signature = (key, digest, nonce, encoding="der"))]
fn sign_digest_plainly<'py>(
    py: Python<'py>,
    key: &PrivateKey,
    digest: Buffer,
    nonce: Buffer,
    encoding: &str,
) -> PyResult<Bound<'py, PyBytes>> {
    let encoding = signature_encoding(encoding)?;
    let (digest, nonce) = (digest_bytes(&digest)?, digest_bytes(&nonce)?);
    let signature = plain::sign_digest(&key.0, &digest, &nonce).map_err(raise)?;
    Ok(PyBytes::new(py, &signature.to_bytes(encoding)))
}

/// Verifies the signature of e by the standard's steps, not optimised. Raises InvalidSignature.
#[pyfunction]
#[pyo3(signature = (key, signature, digest, encoding="der"))]
fn verify_digest_plainly(
    key: &PublicKey,
    signature: Buffer,
    digest: Buffer,
    encoding: &str,
) -> PyResult<()> {
    let signature =
        Signature::from_bytes(&signature, signature_encoding(encoding)?).map_err(raise)?;
    plain::verify_digest(&key.0, &signature, &digest_bytes(&digest)?).map_err(raise)
}

/// Returns the public key of a private key, 65 bytes, not optimised.
#[pyfunction]
fn public_key_plainly<'py>(py: Python<'py>, private_key: Buffer) -> PyResult<Bound<'py, PyBytes>> {
    let public = plain::public_key(&digest_bytes(&private_key)?).map_err(raise)?;
    Ok(PyBytes::new(py, &public))
}

/// Returns the shared X coordinate, 32 bytes, not optimised.
#[pyfunction]
fn exchange_ecdh_plainly<'py>(
    py: Python<'py>,
    private_key: Buffer,
    peer: &PublicKey,
) -> PyResult<Bound<'py, PyBytes>> {
    let shared = plain::exchange_ecdh(&digest_bytes(&private_key)?, &peer.0).map_err(raise)?;
    Ok(PyBytes::new(py, &shared))
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(sign_digest_with_nonce, module)?)?;
    module.add_function(wrap_pyfunction!(sign_digest_with_generator, module)?)?;
    module.add_function(wrap_pyfunction!(encrypt_with_nonce, module)?)?;
    module.add_function(wrap_pyfunction!(exchange_with_ephemeral, module)?)?;
    module.add_function(wrap_pyfunction!(sign_digest_plainly, module)?)?;
    module.add_function(wrap_pyfunction!(verify_digest_plainly, module)?)?;
    module.add_function(wrap_pyfunction!(public_key_plainly, module)?)?;
    module.add_function(wrap_pyfunction!(exchange_ecdh_plainly, module)?)?;
    Ok(())
}
