//! Keys from secrets.

use meterseal_core::error::Error;
use meterseal_core::kdf;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::buffer::{Buffer, EMPTY};
use crate::convert::{raise, usage};

/// Most bytes of one call.
const MAX_LENGTH: usize = 1 << 24;

/// Returns KDF(secret, length) of SM2 (GB/T 32918.3-2016, 5.4.3), 1 byte to 16 MiB.
#[pyfunction]
fn sm2_kdf<'py>(py: Python<'py>, secret: Buffer, length: usize) -> PyResult<Bound<'py, PyBytes>> {
    derive(py, length, |out| kdf::sm2_kdf(&[&secret], out))
}

/// Returns PRF(secret, label, seed) of TLS 1.2 (RFC 5246, 5) with HMAC-SM3, 1 byte to 16 MiB.
#[pyfunction]
fn tls12_prf<'py>(
    py: Python<'py>,
    secret: Buffer,
    label: Buffer,
    seed: Buffer,
    length: usize,
) -> PyResult<Bound<'py, PyBytes>> {
    derive(py, length, |out| {
        kdf::tls12_prf(kdf::PrfHash::Sm3, &secret, &[&label, &seed], out);
        Ok(())
    })
}

/// Returns PBKDF2 (RFC 8018, 5.2) with HMAC-SM3, 1 byte to 16 MiB.
#[pyfunction]
fn pbkdf2_hmac_sm3<'py>(
    py: Python<'py>,
    password: Buffer,
    salt: Buffer,
    iterations: u32,
    length: usize,
) -> PyResult<Bound<'py, PyBytes>> {
    derive(py, length, |out| py.detach(|| kdf::pbkdf2(&password, &salt, iterations, out)))
}

/// Returns HKDF (RFC 5869) with HMAC-SM3, 1 to 8160 bytes.
#[pyfunction]
#[pyo3(signature = (secret, salt, info, length), text_signature = "(secret, salt, info, length)")]
fn hkdf_sm3<'py>(
    py: Python<'py>,
    secret: Buffer,
    salt: Buffer,
    info: Buffer,
    length: usize,
) -> PyResult<Bound<'py, PyBytes>> {
    derive(py, length, |out| {
        let key = kdf::hkdf_extract(&salt, &secret);
        kdf::hkdf_expand(&key, &info, out)
    })
}

/// Returns the pseudorandom key of HKDF, 32 bytes (RFC 5869, 2.2).
#[pyfunction]
fn hkdf_extract_sm3<'py>(py: Python<'py>, salt: Buffer, secret: Buffer) -> Bound<'py, PyBytes> {
    PyBytes::new(py, &kdf::hkdf_extract(&salt, &secret))
}

/// Returns output of HKDF from a pseudorandom key, 1 to 8160 bytes (RFC 5869, 2.3).
#[pyfunction]
#[pyo3(signature = (key, info=EMPTY, length=32), text_signature = "(key, info=b'', length=32)")]
fn hkdf_expand_sm3<'py>(
    py: Python<'py>,
    key: Buffer,
    info: Buffer,
    length: usize,
) -> PyResult<Bound<'py, PyBytes>> {
    derive(py, length, |out| kdf::hkdf_expand(&key, &info, out))
}

pub fn derive<'py>(
    py: Python<'py>,
    length: usize,
    act: impl FnOnce(&mut [u8]) -> Result<(), Error>,
) -> PyResult<Bound<'py, PyBytes>> {
    if !(1..=MAX_LENGTH).contains(&length) {
        let text = format!("length: expected 1 to {MAX_LENGTH} bytes, received {length}");
        return Err(usage(text));
    }
    PyBytes::new_with(py, length, |out| act(out).map_err(raise))
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(sm2_kdf, module)?)?;
    module.add_function(wrap_pyfunction!(tls12_prf, module)?)?;
    module.add_function(wrap_pyfunction!(pbkdf2_hmac_sm3, module)?)?;
    module.add_function(wrap_pyfunction!(hkdf_sm3, module)?)?;
    module.add_function(wrap_pyfunction!(hkdf_extract_sm3, module)?)?;
    module.add_function(wrap_pyfunction!(hkdf_expand_sm3, module)?)?;
    Ok(())
}
