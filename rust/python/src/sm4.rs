//! SM4 on whole messages.

use meterseal_core::error::Error;
use meterseal_core::sm4::ccm::Ccm;
use meterseal_core::sm4::ctr::Ctr;
use meterseal_core::sm4::gcm::{self, Gcm};
use meterseal_core::sm4::xts::{Standard, Xts};
use meterseal_core::sm4::{Key, cbc};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::buffer::{Buffer, EMPTY};
use crate::convert::{fixed, not_pickled, raise, usage};
use crate::output::filled;

/// SM4-GCM under one key (GB/T 36624-2018; NIST SP 800-38D); tags of 12 to 16 bytes.
///
/// One key must never encrypt two messages with the same nonce. Raises UsageError for a key that is
/// not 16 bytes long and for other tag lengths.
#[pyclass(name = "SM4GCM", module = "meterseal.crypto.sm4", frozen)]
pub struct Sm4Gcm {
    gcm: Gcm,
    tag_length: usize,
}

#[pymethods]
impl Sm4Gcm {
    #[new]
    #[pyo3(signature = (key, tag_length=16))]
    fn new(key: Buffer, tag_length: usize) -> PyResult<Self> {
        gcm::check_tag_length(tag_length).map_err(raise)?;
        Ok(Self { gcm: Gcm::new(fixed("SM4 key", &key)?), tag_length })
    }

    /// Returns the ciphertext followed by the tag.
    ///
    /// Raises UsageError for an empty nonce; 12 bytes are best. Data has at most 2^36 - 32 bytes.
    #[pyo3(signature = (nonce, data, aad=EMPTY), text_signature = "($self, nonce, data, aad=b'')")]
    fn encrypt<'py>(
        &self,
        py: Python<'py>,
        nonce: Buffer,
        data: Buffer,
        aad: Buffer,
    ) -> PyResult<Bound<'py, PyBytes>> {
        filled(py, data.len() + self.tag_length, |room| {
            let tag = self.gcm.encrypt_to(&nonce, &aad, &[&data], room)?;
            room.write(&tag[..self.tag_length])?;
            Ok(())
        })
    }

    /// Returns the plaintext, after the tag at the end of the data has proved it. Raises InvalidTag.
    #[pyo3(
        signature = (nonce, data_and_tag, aad=EMPTY),
        text_signature = "($self, nonce, data_and_tag, aad=b'')"
    )]
    fn decrypt<'py>(
        &self,
        py: Python<'py>,
        nonce: Buffer,
        data_and_tag: Buffer,
        aad: Buffer,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let (data, tag) = cut_tag(&data_and_tag, self.tag_length)?;
        filled(py, data.len(), |room| self.gcm.decrypt_to(&nonce, &aad, data, tag, room, &mut []))
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(not_pickled())
    }
}

/// SM4-CCM under one key (NIST SP 800-38C; RFC 8998, A.2); tags of 4, 6, 8, 10, 12, 14 or 16 bytes.
///
/// One key must never encrypt two messages with the same nonce. Raises UsageError for a key that is
/// not 16 bytes long and for other tag lengths.
#[pyclass(name = "SM4CCM", module = "meterseal.crypto.sm4", frozen)]
pub struct Sm4Ccm(Ccm);

#[pymethods]
impl Sm4Ccm {
    #[new]
    #[pyo3(signature = (key, tag_length=16))]
    fn new(key: Buffer, tag_length: usize) -> PyResult<Self> {
        Ccm::new(fixed("SM4 key", &key)?, tag_length).map(Self).map_err(raise)
    }

    /// Returns the ciphertext followed by the tag.
    ///
    /// Raises UsageError for a nonce that is not 7 to 13 bytes long, and for more data than such a
    /// nonce allows: below 2^(8 (15 - its length)) bytes.
    #[pyo3(signature = (nonce, data, aad=EMPTY), text_signature = "($self, nonce, data, aad=b'')")]
    fn encrypt<'py>(
        &self,
        py: Python<'py>,
        nonce: Buffer,
        data: Buffer,
        aad: Buffer,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let tag_length = self.0.tag_length();
        filled(py, data.len() + tag_length, |room| {
            let tag = self.0.encrypt(&nonce, &aad, room.write(&data)?)?;
            room.write(&tag[..tag_length])?;
            Ok(())
        })
    }

    /// Returns the plaintext, after the tag at the end of the data has proved it. Raises InvalidTag.
    #[pyo3(
        signature = (nonce, data_and_tag, aad=EMPTY),
        text_signature = "($self, nonce, data_and_tag, aad=b'')"
    )]
    fn decrypt<'py>(
        &self,
        py: Python<'py>,
        nonce: Buffer,
        data_and_tag: Buffer,
        aad: Buffer,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let (data, tag) = cut_tag(&data_and_tag, self.0.tag_length())?;
        filled(py, data.len(), |room| self.0.decrypt(&nonce, &aad, room.write(data)?, tag))
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(not_pickled())
    }
}

/// Returns the encryption of one block of 16 bytes (GB/T 32907-2016, 7.1).
#[pyfunction]
fn sm4_encrypt_block<'py>(
    py: Python<'py>,
    key: Buffer,
    block: Buffer,
) -> PyResult<Bound<'py, PyBytes>> {
    let mut block = *fixed("SM4 block", &block)?;
    Key::new(fixed("SM4 key", &key)?).encrypt_block(&mut block);
    Ok(PyBytes::new(py, &block))
}

/// Returns the decryption of one block of 16 bytes (GB/T 32907-2016, 7.2).
#[pyfunction]
fn sm4_decrypt_block<'py>(
    py: Python<'py>,
    key: Buffer,
    block: Buffer,
) -> PyResult<Bound<'py, PyBytes>> {
    let mut block = *fixed("SM4 block", &block)?;
    Key::new(fixed("SM4 key", &key)?).decrypt_block(&mut block);
    Ok(PyBytes::new(py, &block))
}

/// Returns the ciphertext of CBC (GB/T 17964-2021), padded as PKCS #7 unless told otherwise.
///
/// Raises UsageError if without padding the data is not whole blocks of 16 bytes.
#[pyfunction]
#[pyo3(signature = (key, iv, data, padding=true))]
fn sm4_cbc_encrypt<'py>(
    py: Python<'py>,
    key: Buffer,
    iv: Buffer,
    data: Buffer,
    padding: bool,
) -> PyResult<Bound<'py, PyBytes>> {
    let (key, iv) = (Key::new(fixed("SM4 key", &key)?), fixed("SM4-CBC iv", &iv)?);
    whole_blocks(&data, padding)?;
    let length = cbc::encrypted_length(data.len(), padding);
    filled(py, length, |room| cbc::encrypt_to(&key, iv, &data, padding, room))
}

/// Returns the plaintext of CBC (GB/T 17964-2021).
///
/// Raises DecryptionFailed for a wrong padding, UsageError if the data is not whole blocks of 16
/// bytes. CBC does not notice changes: authenticate the ciphertext before you decrypt it.
#[pyfunction]
#[pyo3(signature = (key, iv, data, padding=true))]
fn sm4_cbc_decrypt<'py>(
    py: Python<'py>,
    key: Buffer,
    iv: Buffer,
    data: Buffer,
    padding: bool,
) -> PyResult<Bound<'py, PyBytes>> {
    let (key, iv) = (Key::new(fixed("SM4 key", &key)?), fixed("SM4-CBC iv", &iv)?);
    whole_blocks(&data, false)?;
    let message = cbc::Message::new(&key, iv, &data, padding).map_err(raise)?;
    filled(py, message.length(), |room| message.decrypt_to(room))
}

/// Returns the data encrypted or decrypted in counter mode (GB/T 17964-2021).
///
/// The nonce is the whole first counter block, 16 bytes; the block counts up as one number.
#[pyfunction]
fn sm4_ctr<'py>(
    py: Python<'py>,
    key: Buffer,
    nonce: Buffer,
    data: Buffer,
) -> PyResult<Bound<'py, PyBytes>> {
    let key = Key::new(fixed("SM4 key", &key)?);
    let mut ctr = Ctr::new(key, fixed("SM4-CTR counter block", &nonce)?);
    filled(py, data.len(), |room| ctr.apply_to(&data, room))
}

/// Returns a data unit encrypted in XTS mode under two keys of 16 bytes.
///
/// `standard` is "ieee" (IEEE 1619-2018) or "gb" (GB/T 17964-2021): they differ beyond the first
/// block. Raises UsageError for a unit outside 16 bytes to 16 MiB and for equal keys.
#[pyfunction]
#[pyo3(signature = (key, tweak, data, standard="ieee"))]
fn sm4_xts_encrypt<'py>(
    py: Python<'py>,
    key: Buffer,
    tweak: Buffer,
    data: Buffer,
    standard: &str,
) -> PyResult<Bound<'py, PyBytes>> {
    let (xts, tweak) = (xts(&key, standard)?, fixed("SM4-XTS tweak", &tweak)?);
    filled(py, data.len(), |room| xts.encrypt(tweak, room.write(&data)?))
}

/// Returns a data unit decrypted in XTS mode; as `xts_encrypt`.
#[pyfunction]
#[pyo3(signature = (key, tweak, data, standard="ieee"))]
fn sm4_xts_decrypt<'py>(
    py: Python<'py>,
    key: Buffer,
    tweak: Buffer,
    data: Buffer,
    standard: &str,
) -> PyResult<Bound<'py, PyBytes>> {
    let (xts, tweak) = (xts(&key, standard)?, fixed("SM4-XTS tweak", &tweak)?);
    filled(py, data.len(), |room| xts.decrypt(tweak, room.write(&data)?))
}

fn xts(key: &[u8], standard: &str) -> PyResult<Xts> {
    let standard = match standard {
        "ieee" => Standard::Ieee,
        "gb" => Standard::Gb,
        _ => return Err(usage("standard: expected \"ieee\" or \"gb\"")),
    };
    Xts::new(fixed("SM4-XTS key pair", key)?, standard).map_err(raise)
}

fn whole_blocks(data: &[u8], padding: bool) -> PyResult<()> {
    if padding || data.len().is_multiple_of(16) {
        return Ok(());
    }
    Err(usage(format!("CBC data: expected a multiple of 16 bytes, received {}", data.len())))
}

/// The data and its tag.
fn cut_tag(data_and_tag: &[u8], tag_length: usize) -> PyResult<(&[u8], &[u8])> {
    let length = data_and_tag.len().checked_sub(tag_length);
    let cut = length.map(|length| data_and_tag.split_at(length));
    cut.ok_or_else(|| raise(Error::InvalidTag))
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Sm4Gcm>()?;
    module.add_class::<Sm4Ccm>()?;
    module.add_function(wrap_pyfunction!(sm4_encrypt_block, module)?)?;
    module.add_function(wrap_pyfunction!(sm4_decrypt_block, module)?)?;
    module.add_function(wrap_pyfunction!(sm4_cbc_encrypt, module)?)?;
    module.add_function(wrap_pyfunction!(sm4_cbc_decrypt, module)?)?;
    module.add_function(wrap_pyfunction!(sm4_ctr, module)?)?;
    module.add_function(wrap_pyfunction!(sm4_xts_encrypt, module)?)?;
    module.add_function(wrap_pyfunction!(sm4_xts_decrypt, module)?)?;
    Ok(())
}
