//! `meterseal._core`: unpack, call the core, convert the error. Nothing else.

use pyo3::prelude::*;

mod buffer;
mod convert;
mod cpu;
mod random;
mod sm2;

#[pymodule(gil_used = false)]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    cpu::register(module)?;
    random::register(module)?;
    sm2::register(module)?;
    Ok(())
}
