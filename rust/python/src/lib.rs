//! `meterseal._core`: unpack, call the core, convert the error. Nothing else.

use pyo3::prelude::*;

mod convert;
mod cpu;

#[pymodule(gil_used = false)]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    cpu::register(module)?;
    Ok(())
}
