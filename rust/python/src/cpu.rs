//! Choice of the back-end.

use meterseal_core::cpu::{self, Backend};
use meterseal_core::error::Error;
use pyo3::prelude::*;

use crate::convert::raise;

#[pyfunction]
fn backend() -> &'static str {
    cpu::backend().name()
}

#[pyfunction]
fn available_backends() -> Vec<&'static str> {
    Backend::ALL.into_iter().filter(|backend| backend.is_available()).map(Backend::name).collect()
}

#[pyfunction]
fn force_backend(name: &str) -> PyResult<()> {
    let wanted = Backend::from_name(name)
        .ok_or(Error::InvalidInput(
            "no such back-end: expected portable, x86-64-sse, x86-64 or x86-64-avx512",
        ))
        .map_err(raise)?;
    cpu::force(wanted).map_err(raise)
}

/// A wish of the environment that cannot be granted is an error at the import, not another back-end.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    cpu::wish_of_environment().map_err(raise)?;
    module.add_function(wrap_pyfunction!(backend, module)?)?;
    module.add_function(wrap_pyfunction!(available_backends, module)?)?;
    module.add_function(wrap_pyfunction!(force_backend, module)?)?;
    Ok(())
}
