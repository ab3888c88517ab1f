//! SM2. The interpreter lock is released around every multiplication of a point.

use core::hash::{Hash, Hasher};
use std::collections::hash_map::DefaultHasher;

use meterseal_core::error::Error;
use meterseal_core::sm2::{self, DEFAULT_ID, Signature, SignatureEncoding};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::buffer::Buffer;
use crate::convert::raise;

const DEFAULT: Buffer = Buffer::Constant(DEFAULT_ID);

/// A point of the curve.
#[pyclass(module = "meterseal.crypto.sm2", frozen)]
pub struct PublicKey(sm2::PublicKey);

#[pymethods]
impl PublicKey {
    #[staticmethod]
    fn from_bytes(point: Buffer) -> PyResult<Self> {
        sm2::PublicKey::from_bytes(&point).map(Self).map_err(raise)
    }

    #[pyo3(signature = (compressed=false))]
    fn to_bytes<'py>(&self, py: Python<'py>, compressed: bool) -> Bound<'py, PyBytes> {
        if compressed {
            PyBytes::new(py, &self.0.to_compressed_bytes())
        } else {
            PyBytes::new(py, &self.0.to_bytes())
        }
    }

    #[pyo3(signature = (distinguishing_id=DEFAULT), text_signature = "($self, distinguishing_id=b'1234567812345678')")]
    fn z_value<'py>(
        &self,
        py: Python<'py>,
        distinguishing_id: Buffer,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let z = self.0.z_value(&distinguishing_id).map_err(raise)?;
        Ok(PyBytes::new(py, &z))
    }

    #[pyo3(
        signature = (signature, message, distinguishing_id=DEFAULT, encoding="der"),
        text_signature = "($self, signature, message, distinguishing_id=b'1234567812345678', encoding='der')"
    )]
    fn verify(
        &self,
        py: Python<'_>,
        signature: Buffer,
        message: Buffer,
        distinguishing_id: Buffer,
        encoding: &str,
    ) -> PyResult<()> {
        let encoding = signature_encoding(encoding)?;
        py.detach(|| {
            let signature = Signature::from_bytes(&signature, encoding)?;
            self.0.verify(&signature, &message, &distinguishing_id)
        })
        .map_err(raise)
    }

    #[pyo3(signature = (signature, digest, encoding="der"))]
    fn verify_digest(
        &self,
        py: Python<'_>,
        signature: Buffer,
        digest: Buffer,
        encoding: &str,
    ) -> PyResult<()> {
        let encoding = signature_encoding(encoding)?;
        let digest = digest_bytes(&digest)?;
        py.detach(|| self.0.verify_digest(&Signature::from_bytes(&signature, encoding)?, &digest))
            .map_err(raise)
    }

    fn __eq__(&self, other: &Self) -> bool {
        self.0 == other.0
    }

    fn __hash__(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.0.to_bytes().hash(&mut hasher);
        hasher.finish()
    }

    fn __repr__(&self) -> String {
        format!("PublicKey.from_bytes(bytes.fromhex('{}'))", hex(&self.0.to_bytes()))
    }

    fn __reduce__<'py>(
        slf: &Bound<'py, Self>,
    ) -> PyResult<(Bound<'py, PyAny>, (Bound<'py, PyBytes>,))> {
        let rebuild = slf.get_type().getattr("from_bytes")?;
        Ok((rebuild, (slf.get().to_bytes(slf.py(), false),)))
    }
}

/// A number of 1 to n-2.
#[pyclass(module = "meterseal.crypto.sm2", frozen)]
pub struct PrivateKey(sm2::PrivateKey);

#[pymethods]
impl PrivateKey {
    #[staticmethod]
    fn generate(py: Python<'_>) -> PyResult<Self> {
        py.detach(sm2::PrivateKey::generate).map(Self).map_err(raise)
    }

    #[staticmethod]
    fn from_bytes(py: Python<'_>, private_key: Buffer) -> PyResult<Self> {
        py.detach(|| sm2::PrivateKey::from_bytes(&private_key)).map(Self).map_err(raise)
    }

    fn to_bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.to_bytes()[..])
    }

    fn public_key(&self) -> PublicKey {
        PublicKey(self.0.public_key().clone())
    }

    #[pyo3(
        signature = (message, distinguishing_id=DEFAULT, encoding="der"),
        text_signature = "($self, message, distinguishing_id=b'1234567812345678', encoding='der')"
    )]
    fn sign<'py>(
        &self,
        py: Python<'py>,
        message: Buffer,
        distinguishing_id: Buffer,
        encoding: &str,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let encoding = signature_encoding(encoding)?;
        let signature = py.detach(|| self.0.sign(&message, &distinguishing_id)).map_err(raise)?;
        Ok(PyBytes::new(py, &signature.to_bytes(encoding)))
    }

    #[pyo3(signature = (digest, encoding="der"))]
    fn sign_digest<'py>(
        &self,
        py: Python<'py>,
        digest: Buffer,
        encoding: &str,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let encoding = signature_encoding(encoding)?;
        let digest = digest_bytes(&digest)?;
        let signature = py.detach(|| self.0.sign_digest(&digest)).map_err(raise)?;
        Ok(PyBytes::new(py, &signature.to_bytes(encoding)))
    }

    fn exchange_ecdh<'py>(
        &self,
        py: Python<'py>,
        peer: &PublicKey,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let shared = py.detach(|| self.0.exchange_ecdh(&peer.0)).map_err(raise)?;
        Ok(PyBytes::new(py, &shared[..]))
    }

    fn __eq__(&self, other: &Self) -> bool {
        self.0 == other.0
    }

    fn __repr__(&self) -> String {
        format!("<PrivateKey of {}>", hex(&self.0.public_key().to_bytes()))
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err("a private key is not pickled; use to_bytes() on purpose"))
    }

    fn __copy__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __deepcopy__(slf: Py<Self>, memo: &Bound<'_, PyAny>) -> Py<Self> {
        let _ = memo;
        slf
    }
}

/// Signs each `(key, message)`.
#[pyfunction]
#[pyo3(
    signature = (requests, distinguishing_id=DEFAULT, encoding="der"),
    text_signature = "(requests, distinguishing_id=b'1234567812345678', encoding='der')"
)]
fn sign_batch<'py>(
    py: Python<'py>,
    requests: Vec<(Py<PrivateKey>, Buffer)>,
    distinguishing_id: Buffer,
    encoding: &str,
) -> PyResult<Vec<Bound<'py, PyBytes>>> {
    let encoding = signature_encoding(encoding)?;
    let requests: Vec<(&sm2::PrivateKey, &[u8])> =
        requests.iter().map(|(key, message)| (&key.get().0, &**message)).collect();
    let signatures = py.detach(|| sm2::sign_batch(&requests, &distinguishing_id)).map_err(raise)?;
    Ok(signatures.iter().map(|s| PyBytes::new(py, &s.to_bytes(encoding))).collect())
}

/// Which `(key, signature, message)` verify.
#[pyfunction]
#[pyo3(
    signature = (requests, distinguishing_id=DEFAULT, encoding="der"),
    text_signature = "(requests, distinguishing_id=b'1234567812345678', encoding='der')"
)]
fn verify_batch(
    py: Python<'_>,
    requests: Vec<(Py<PublicKey>, Buffer, Buffer)>,
    distinguishing_id: Buffer,
    encoding: &str,
) -> PyResult<Vec<bool>> {
    let encoding = signature_encoding(encoding)?;
    let requests: Vec<(&sm2::PublicKey, &[u8], &[u8])> = requests
        .iter()
        .map(|(key, signature, message)| (&key.get().0, &**signature, &**message))
        .collect();
    py.detach(|| sm2::verify_batch(&requests, &distinguishing_id, encoding)).map_err(raise)
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PublicKey>()?;
    module.add_class::<PrivateKey>()?;
    module.add_function(wrap_pyfunction!(sign_batch, module)?)?;
    module.add_function(wrap_pyfunction!(verify_batch, module)?)?;
    Ok(())
}

fn signature_encoding(name: &str) -> PyResult<SignatureEncoding> {
    match name {
        "der" => Ok(SignatureEncoding::Der),
        "raw" => Ok(SignatureEncoding::Raw),
        _ => Err(raise(Error::InvalidInput("no such encoding: expected der or raw"))),
    }
}

fn digest_bytes(digest: &[u8]) -> PyResult<[u8; 32]> {
    digest.try_into().map_err(|_| raise(Error::InvalidInput("a digest e has 32 bytes")))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
