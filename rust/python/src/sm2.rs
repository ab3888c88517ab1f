//! SM2. The interpreter lock is released around every multiplication of a point.

use core::hash::{Hash, Hasher};
use std::collections::hash_map::DefaultHasher;

use meterseal_core::error::Error;
use meterseal_core::sm2::{self, DEFAULT_ID, Layout, Signature, SignatureEncoding};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::buffer::Buffer;
use crate::convert::raise;

pub const DEFAULT: Buffer = Buffer::Constant(DEFAULT_ID);

/// A point of the curve.
#[pyclass(module = "meterseal.crypto.sm2", frozen)]
pub struct PublicKey(pub sm2::PublicKey);

#[pymethods]
impl PublicKey {
    /// Returns the key of 65 bytes with 04 or 33 bytes with 02 or 03.
    ///
    /// Raises InvalidKey for every other form and for points that are not on the curve.
    #[staticmethod]
    fn from_bytes(point: Buffer) -> PyResult<Self> {
        sm2::PublicKey::from_bytes(&point).map(Self).map_err(raise)
    }

    /// Returns 65 bytes with 04, or 33 with 02 or 03.
    #[pyo3(signature = (compressed=false))]
    fn to_bytes<'py>(&self, py: Python<'py>, compressed: bool) -> Bound<'py, PyBytes> {
        if compressed {
            PyBytes::new(py, &self.0.to_compressed_bytes())
        } else {
            PyBytes::new(py, &self.0.to_bytes())
        }
    }

    /// Returns Z, 32 bytes (GB/T 32918.2-2016, 5.5).
    ///
    /// Raises UsageError for an identifier of more than 8191 bytes.
    #[pyo3(signature = (distinguishing_id=DEFAULT), text_signature = "($self, distinguishing_id=b'1234567812345678')")]
    fn z_value<'py>(
        &self,
        py: Python<'py>,
        distinguishing_id: Buffer,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let z = self.0.z_value(&distinguishing_id).map_err(raise)?;
        Ok(PyBytes::new(py, &z))
    }

    /// Verifies a signature (GB/T 32918.2-2016, 7.1). Raises InvalidSignature.
    ///
    /// Only the one strict encoding is accepted: minimal DER, or 64 bytes for "raw".
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

    /// Verifies the signature of e, 32 bytes. Raises InvalidSignature.
    ///
    /// e must be SM3(Z, message) computed by whoever verifies, never taken from the signer.
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

    /// Computes multiples of the point, after which signatures verify in less than half the time.
    ///
    /// They take 8 KiB and about as long as two verifications.
    fn prepare(&self, py: Python<'_>) {
        py.detach(|| self.0.prepare());
    }

    /// Encrypts 1 to 2^24 bytes (GB/T 32918.4-2016, 6.1) and returns the ciphertext.
    ///
    /// `layout` is "der" (GM/T 0009), "c1c3c2" or "c1c2c3"; without `leading_04` the latter two
    /// leave the first byte of C1 out. Raises UsageError for another length or layout.
    #[pyo3(signature = (data, layout="der", leading_04=true))]
    fn encrypt<'py>(
        &self,
        py: Python<'py>,
        data: Buffer,
        layout: &str,
        leading_04: bool,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let layout = ciphertext_layout(layout, leading_04)?;
        let ciphertext = py.detach(|| self.0.encrypt(&data, layout)).map_err(raise)?;
        Ok(PyBytes::new(py, &ciphertext))
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
pub struct PrivateKey(pub sm2::PrivateKey);

#[pymethods]
impl PrivateKey {
    /// Returns a fresh key. Raises RandomnessFailure.
    #[staticmethod]
    fn generate(py: Python<'_>) -> PyResult<Self> {
        py.detach(sm2::PrivateKey::generate).map(Self).map_err(raise)
    }

    /// Returns the key of 32 bytes, big-endian. Raises InvalidKey unless 1 <= d <= n-2.
    #[staticmethod]
    fn from_bytes(py: Python<'_>, private_key: Buffer) -> PyResult<Self> {
        py.detach(|| sm2::PrivateKey::from_bytes(&private_key)).map(Self).map_err(raise)
    }

    /// Returns d, 32 bytes, big-endian. The copy is the caller's to guard.
    fn to_bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.to_bytes()[..])
    }

    /// Returns the public key [d]G.
    fn public_key(&self) -> PublicKey {
        PublicKey(self.0.public_key().clone())
    }

    /// Signs a message (GB/T 32918.2-2016, 6.1); returns DER, or r and s as 64 bytes for "raw".
    ///
    /// The nonce is hedged: it hashes the private key, e, fresh system entropy, UTC time and a
    /// counter. Raises RandomnessFailure.
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

    /// Signs e, 32 bytes: SM3(Z, message). Raises RandomnessFailure.
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

    /// Decrypts what `PublicKey.encrypt` made, and nothing else: each layout has one form.
    ///
    /// `layout` and `leading_04` must be what was encrypted with: nothing is guessed, and without
    /// its 04 a C1 that happens to begin with 04 is still read as x. Raises DecryptionFailed,
    /// whatever the reason.
    #[pyo3(signature = (ciphertext, layout="der", leading_04=true))]
    fn decrypt<'py>(
        &self,
        py: Python<'py>,
        ciphertext: Buffer,
        layout: &str,
        leading_04: bool,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let layout = ciphertext_layout(layout, leading_04)?;
        let plaintext = py.detach(|| self.0.decrypt(&ciphertext, layout)).map_err(raise)?;
        Ok(PyBytes::new(py, &plaintext))
    }

    /// Begins a signature of a message that comes in pieces.
    #[pyo3(
        signature = (distinguishing_id=DEFAULT),
        text_signature = "($self, distinguishing_id=b'1234567812345678')"
    )]
    fn signer(&self, py: Python<'_>, distinguishing_id: Buffer) -> PyResult<Signer> {
        let signer = py.detach(|| sm2::Signer::new(&self.0, &distinguishing_id)).map_err(raise)?;
        Ok(Signer(Some(signer)))
    }

    /// Returns the 32-byte x coordinate of [d]P: plain ECDH. Derive keys from it, never use it as one.
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

/// A signature in progress, whose nonce point was computed before the message is known.
#[pyclass(module = "meterseal.crypto.sm2")]
pub struct Signer(Option<sm2::Signer>);

#[pymethods]
impl Signer {
    /// Takes a piece of the message.
    fn update(&mut self, py: Python<'_>, data: Buffer) -> PyResult<()> {
        let signer = self.0.as_mut().ok_or_else(spent)?;
        py.detach(|| signer.update(&data));
        Ok(())
    }

    /// Returns the signature; each signer gives one only.
    #[pyo3(signature = (encoding="der"))]
    fn finish<'py>(&mut self, py: Python<'py>, encoding: &str) -> PyResult<Bound<'py, PyBytes>> {
        let encoding = signature_encoding(encoding)?;
        let signer = self.0.take().ok_or_else(spent)?;
        let signature = py.detach(|| signer.finish()).map_err(raise)?;
        Ok(PyBytes::new(py, &signature.to_bytes(encoding)))
    }
}

fn spent() -> PyErr {
    raise(Error::InvalidInput("this object has given its result"))
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

/// Most keys of one call.
const MOST_KEYS: usize = 1 << 20;

/// That many fresh keys. Raises RandomnessFailure; UsageError beyond 2^20.
#[pyfunction]
fn generate_batch(py: Python<'_>, count: usize) -> PyResult<Vec<PrivateKey>> {
    if count > MOST_KEYS {
        return Err(raise(Error::InvalidInput("one call generates at most 1,048,576 keys")));
    }
    let keys = py.detach(|| sm2::generate_batch(count)).map_err(raise)?;
    Ok(keys.into_iter().map(PrivateKey).collect())
}

/// The 32-byte x coordinate of [d]P for each `(key, peer)`: see `PrivateKey.exchange_ecdh`.
#[pyfunction]
fn exchange_ecdh_batch<'py>(
    py: Python<'py>,
    pairs: Vec<(Py<PrivateKey>, Py<PublicKey>)>,
) -> PyResult<Vec<Bound<'py, PyBytes>>> {
    let pairs: Vec<(&sm2::PrivateKey, &sm2::PublicKey)> =
        pairs.iter().map(|(key, peer)| (&key.get().0, &peer.get().0)).collect();
    let shared = py.detach(|| sm2::exchange_ecdh_batch(&pairs)).map_err(raise)?;
    Ok(shared.iter().map(|x| PyBytes::new(py, &x[..])).collect())
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PublicKey>()?;
    module.add_class::<PrivateKey>()?;
    module.add_class::<Signer>()?;
    module.add_function(wrap_pyfunction!(generate_batch, module)?)?;
    module.add_function(wrap_pyfunction!(exchange_ecdh_batch, module)?)?;
    module.add_function(wrap_pyfunction!(sign_batch, module)?)?;
    module.add_function(wrap_pyfunction!(verify_batch, module)?)?;
    Ok(())
}

pub fn signature_encoding(name: &str) -> PyResult<SignatureEncoding> {
    match name {
        "der" => Ok(SignatureEncoding::Der),
        "raw" => Ok(SignatureEncoding::Raw),
        _ => Err(raise(Error::InvalidInput("no such encoding: expected der or raw"))),
    }
}

pub fn ciphertext_layout(name: &str, leading_04: bool) -> PyResult<Layout> {
    match name {
        "der" if leading_04 => Ok(Layout::Der),
        "der" => Err(raise(Error::InvalidInput("leading_04 has no meaning in DER"))),
        "c1c3c2" => Ok(Layout::C1C3C2 { leading_04 }),
        "c1c2c3" => Ok(Layout::C1C2C3 { leading_04 }),
        _ => Err(raise(Error::InvalidInput("no such layout: expected der, c1c3c2 or c1c2c3"))),
    }
}

pub fn digest_bytes(digest: &[u8]) -> PyResult<[u8; 32]> {
    digest.try_into().map_err(|_| raise(Error::InvalidInput("a digest e has 32 bytes")))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
