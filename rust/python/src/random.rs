//! The random generator.

use meterseal_core::drbg::{Clock, EntropySource, Generator, Purpose, System};
use meterseal_core::error::Error;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::buffer::Buffer;
use crate::convert::raise;

/// Most bytes of one call.
const MAX_LENGTH: usize = 1 << 24;

/// Returns 0 to 2^24 random bytes; `extra` is mixed in and need be neither secret nor random.
///
/// Raises RandomnessFailure, from then on at every call of this thread.
#[pyfunction]
#[pyo3(signature = (length, extra=None))]
fn random_bytes<'py>(
    py: Python<'py>,
    length: usize,
    extra: Option<Buffer>,
) -> PyResult<Bound<'py, PyBytes>> {
    let extra = extra.as_deref().unwrap_or_default();
    fill(py, length, |out| System::fill_with(Purpose::General, extra, out))
}

/// A generator over an entropy source and a clock given by the caller: for tests and experiments.
///
/// `entropy(length)` returns as many bytes of full entropy, `clock()` UTC nanoseconds since 1970.
/// Raises RandomnessFailure if the source does not pass its tests.
#[pyclass(module = "meterseal._core")]
pub struct Sm3Drbg(pub Generator<CallableEntropy, CallableClock>);

#[pymethods]
impl Sm3Drbg {
    #[new]
    fn new(entropy: Py<PyAny>, clock: Py<PyAny>) -> PyResult<Self> {
        Generator::new(CallableEntropy(entropy), CallableClock(clock)).map(Self).map_err(raise)
    }

    /// Returns 0 to 2^24 random bytes. Raises RandomnessFailure, from then on at every call.
    #[pyo3(signature = (length, extra=None))]
    fn random_bytes<'py>(
        &mut self,
        py: Python<'py>,
        length: usize,
        extra: Option<Buffer>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let extra = extra.as_deref().unwrap_or_default();
        fill(py, length, |out| self.0.fill_with(Purpose::General, extra, out))
    }

    /// Takes fresh entropy at once. Raises RandomnessFailure.
    fn reseed(&mut self) -> PyResult<()> {
        self.0.reseed().map_err(raise)
    }
}

fn fill<'py>(
    py: Python<'py>,
    length: usize,
    act: impl FnOnce(&mut [u8]) -> Result<(), Error>,
) -> PyResult<Bound<'py, PyBytes>> {
    if length > MAX_LENGTH {
        return Err(raise(Error::InvalidInput("one call gives at most 16 MiB of randomness")));
    }
    PyBytes::new_with(py, length, |out| act(out).map_err(raise))
}

/// `entropy(length) -> bytes`
pub struct CallableEntropy(Py<PyAny>);

impl EntropySource for CallableEntropy {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), Error> {
        let failed = Error::RandomnessFailure("the entropy source raised or gave a wrong length");
        let bytes = Python::attach(|py| self.0.bind(py).call1((out.len(),))?.extract::<Vec<u8>>())
            .map_err(|_| failed)?;
        if bytes.len() != out.len() {
            return Err(failed);
        }
        out.copy_from_slice(&bytes);
        Ok(())
    }
}

/// `clock() -> int`: UTC nanoseconds; it also tells the age of the seed.
pub struct CallableClock(Py<PyAny>);

impl Clock for CallableClock {
    fn utc_nanoseconds(&mut self) -> Result<u64, Error> {
        Python::attach(|py| self.0.bind(py).call0()?.extract::<u64>())
            .map_err(|_| Error::RandomnessFailure("the clock raised or gave no number"))
    }

    fn elapsed_nanoseconds(&mut self) -> Result<u64, Error> {
        self.utc_nanoseconds()
    }
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(random_bytes, module)?)?;
    module.add_class::<Sm3Drbg>()?;
    Ok(())
}
