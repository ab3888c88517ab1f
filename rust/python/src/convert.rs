//! The one conversion of a core error into the exceptions of `meterseal.errors`.

use meterseal_core::error::Error;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

mod errors {
    use pyo3::import_exception;
    import_exception!(meterseal.errors, UsageError);
    import_exception!(meterseal.errors, InvalidKey);
    import_exception!(meterseal.errors, InvalidSignature);
    import_exception!(meterseal.errors, InvalidTag);
    import_exception!(meterseal.errors, DecryptionFailed);
    import_exception!(meterseal.errors, RandomnessFailure);
    import_exception!(meterseal.errors, KeyExhausted);
    import_exception!(meterseal.errors, FaultDetected);
}

/// The Python exception for a core error.
pub fn raise(error: Error) -> PyErr {
    let text = error.to_string();
    match error {
        Error::InvalidInput(_) => errors::UsageError::new_err(text),
        Error::InvalidKey(_) => errors::InvalidKey::new_err(text),
        Error::InvalidSignature => errors::InvalidSignature::new_err(text),
        Error::InvalidTag => errors::InvalidTag::new_err(text),
        Error::DecryptionFailed => errors::DecryptionFailed::new_err(text),
        Error::RandomnessFailure(_) => errors::RandomnessFailure::new_err(text),
        Error::Exhausted => errors::KeyExhausted::new_err(text),
        Error::FaultDetected => errors::FaultDetected::new_err(text),
    }
}

/// `bytes` as an array, or the exception that names both lengths.
pub fn fixed<'a, const N: usize>(what: &str, bytes: &'a [u8]) -> PyResult<&'a [u8; N]> {
    bytes
        .try_into()
        .map_err(|_| usage(format!("{what}: expected {N} bytes, received {}", bytes.len())))
}

/// The exception for an argument that the call cannot accept.
pub fn usage(text: impl Into<String>) -> PyErr {
    errors::UsageError::new_err(text.into())
}

/// Runs `act`, without the interpreter lock if it has more than 4 KiB to work on.
pub fn detached<T: Send>(py: Python<'_>, length: usize, act: impl FnOnce() -> T + Send) -> T {
    if length > 4096 { py.detach(act) } else { act() }
}

/// What `__reduce__` of every object with a key raises.
pub fn not_pickled() -> PyErr {
    PyTypeError::new_err("an object that holds a key is neither copied nor pickled")
}
