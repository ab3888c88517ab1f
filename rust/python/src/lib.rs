//! `meterseal._core`: unpack, call the core, convert the error. Nothing else.

use pyo3::prelude::*;

mod buffer;
mod convert;
mod cpu;
mod random;
mod sm2;
mod sm2_danger;
mod sm2_exchange;

#[pymodule(gil_used = false)]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    cpu::register(module)?;
    random::register(module)?;
    sm2::register(module)?;
    sm2_exchange::register(module)?;
    sm2_danger::register(module)?;
    Ok(())
}
