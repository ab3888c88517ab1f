//! Counter mode (GB/T 17964-2021; NIST SP 800-38A, 6.5).

use zeroize::Zeroize;

use super::{BLOCK_SIZE, Block, Key};

/// Blocks of key stream made at once.
const BATCH: usize = 32;

/// How a counter block becomes the next one.
pub(super) trait Increment {
    fn advance(counter: u128, steps: u32) -> u128;
}

/// The whole block counts.
pub(super) struct WholeBlock;

/// The last 32 bits count, as in GCM.
pub(super) struct Last32Bits;

impl Increment for WholeBlock {
    #[inline(always)]
    fn advance(counter: u128, steps: u32) -> u128 {
        counter.wrapping_add(u128::from(steps))
    }
}

impl Increment for Last32Bits {
    #[inline(always)]
    fn advance(counter: u128, steps: u32) -> u128 {
        let low = (counter as u32).wrapping_add(steps);
        (counter >> 32 << 32) | u128::from(low)
    }
}

/// A key stream: the counter, and what is left of the last block made.
#[derive(Clone)]
pub(super) struct Keystream {
    counter: u128,
    block: Block,
    left: usize,
}

impl Keystream {
    pub fn new(counter: &Block) -> Self {
        Self { counter: u128::from_be_bytes(*counter), block: [0; BLOCK_SIZE], left: 0 }
    }

    /// Leaves out the key stream of one counter block.
    pub fn skip<I: Increment>(&mut self) {
        self.counter = I::advance(self.counter, 1);
    }

    /// Adds the key stream to the data.
    pub fn apply<I: Increment>(&mut self, key: &Key, data: &mut [u8]) {
        let (head, rest) = data.split_at_mut(self.left.min(data.len()));
        self.use_up(head);
        let (blocks, tail) = rest.as_chunks_mut::<BLOCK_SIZE>();
        for batch in blocks.chunks_mut(BATCH) {
            self.apply_blocks::<I>(key, batch);
        }
        if !tail.is_empty() {
            self.block = self.counter.to_be_bytes();
            self.counter = I::advance(self.counter, 1);
            key.encrypt_block(&mut self.block);
            self.left = BLOCK_SIZE;
            self.use_up(tail);
        }
    }

    fn apply_blocks<I: Increment>(&mut self, key: &Key, data: &mut [Block]) {
        let mut stream = [[0; BLOCK_SIZE]; BATCH];
        let stream = &mut stream[..data.len()];
        for (step, block) in (0u32..).zip(&mut *stream) {
            *block = I::advance(self.counter, step).to_be_bytes();
        }
        self.counter = I::advance(self.counter, stream.len() as u32);
        key.encrypt_blocks(stream);
        for (data, stream) in data.iter_mut().zip(&*stream) {
            let sum = u128::from_ne_bytes(*data) ^ u128::from_ne_bytes(*stream);
            *data = sum.to_ne_bytes();
        }
    }

    fn use_up(&mut self, data: &mut [u8]) {
        let start = BLOCK_SIZE - self.left;
        for (byte, stream) in data.iter_mut().zip(&self.block[start..]) {
            *byte ^= stream;
        }
        self.left -= data.len();
    }
}

impl Drop for Keystream {
    fn drop(&mut self) {
        self.block.zeroize();
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
