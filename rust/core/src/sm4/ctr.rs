//! Counter mode (GB/T 17964-2021; NIST SP 800-38A, 6.5).

use super::{BLOCK_SIZE, Block, Key, arch};
use crate::error::Error;
use crate::memory::{Room, Waiting};

/// Bytes of key stream that may wait for their data: a batch, which costs less than its parts.
const BATCH: usize = 32 * BLOCK_SIZE;

/// How a counter block becomes the next one.
pub(super) trait Increment {
    fn advance(counter: u128, steps: u64) -> u128;

    /// Blocks until the last 32 bits wrap.
    #[inline(always)]
    fn until_wrap(counter: u128) -> u64 {
        (1 << 32) - u64::from(counter as u32)
    }
}

/// The whole block counts.
pub(super) struct WholeBlock;

/// The last 32 bits count, as in GCM.
pub(super) struct Last32Bits;

/// As the whole block, from zero in the length field of a CCM message, which has fewer blocks than
/// could wrap: the bytes before the field, which may be secret, decide nothing.
pub(super) struct LengthField;

impl Increment for LengthField {
    #[inline(always)]
    fn advance(counter: u128, steps: u64) -> u128 {
        WholeBlock::advance(counter, steps)
    }

    #[inline(always)]
    fn until_wrap(_: u128) -> u64 {
        1 << 32
    }
}

impl Increment for WholeBlock {
    #[inline(always)]
    fn advance(counter: u128, steps: u64) -> u128 {
        counter.wrapping_add(u128::from(steps))
    }
}

impl Increment for Last32Bits {
    #[inline(always)]
    fn advance(counter: u128, steps: u64) -> u128 {
        let low = (counter as u32).wrapping_add(steps as u32);
        (counter >> 32 << 32) | u128::from(low)
    }
}

/// A key stream: the counter, and what was made but not used yet. Wiped when dropped.
#[derive(Clone)]
pub(super) struct Keystream {
    counter: u128,
    made: Waiting<BATCH>,
    /// Bytes of it that are used up.
    used: usize,
}

impl Keystream {
    pub fn new(counter: &Block) -> Self {
        Self { counter: u128::from_be_bytes(*counter), made: Waiting::new(), used: 0 }
    }

    /// Takes the key stream of one block out; as much of what follows as `expected` bytes will
    /// need is made with it, because a few blocks together take no longer than one.
    pub fn take_block<I: Increment>(&mut self, key: &Key, expected: usize) -> Block {
        self.refill::<I>(key, expected.saturating_add(BLOCK_SIZE));
        self.used = BLOCK_SIZE;
        self.made.bytes().first_chunk().copied().unwrap_or_default()
    }

    /// Bytes of key stream that wait for their data.
    pub fn waits(&self) -> usize {
        self.made.bytes().len() - self.used
    }

    /// Adds the key stream to the data.
    pub fn apply<I: Increment>(&mut self, key: &Key, data: &mut [u8]) {
        let (head, rest) = data.split_at_mut(self.waits().min(data.len()));
        self.use_up(head);
        let (mut body, tail) = rest.split_at_mut(rest.len() - rest.len() % BATCH);
        while !body.is_empty() {
            let (counter, length) = self.advance::<I>(body.len());
            let (now, later) = body.split_at_mut(length);
            arch::apply_counters(key, counter, now.as_chunks_mut().0);
            body = later;
        }
        if !tail.is_empty() {
            self.refill::<I>(key, tail.len());
            self.use_up(tail);
        }
    }

    /// Writes the sum of the key stream and the data.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] if there is not so much room.
    pub fn apply_to<I: Increment>(
        &mut self,
        key: &Key,
        data: &[u8],
        room: &mut Room<'_>,
    ) -> Result<(), Error> {
        let (head, rest) = data.split_at(self.waits().min(data.len()));
        self.use_up(room.write(head)?);
        let (mut body, tail) = rest.split_at(rest.len() - rest.len() % BATCH);
        while !body.is_empty() {
            let (counter, length) = self.advance::<I>(body.len());
            let (now, later) = body.split_at(length);
            let blocks = now.as_chunks().0;
            room.write_with(length, |out| arch::apply_counters_to(key, counter, blocks, out))?;
            body = later;
        }
        if !tail.is_empty() {
            self.refill::<I>(key, tail.len());
            self.use_up(room.write(tail)?);
        }
        Ok(())
    }

    /// Makes key stream for so many bytes, up to what may wait.
    fn refill<I: Increment>(&mut self, key: &Key, bytes: usize) {
        // Whole groups of eight blocks: they take no longer than a part of one.
        let mut missing = bytes.next_multiple_of(8 * BLOCK_SIZE).min(BATCH);
        self.made.clear();
        self.used = 0;
        while missing > 0 {
            let (counter, length) = self.advance::<I>(missing);
            self.made.push_with(length, |out| arch::keystream(key, counter, out));
            missing -= length;
        }
    }

    fn use_up(&mut self, data: &mut [u8]) {
        for (byte, stream) in data.iter_mut().zip(&self.made.bytes()[self.used..]) {
            *byte ^= stream;
        }
        self.used += data.len();
    }

    /// The counter, and how many of so many bytes of whole blocks can do with it and those after it
    /// before it wraps; it is moved behind them.
    fn advance<I: Increment>(&mut self, bytes: usize) -> (u128, usize) {
        let counter = self.counter;
        let blocks = ((bytes / BLOCK_SIZE) as u64).min(I::until_wrap(counter));
        self.counter = I::advance(counter, blocks);
        (counter, blocks as usize * BLOCK_SIZE)
    }
}

impl Drop for Keystream {
    fn drop(&mut self) {
        self.made.wipe();
    }
}

/// Encryption or decryption in progress, which are the same.
pub struct Ctr {
    key: Key,
    keystream: Keystream,
}

impl Ctr {
    /// Starts at a counter block, which no other message of this key may reach.
    #[must_use]
    pub fn new(key: Key, counter: &Block) -> Self {
        Self { key, keystream: Keystream::new(counter) }
    }

    /// Encrypts or decrypts more of the message, in place.
    pub fn apply(&mut self, data: &mut [u8]) {
        self.keystream.apply::<WholeBlock>(&self.key, data);
    }

    /// Encrypts or decrypts more of the message.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] if there is not so much room.
    pub fn apply_to(&mut self, data: &[u8], room: &mut Room<'_>) -> Result<(), Error> {
        self.keystream.apply_to::<WholeBlock>(&self.key, data, room)
    }
}
