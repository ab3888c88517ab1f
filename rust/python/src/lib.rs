//! `meterseal._core`: unpack, call the core, convert the error. Nothing else.

use pyo3::prelude::*;

mod buffer;
mod convert;
mod cpu;
mod kdf;
mod mlkem;
mod output;
mod random;
mod record;
mod sm2;
mod sm2_danger;
mod sm2_exchange;
mod sm3;
mod sm4;
mod sm4_stream;
mod tls13;

#[pymodule(gil_used = false)]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    cpu::register(module)?;
    random::register(module)?;
    sm2::register(module)?;
    sm2_exchange::register(module)?;
    sm2_danger::register(module)?;
    sm3::register(module)?;
    kdf::register(module)?;
    sm4::register(module)?;
    sm4_stream::register(module)?;
    record::register(module)?;
    tls13::register(module)?;
    mlkem::register(module)?;
    Ok(())
}
