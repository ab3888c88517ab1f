//! Results that are written into their `bytes` object, which is not cleared first.
#![allow(unsafe_code)]

use std::mem::MaybeUninit;
use std::slice;

use meterseal_core::error::Error;
use meterseal_core::memory::Room;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::convert::{detached, raise};

/// `bytes` of what `write` writes, at most `length`, and what it returns. It runs without the
/// interpreter lock if there is much to write.
///
/// Whatever `write` left unwritten is in no object that anybody gets.
pub fn written<'py, T: Send>(
    py: Python<'py>,
    length: usize,
    write: impl FnOnce(&mut Room<'_>) -> Result<T, Error> + Send,
) -> PyResult<(Bound<'py, PyBytes>, T)> {
    let size = length.try_into()?;
    // SAFETY: without a source this makes a new object of so many bytes, not yet written, or gives
    // null and raises MemoryError; nobody else has it yet, so that we may write into it. An empty
    // one may be shared, but has nothing that could be written.
    let (object, memory) = unsafe {
        let object = ffi::PyBytes_FromStringAndSize(std::ptr::null(), size);
        let object = Bound::from_owned_ptr_or_err(py, object)?.cast_into_unchecked::<PyBytes>();
        let start = ffi::PyBytes_AsString(object.as_ptr()).cast::<MaybeUninit<u8>>();
        (object, slice::from_raw_parts_mut(start, length))
    };
    let start = memory.as_ptr().cast();
    let mut room = Room::new(memory);
    let result = detached(py, length, || write(&mut room)).map_err(raise)?;
    let written = room.into_written();
    if written.len() == length && written.as_ptr() == start {
        return Ok((object, result));
    }
    Ok((PyBytes::new(py, written), result))
}

/// As [`written`], for what gives nothing more.
pub fn filled<'py>(
    py: Python<'py>,
    length: usize,
    write: impl FnOnce(&mut Room<'_>) -> Result<(), Error> + Send,
) -> PyResult<Bound<'py, PyBytes>> {
    Ok(written(py, length, write)?.0)
}
