//! Memory that is written before it is read, and therefore not cleared before it is written.
#![allow(unsafe_code)]

use core::hint::black_box;
use core::mem::MaybeUninit;
use core::slice;

use zeroize::Zeroize;

use crate::error::Error;

const TOO_SHORT: Error = Error::InvalidInput("the output is too short");

/// Room for a result of known length, which is written from front to end.
pub struct Room<'a> {
    memory: &'a mut [MaybeUninit<u8>],
    /// So many bytes at the front have been written.
    written: usize,
}

impl<'a> Room<'a> {
    /// Room for as many bytes as the memory has.
    #[must_use]
    pub fn new(memory: &'a mut [MaybeUninit<u8>]) -> Self {
        Self { memory, written: 0 }
    }

    /// Bytes that may still be written.
    #[must_use]
    pub fn left(&self) -> usize {
        self.memory.len() - self.written
    }

    /// Asks for room before anything is written, where all of it or nothing shall be.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] if there is not so much left.
    pub(crate) fn require(&self, length: usize) -> Result<(), Error> {
        if length <= self.left() { Ok(()) } else { Err(TOO_SHORT) }
    }

    /// What has been written.
    pub fn written(&mut self) -> &mut [u8] {
        // SAFETY: the field says so.
        unsafe { assume_written(&mut self.memory[..self.written]) }
    }

    /// What has been written, for as long as the memory lasts.
    #[must_use]
    pub fn into_written(self) -> &'a mut [u8] {
        // SAFETY: the field says so.
        unsafe { assume_written(&mut self.memory[..self.written]) }
    }

    /// Appends a copy of the bytes and gives it.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] if there is not so much room left.
    pub fn write(&mut self, bytes: &[u8]) -> Result<&mut [u8], Error> {
        self.write_with(bytes.len(), |memory| copy(bytes, memory))
    }

    /// Appends what `write` makes of so many bytes, and gives it.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] if there is not so much room left.
    pub(crate) fn write_with(
        &mut self,
        length: usize,
        write: impl FnOnce(&mut [MaybeUninit<u8>]) -> &mut [u8],
    ) -> Result<&mut [u8], Error> {
        let memory = self.memory[self.written..].get_mut(..length);
        let memory = memory.ok_or(TOO_SHORT)?;
        let bytes = write_all(memory, write);
        self.written += length;
        Ok(bytes)
    }

    /// Wipes what has been written after the first bytes, which leaves so much more room.
    pub(crate) fn take_back(&mut self, first: usize) {
        self.written()[first..].zeroize();
        self.written = first;
    }
}

/// Up to `SIZE` bytes that wait for something. Nothing is wiped unless [`Waiting::wipe`] is called.
#[derive(Clone)]
pub(crate) struct Waiting<const SIZE: usize> {
    memory: [MaybeUninit<u8>; SIZE],
    /// So many bytes at the front have been written, and wait.
    written: usize,
    /// As many as ever waited.
    touched: usize,
}

impl<const SIZE: usize> Waiting<SIZE> {
    #[inline(always)]
    pub fn new() -> Self {
        Self { memory: [const { MaybeUninit::uninit() }; SIZE], written: 0, touched: 0 }
    }

    #[inline(always)]
    pub fn bytes(&self) -> &[u8] {
        let memory = &self.memory[..self.written];
        // SAFETY: the field says that they have been written; both slices have the same layout.
        unsafe { slice::from_raw_parts(memory.as_ptr().cast(), memory.len()) }
    }

    /// Bytes that still have room.
    #[inline(always)]
    pub fn left(&self) -> usize {
        SIZE - self.written
    }

    /// Appends bytes, of which there are no more than are [`Waiting::left`].
    #[inline(always)]
    pub fn push(&mut self, bytes: &[u8]) {
        self.push_with(bytes.len(), |memory| copy(bytes, memory));
    }

    /// Appends what `write` makes of so many bytes.
    #[inline(always)]
    pub fn push_with(
        &mut self,
        length: usize,
        write: impl FnOnce(&mut [MaybeUninit<u8>]) -> &mut [u8],
    ) {
        let end = self.written + length;
        write_all(&mut self.memory[self.written..end], write);
        self.written = end;
        self.touched = self.touched.max(end);
    }

    /// Nothing waits any longer.
    #[inline(always)]
    pub fn clear(&mut self) {
        self.written = 0;
    }

    /// Overwrites all that ever waited.
    #[inline(always)]
    pub fn wipe(&mut self) {
        self.memory[..self.touched].zeroize();
        self.written = 0;
    }
}

/// A vector of `length` bytes, or of those at the front that `write` has written.
///
/// # Errors
/// Those of `write`.
pub fn vector<T>(
    length: usize,
    write: impl FnOnce(&mut Room<'_>) -> Result<T, Error>,
) -> Result<(Vec<u8>, T), Error> {
    let mut bytes = Vec::with_capacity(length);
    let mut room = Room::new(&mut bytes.spare_capacity_mut()[..length]);
    let result = write(&mut room)?;
    let written = room.into_written();
    let (start, length) = (written.as_ptr(), written.len());
    assert!(length == 0 || start == bytes.as_ptr(), "another room came back");
    // SAFETY: the room was that of the vector, which had the capacity, and so much is written.
    unsafe { bytes.set_len(length) };
    Ok((bytes, result))
}

/// Lets the frame of the calling function begin at a cache line.
///
/// Vectors that the compiler spills lie aligned only if something else in the frame must; otherwise
/// it depends on the stack of the callers whether each of them lies across two lines.
#[inline(always)]
pub(crate) fn align_frame() {
    #[repr(align(64))]
    struct Line {
        _start: u8,
    }
    black_box(&mut Line { _start: 0 });
}

/// Copies bytes into memory of the same length.
#[inline(always)]
pub(crate) fn copy<'m>(bytes: &[u8], memory: &'m mut [MaybeUninit<u8>]) -> &'m mut [u8] {
    assert!(bytes.len() == memory.len());
    // SAFETY: so many bytes are readable and writable, apart since one is borrowed mutably; then
    // all have been written.
    unsafe {
        memory.as_mut_ptr().cast::<u8>().copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
        assume_written(memory)
    }
}

/// Makes all of the memory zero.
pub(crate) fn clear(memory: &mut [MaybeUninit<u8>]) -> &mut [u8] {
    memory.fill(MaybeUninit::new(0));
    // SAFETY: all has just been written.
    unsafe { assume_written(memory) }
}

/// Holds `write` to giving back the whole memory as bytes, which it can only once it wrote them.
#[inline(always)]
fn write_all(
    memory: &mut [MaybeUninit<u8>],
    write: impl FnOnce(&mut [MaybeUninit<u8>]) -> &mut [u8],
) -> &mut [u8] {
    let (start, length) = (memory.as_ptr().cast::<u8>(), memory.len());
    let bytes = write(memory);
    assert!(bytes.len() == length && (length == 0 || bytes.as_ptr() == start), "not all written");
    bytes
}

/// Memory as the bytes that it holds.
///
/// # Safety
/// All of the memory has been written.
#[inline(always)]
pub(crate) unsafe fn assume_written(memory: &mut [MaybeUninit<u8>]) -> &mut [u8] {
    // SAFETY: the caller says that these are bytes; both slices have the same layout.
    unsafe { slice::from_raw_parts_mut(memory.as_mut_ptr().cast(), memory.len()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_comes_out_and_nothing_else() {
        let written = vector(8, |room| {
            assert_eq!(room.write(b"some")?, b"some");
            assert_eq!((room.left(), &*room.written()), (4, &b"some"[..]));
            assert!(room.write(b"bytes").is_err());
            room.write(b"thi")?[2] = b'e';
            Ok(room.left())
        });
        assert_eq!(written, Ok((b"somethe".to_vec(), 1)));
        let kept = vector(4, |room| {
            room.write(b"ab")?;
            room.take_back(1);
            room.write(b"c").map(drop)
        });
        assert_eq!(kept, Ok((b"ac".to_vec(), ())));
        assert_eq!(vector(0, |room| room.write(b"").map(drop)), Ok((vec![], ())));
        assert_eq!(vector(9, |_| Err::<(), _>(Error::InvalidTag)), Err(Error::InvalidTag));
    }

    #[test]
    fn another_room_is_not_taken_for_the_own() {
        let other = Box::leak(Box::new([MaybeUninit::new(7); 4]));
        let exchange = std::panic::AssertUnwindSafe(move || {
            vector(4, move |room| {
                *room = Room::new(other);
                room.write(b"here").map(drop)
            })
        });
        assert!(std::panic::catch_unwind(exchange).is_err());
    }

    #[test]
    #[should_panic(expected = "not all written")]
    fn less_than_all_is_not_taken_for_all() {
        Waiting::<4>::new().push_with(3, |memory| copy(b"ab", &mut memory[..2]));
    }

    #[test]
    fn bytes_wait_until_they_are_cleared() {
        let mut waiting = Waiting::<4>::new();
        waiting.push(b"ab");
        waiting.push_with(1, |memory| copy(b"c", memory));
        assert_eq!((waiting.bytes(), waiting.left()), (&b"abc"[..], 1));
        waiting.clear();
        waiting.push(b"d");
        assert_eq!((waiting.bytes(), waiting.left()), (&b"d"[..], 3));
        waiting.wipe();
        // What ever waited is zero, and may be looked at again.
        waiting.written = waiting.touched;
        assert_eq!(waiting.bytes(), [0; 3]);
    }
}
