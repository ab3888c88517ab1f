//! SM4 on messages that come in pieces.

use meterseal_core::error::Error;
use meterseal_core::sm4::cbc::{Decryptor, Encryptor};
use meterseal_core::sm4::ctr::Ctr;
use meterseal_core::sm4::gcm::{Gcm, Stream};
use meterseal_core::sm4::{BLOCK_SIZE, Key};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::buffer::{Buffer, EMPTY};
use crate::convert::{fixed, not_pickled, raise, usage};
use crate::output::filled;

enum Mode {
    CbcEncryptor(Encryptor),
    CbcDecryptor(Decryptor),
    Ctr(Box<Ctr>),
}

/// Encryption or decryption in progress, in CBC or counter mode.
#[pyclass(module = "meterseal.crypto.sm4")]
pub struct Sm4Cipher(Option<Mode>);

#[pymethods]
impl Sm4Cipher {
    #[new]
    #[pyo3(signature = (key, mode, iv, *, encrypting, padding))]
    fn new(key: Buffer, mode: &str, iv: Buffer, encrypting: bool, padding: bool) -> PyResult<Self> {
        let (key, iv) = (Key::new(fixed("SM4 key", &key)?), fixed("SM4 iv", &iv)?);
        let mode = match (mode, encrypting) {
            ("cbc", true) => Mode::CbcEncryptor(Encryptor::new(key, iv, padding)),
            ("cbc", false) => Mode::CbcDecryptor(Decryptor::new(key, iv, padding)),
            ("ctr", _) => Mode::Ctr(Box::new(Ctr::new(key, iv))),
            _ => return Err(usage("mode: expected \"cbc\" or \"ctr\"")),
        };
        Ok(Self(Some(mode)))
    }

    /// Takes in more of the message and returns what is ready of the result.
    fn update<'py>(&mut self, py: Python<'py>, data: Buffer) -> PyResult<Bound<'py, PyBytes>> {
        match self.0.as_mut().ok_or_else(finished)? {
            Mode::CbcEncryptor(cbc) => {
                filled(py, cbc.ready(data.len()), |room| cbc.update(&data, room))
            }
            Mode::CbcDecryptor(cbc) => {
                filled(py, cbc.ready(data.len()), |room| cbc.update(&data, room))
            }
            Mode::Ctr(ctr) => filled(py, data.len(), |room| ctr.apply_to(&data, room)),
        }
    }

    /// Ends the message and returns the rest of the result.
    ///
    /// Raises UsageError if the message is not whole blocks where it must be, DecryptionFailed if
    /// its padding is wrong.
    fn finalize<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let mode = self.0.take().ok_or_else(finished)?;
        filled(py, BLOCK_SIZE, |room| match mode {
            Mode::CbcEncryptor(cbc) => cbc.finalize(room),
            Mode::CbcDecryptor(cbc) => cbc.finalize(room),
            Mode::Ctr(_) => Ok(()),
        })
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(not_pickled())
    }
}

/// GCM encryption in progress.
#[pyclass(name = "GCMEncryptor", module = "meterseal.crypto.sm4")]
pub struct GcmEncryptor {
    stream: Option<Stream>,
    tag: Option<[u8; 16]>,
}

#[pymethods]
impl GcmEncryptor {
    #[new]
    #[pyo3(signature = (key, nonce, aad=EMPTY), text_signature = "(key, nonce, aad=b'')")]
    fn new(key: Buffer, nonce: Buffer, aad: Buffer) -> PyResult<Self> {
        Ok(Self { stream: Some(stream(&key, &nonce, &aad, false)?), tag: None })
    }

    /// Returns the ciphertext of more of the message.
    ///
    /// Raises UsageError after `finalize` and beyond 2^36 - 32 bytes of one message.
    fn update<'py>(&mut self, py: Python<'py>, data: Buffer) -> PyResult<Bound<'py, PyBytes>> {
        let stream = self.stream.as_mut().ok_or_else(finished)?;
        filled(py, data.len(), |room| stream.apply_to(&data, room))
    }

    /// Ends the message and returns nothing more: `tag` is then there.
    fn finalize<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        self.tag = Some(self.stream.take().ok_or_else(finished)?.tag());
        Ok(PyBytes::new(py, b""))
    }

    /// The tag, 16 bytes. Raises UsageError before `finalize`.
    #[getter]
    fn tag<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let tag = self.tag.as_ref().ok_or_else(|| usage("the tag is known after finalize()"))?;
        Ok(PyBytes::new(py, tag))
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(not_pickled())
    }
}

/// GCM decryption in progress.
///
/// What `update` returns is unauthenticated until `finalize(tag)` has returned: anybody may have
/// written it. Act on nothing of it before. Where the message fits into memory use SM4GCM.
#[pyclass(name = "GCMDecryptor", module = "meterseal.crypto.sm4")]
pub struct GcmDecryptor(Option<Stream>);

#[pymethods]
impl GcmDecryptor {
    #[new]
    #[pyo3(signature = (key, nonce, aad=EMPTY), text_signature = "(key, nonce, aad=b'')")]
    fn new(key: Buffer, nonce: Buffer, aad: Buffer) -> PyResult<Self> {
        Ok(Self(Some(stream(&key, &nonce, &aad, true)?)))
    }

    /// Returns the UNAUTHENTICATED plaintext of more of the message.
    ///
    /// Raises UsageError after `finalize` and beyond 2^36 - 32 bytes of one message.
    fn update<'py>(&mut self, py: Python<'py>, data: Buffer) -> PyResult<Bound<'py, PyBytes>> {
        let stream = self.0.as_mut().ok_or_else(finished)?;
        filled(py, data.len(), |room| stream.apply_to(&data, room))
    }

    /// Ends the message and checks its tag of 12 to 16 bytes. Raises InvalidTag.
    fn finalize<'py>(&mut self, py: Python<'py>, tag: Buffer) -> PyResult<Bound<'py, PyBytes>> {
        self.0.take().ok_or_else(finished)?.verify(&tag).map_err(raise)?;
        Ok(PyBytes::new(py, b""))
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(not_pickled())
    }
}

fn stream(key: &[u8], nonce: &[u8], aad: &[u8], decrypting: bool) -> PyResult<Stream> {
    let gcm = Gcm::new(fixed("SM4 key", key)?);
    Stream::new(gcm, nonce, aad, decrypting).map_err(raise)
}

fn finished() -> PyErr {
    raise(Error::InvalidInput("the message has ended: finalize() was called"))
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Sm4Cipher>()?;
    module.add_class::<GcmEncryptor>()?;
    module.add_class::<GcmDecryptor>()?;
    Ok(())
}
