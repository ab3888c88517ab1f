//! What a mode works on.

use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::ptr;

use crate::sm4::{BLOCK_SIZE, Block};

/// Blocks, and where the results go: into their place or elsewhere.
///
/// `count` blocks can be read at `from`, or `from` is null; as many can be written at `to`. The two
/// are the same, or apart, and nobody else uses what is written.
pub struct Text<'a> {
    from: *const Block,
    to: *mut Block,
    count: usize,
    borrowed: PhantomData<&'a mut [Block]>,
}

impl<'a> Text<'a> {
    /// The results take the places of the blocks.
    #[inline(always)]
    pub fn in_place(blocks: &'a mut [Block]) -> Self {
        let to = blocks.as_mut_ptr();
        Self { from: to, to, count: blocks.len(), borrowed: PhantomData }
    }

    /// The results go into memory of the same length.
    #[inline(always)]
    pub fn elsewhere(blocks: &'a [Block], memory: &'a mut [MaybeUninit<u8>]) -> Self {
        assert!(memory.len() == size_of_val(blocks));
        Self { from: blocks.as_ptr(), ..Self::made(memory) }
    }

    /// The results come of nothing that has to be read.
    #[inline(always)]
    pub fn made(memory: &'a mut [MaybeUninit<u8>]) -> Self {
        let (to, count) = (memory.as_mut_ptr().cast(), memory.len() / BLOCK_SIZE);
        assert!(memory.len().is_multiple_of(BLOCK_SIZE));
        Self { from: ptr::null(), to, count, borrowed: PhantomData }
    }

    #[inline(always)]
    pub fn len(&self) -> usize {
        self.count
    }

    /// The blocks from the front, and the others.
    #[inline(always)]
    pub fn split_at(self, count: usize) -> (Self, Self) {
        assert!(count <= self.count);
        let from = self.from.wrapping_add(if self.from.is_null() { 0 } else { count });
        let to = self.to.wrapping_add(count);
        (Self { count, ..self }, Self { from, to, count: self.count - count, ..self })
    }

    /// The blocks of a group; not of a text that is [`Text::made`].
    #[inline(always)]
    pub fn group<const LANES: usize>(&self, index: usize) -> &[Block; LANES] {
        assert!(index < self.count / LANES && !self.from.is_null());
        // SAFETY: so many blocks can be read, and are not written as long as `self` is borrowed.
        unsafe { &*self.from.add(index * LANES).cast() }
    }

    /// Where the results of a group go.
    #[inline(always)]
    pub fn place<const LANES: usize>(&mut self, index: usize) -> &mut [MaybeUninit<Block>; LANES] {
        assert!(index < self.count / LANES);
        // SAFETY: so many blocks can be written, and nobody reads them as long as `self` is
        // borrowed.
        unsafe { &mut *self.to.add(index * LANES).cast() }
    }

    /// Copies the blocks, if there are any, to the front of a batch.
    #[inline(always)]
    pub fn read(&self, batch: &mut [Block]) {
        assert!(self.count <= batch.len());
        if !self.from.is_null() {
            // SAFETY: so many blocks can be read and written, and the batch is borrowed mutably.
            unsafe { self.from.copy_to_nonoverlapping(batch.as_mut_ptr(), self.count) };
        }
    }

    /// Makes the front of a batch the results.
    #[inline(always)]
    pub fn write(self, batch: &[Block]) {
        assert!(self.count <= batch.len());
        // SAFETY: so many blocks can be read and written, and nobody else uses what is written.
        unsafe { self.to.copy_from_nonoverlapping(batch.as_ptr(), self.count) };
    }
}
