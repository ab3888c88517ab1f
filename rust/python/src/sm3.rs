//! SM3 and HMAC-SM3.

use meterseal_core::hmac::HmacSm3 as CoreHmac;
use meterseal_core::sm3::{Sm3 as CoreSm3, digest_many};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::buffer::{Buffer, EMPTY};
use crate::convert::{detached, not_pickled, raise};

/// SM3 hash in progress, shaped like the objects of hashlib (GB/T 32905-2016).
#[pyclass(name = "Sm3", module = "meterseal.crypto.sm3")]
pub struct Sm3(CoreSm3);

#[pymethods]
impl Sm3 {
    #[classattr]
    #[pyo3(name = "name")]
    const NAME: &'static str = "sm3";
    #[classattr]
    #[pyo3(name = "digest_size")]
    const DIGEST_SIZE: usize = 32;
    #[classattr]
    #[pyo3(name = "block_size")]
    const BLOCK_SIZE: usize = 64;

    #[new]
    #[pyo3(signature = (data=EMPTY), text_signature = "(data=b'')")]
    fn new(py: Python<'_>, data: Buffer) -> Self {
        let mut hash = Self(CoreSm3::new());
        hash.update(py, data);
        hash
    }

    /// Takes in more of the message.
    fn update(&mut self, py: Python<'_>, data: Buffer) {
        detached(py, data.len(), || self.0.update(&data));
    }

    /// Returns the 32 bytes of the digest so far.
    fn digest<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.digest_so_far())
    }

    /// Returns the digest so far as 64 hexadecimal digits.
    fn hexdigest(&self) -> String {
        hexadecimal(&self.0.digest_so_far())
    }

    /// Returns an independent hash of what was taken in so far.
    fn copy(&self) -> Self {
        Self(self.0.clone())
    }
}

/// HMAC-SM3 in progress (RFC 2104; GB/T 15852.2-2012, mechanism 2).
#[pyclass(name = "HmacSm3", module = "meterseal.crypto.sm3")]
pub struct HmacSm3(CoreHmac);

#[pymethods]
impl HmacSm3 {
    #[classattr]
    #[pyo3(name = "name")]
    const NAME: &'static str = "hmac-sm3";
    #[classattr]
    #[pyo3(name = "digest_size")]
    const DIGEST_SIZE: usize = 32;
    #[classattr]
    #[pyo3(name = "block_size")]
    const BLOCK_SIZE: usize = 64;

    #[new]
    #[pyo3(signature = (key, data=EMPTY), text_signature = "(key, data=b'')")]
    fn new(py: Python<'_>, key: Buffer, data: Buffer) -> Self {
        let mut hmac = Self(CoreHmac::new(&key));
        hmac.update(py, data);
        hmac
    }

    /// Takes in more of the message.
    fn update(&mut self, py: Python<'_>, data: Buffer) {
        detached(py, data.len(), || self.0.update(&data));
    }

    /// Returns the 32 bytes of the MAC so far.
    fn digest<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.clone().finalize())
    }

    /// Returns the MAC so far as 64 hexadecimal digits.
    fn hexdigest(&self) -> String {
        hexadecimal(&self.0.clone().finalize())
    }

    /// Compares the whole MAC in constant time. Raises InvalidTag.
    fn verify(&self, mac: Buffer) -> PyResult<()> {
        self.0.clone().verify(&mac).map_err(raise)
    }

    /// Returns an independent MAC of what was taken in so far, under the same key.
    fn copy(&self) -> Self {
        Self(self.0.clone())
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(not_pickled())
    }
}

/// Returns the 32 bytes of the digest of one message.
#[pyfunction]
fn sm3_digest<'py>(py: Python<'py>, data: Buffer) -> Bound<'py, PyBytes> {
    PyBytes::new(py, &detached(py, data.len(), || CoreSm3::digest(&data)))
}

/// Returns the digest of each message; several are hashed side by side.
#[pyfunction]
fn sm3_batch(py: Python<'_>, messages: Vec<Buffer>) -> Vec<Bound<'_, PyBytes>> {
    let messages: Vec<&[u8]> = messages.iter().map(|message| &**message).collect();
    let length = messages.iter().map(|message| message.len()).sum();
    let digests = detached(py, length, || digest_many(&messages));
    digests.iter().map(|digest| PyBytes::new(py, digest)).collect()
}

/// Returns the 32 bytes of HMAC-SM3 of one message.
#[pyfunction]
fn hmac_sm3<'py>(py: Python<'py>, key: Buffer, data: Buffer) -> Bound<'py, PyBytes> {
    PyBytes::new(py, &detached(py, data.len(), || CoreHmac::mac(&key, &[&data])))
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Sm3>()?;
    module.add_class::<HmacSm3>()?;
    module.add_function(wrap_pyfunction!(sm3_digest, module)?)?;
    module.add_function(wrap_pyfunction!(sm3_batch, module)?)?;
    module.add_function(wrap_pyfunction!(hmac_sm3, module)?)?;
    Ok(())
}
