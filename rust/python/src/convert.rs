//! The one conversion of a core error into the exceptions of `meterseal.errors`.

use meterseal_core::error::Error;
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
    }
}
