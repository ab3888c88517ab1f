//! ML-KEM-768.

use meterseal_core::mlkem;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::buffer::Buffer;
use crate::convert::{fixed, not_pickled, raise};

/// A decapsulation key of ML-KEM-768 (FIPS 203).
#[pyclass(module = "meterseal.crypto.mlkem", frozen)]
pub struct MlKem768PrivateKey(mlkem::PrivateKey);

#[pymethods]
impl MlKem768PrivateKey {
    /// Returns a new key.
    #[staticmethod]
    fn generate(py: Python<'_>) -> PyResult<Self> {
        py.detach(mlkem::PrivateKey::generate).map(Self).map_err(raise)
    }

    /// Returns the key of a seed of 64 bytes, d and z.
    #[staticmethod]
    fn from_seed(seed: Buffer) -> PyResult<Self> {
        Ok(Self(mlkem::PrivateKey::from_seed(fixed("seed", &seed)?)))
    }

    /// Returns the encapsulation key, 1184 bytes.
    fn public_bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.public_bytes())
    }

    /// Returns the shared secret of a ciphertext of 1088 bytes: 32 bytes.
    ///
    /// A ciphertext that was altered gives another secret, and nothing tells so.
    fn decapsulate<'py>(
        &self,
        py: Python<'py>,
        ciphertext: Buffer,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let secret = py.detach(|| self.0.decapsulate(&ciphertext)).map_err(raise)?;
        Ok(PyBytes::new(py, &secret[..]))
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(not_pickled())
    }
}

/// Returns a ciphertext of 1088 bytes and the shared secret of 32 bytes.
///
/// Raises InvalidKey for an encapsulation key that is not valid.
#[pyfunction]
fn mlkem768_encapsulate<'py>(
    py: Python<'py>,
    public_key: Buffer,
) -> PyResult<(Bound<'py, PyBytes>, Bound<'py, PyBytes>)> {
    let (ciphertext, secret) = py.detach(|| mlkem::encapsulate(&public_key)).map_err(raise)?;
    Ok((PyBytes::new(py, &ciphertext), PyBytes::new(py, &secret[..])))
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<MlKem768PrivateKey>()?;
    module.add_function(wrap_pyfunction!(mlkem768_encapsulate, module)?)?;
    Ok(())
}
