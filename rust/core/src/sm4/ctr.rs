//! Counter mode (GB/T 17964-2021; NIST SP 800-38A, 6.5).

use zeroize::Zeroize;

use super::{BLOCK_SIZE, Block, Key, arch};

/// Blocks of key stream that may wait for their data.
const BUFFERED: usize = 32;

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

/// A key stream: the counter, and what was made but not used yet.
#[derive(Clone)]
pub(super) struct Keystream {
    counter: u128,
    buffer: [Block; BUFFERED],
    /// The bytes of the buffer that wait.
    waiting: core::ops::Range<usize>,
    /// The blocks of the buffer that ever held key stream.
    touched: usize,
}

impl Keystream {
    pub fn new(counter: &Block) -> Self {
        Self {
            counter: u128::from_be_bytes(*counter),
            buffer: [[0; BLOCK_SIZE]; BUFFERED],
            waiting: 0..0,
            touched: 0,
        }
    }

    /// Takes the key stream of one block out; as much of what follows as `expected` bytes will
    /// need is made with it, because a few blocks together take no longer than one.
    pub fn take_block<I: Increment>(&mut self, key: &Key, expected: usize) -> Block {
        self.refill::<I>(key, expected.saturating_add(BLOCK_SIZE));
        self.waiting.start = BLOCK_SIZE;
        self.buffer[0]
    }

    /// Adds the key stream to the data.
    pub fn apply<I: Increment>(&mut self, key: &Key, data: &mut [u8]) {
        let (head, rest) = data.split_at_mut(self.waiting.len().min(data.len()));
        self.use_up(head);
        let (blocks, tail) = rest.as_chunks_mut::<BLOCK_SIZE>();
        add_keystream::<I>(key, &mut self.counter, blocks);
        if !tail.is_empty() {
            self.refill::<I>(key, tail.len());
            self.use_up(tail);
        }
    }

    /// Makes key stream for so many bytes, up to what the buffer holds.
    fn refill<I: Increment>(&mut self, key: &Key, bytes: usize) {
        // Whole groups of eight: they take no longer than a part of one.
        let count = bytes.div_ceil(BLOCK_SIZE).next_multiple_of(8).min(BUFFERED);
        let stream = &mut self.buffer[..count];
        stream.fill([0; BLOCK_SIZE]);
        add_keystream::<I>(key, &mut self.counter, stream);
        self.waiting = 0..count * BLOCK_SIZE;
        self.touched = self.touched.max(count);
    }

    fn use_up(&mut self, data: &mut [u8]) {
        let stream = &self.buffer.as_flattened()[self.waiting.clone()];
        for (byte, stream) in data.iter_mut().zip(stream) {
            *byte ^= stream;
        }
        self.waiting.start += data.len();
    }
}

/// Adds the key stream from the counter on, and moves the counter behind it.
fn add_keystream<I: Increment>(key: &Key, counter: &mut u128, mut data: &mut [Block]) {
    while !data.is_empty() {
        let count = (data.len() as u64).min(I::until_wrap(*counter));
        let (now, later) = data.split_at_mut(count as usize);
        arch::apply_counters(key, *counter, now);
        *counter = I::advance(*counter, count);
        data = later;
    }
}

impl Drop for Keystream {
    fn drop(&mut self) {
        self.buffer[..self.touched].as_flattened_mut().zeroize();
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
}
