//! Arguments that take bytes: `bytes` without a copy, `bytearray` and `memoryview` with one.

use std::ops::Deref;

use pyo3::buffer::PyBuffer;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

/// Bytes that stay valid and unchanged while the interpreter lock is released.
pub enum Buffer {
    Shared(PyBackedBytes),
    Copied(Vec<u8>),
    Constant(&'static [u8]),
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Shared(bytes) => bytes,
            Self::Copied(bytes) => bytes,
            Self::Constant(bytes) => bytes,
        }
    }
}

impl<'a, 'py> FromPyObject<'a, 'py> for Buffer {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(bytes) = object.cast::<PyBytes>() {
            return Ok(Self::Shared(bytes.to_owned().into()));
        }
        let buffer: PyBuffer<u8> = object.extract()?;
        Ok(Self::Copied(buffer.to_vec(object.py())?))
    }
}

/// What an argument left out stands for.
pub const EMPTY: Buffer = Buffer::Constant(b"");
