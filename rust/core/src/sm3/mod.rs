//! SM3, the cryptographic hash of GB/T 32905-2016.

mod arch;
pub(crate) mod chain;
mod hidden;
pub(crate) mod many;
mod portable;
mod words;

use zeroize::Zeroize;

pub use many::digest_many;

/// Bytes of a digest.
pub const DIGEST_SIZE: usize = 32;
/// Bytes of a message block.
pub const BLOCK_SIZE: usize = 64;

/// A digest.
pub type Digest = [u8; DIGEST_SIZE];

/// A hash in progress. It is wiped when dropped, because it may have taken in a key.
#[derive(Clone)]
pub struct Sm3 {
    state: [u32; 8],
    /// The bytes after the last whole block; the first `filled` count.
    buffer: [u8; BLOCK_SIZE],
    filled: usize,
    /// Bytes taken in so far. The standard allows fewer than 2^61.
    length: u64,
}

impl Sm3 {
    /// A hash of nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self { state: INITIAL, buffer: [0; BLOCK_SIZE], filled: 0, length: 0 }
    }

    /// A hash that has taken in one block, by which its state became that.
    #[must_use]
    pub(crate) fn after_block(state: &Digest) -> Self {
        let mut hash = Self::new();
        hash.state = from_bytes(state);
        hash.length = BLOCK_SIZE as u64;
        hash
    }

    /// Takes in more of the message.
    pub fn update(&mut self, mut data: &[u8]) {
        self.length += data.len() as u64;
        if self.filled > 0 {
            let taken = data.len().min(BLOCK_SIZE - self.filled);
            self.buffer[self.filled..self.filled + taken].copy_from_slice(&data[..taken]);
            self.filled += taken;
            data = &data[taken..];
            if self.filled < BLOCK_SIZE {
                return;
            }
            arch::compress(&mut self.state, &self.buffer);
            self.filled = 0;
        }
        let (blocks, rest) = data.split_at(data.len() - data.len() % BLOCK_SIZE);
        arch::compress(&mut self.state, blocks);
        self.buffer[..rest.len()].copy_from_slice(rest);
        self.filled = rest.len();
    }

    /// The digest of everything taken in.
    #[must_use]
    pub fn finalize(self) -> Digest {
        self.digest_so_far()
    }

    /// The same, to go on after it.
    #[must_use]
    pub fn digest_so_far(&self) -> Digest {
        let mut state = self.state;
        let digest = finish(&mut state, &self.buffer[..self.filled], self.length);
        state[..].zeroize();
        digest
    }

    /// The state after whole blocks, as [`Sm3::after_block`] takes it.
    pub(crate) fn midstate(&self) -> Digest {
        to_bytes(self.state)
    }

    /// The digest of one message.
    #[must_use]
    pub fn digest(data: &[u8]) -> Digest {
        let mut state = INITIAL;
        let apart =
            if data.len() <= MOST_AT_END { 0 } else { data.len() - data.len() % BLOCK_SIZE };
        let (blocks, rest) = data.split_at(apart);
        arch::compress(&mut state, blocks);
        let digest = finish(&mut state, rest, data.len() as u64);
        state[..].zeroize();
        digest
    }
}

/// Most bytes of a message that its last two blocks take.
const MOST_AT_END: usize = 2 * BLOCK_SIZE - 9;

/// The digest of a message of `length` bytes, which ends with `rest` (5.2): after that a one bit,
/// zeros, and the length in bits as 64 bits.
fn finish(state: &mut [u32; 8], rest: &[u8], length: u64) -> Digest {
    let mut blocks = [0; 2 * BLOCK_SIZE];
    blocks[..rest.len()].copy_from_slice(rest);
    blocks[rest.len()] = 0x80;
    let size = if rest.len() + 9 <= BLOCK_SIZE { BLOCK_SIZE } else { 2 * BLOCK_SIZE };
    blocks[size - 8..size].copy_from_slice(&(length * 8).to_be_bytes());
    arch::compress(state, &blocks[..size]);
    blocks[..].zeroize();
    to_bytes(*state)
}

fn to_bytes(state: [u32; 8]) -> Digest {
    let mut digest = [0; DIGEST_SIZE];
    for (bytes, word) in digest.chunks_exact_mut(4).zip(state) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
    digest
}

fn from_bytes(state: &Digest) -> [u32; 8] {
    let mut words = [0; 8];
    for (word, bytes) in words.iter_mut().zip(state.as_chunks::<4>().0) {
        *word = u32::from_be_bytes(*bytes);
    }
    words
}

impl Default for Sm3 {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Sm3 {
    fn drop(&mut self) {
        self.state[..].zeroize();
        self.buffer[..].zeroize();
    }
}

impl core::fmt::Debug for Sm3 {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Sm3 { .. }")
    }
}

/// 4.1: the initial value.
const INITIAL: [u32; 8] = [
    0x7380_166f,
    0x4914_b2b9,
    0x1724_42d7,
    0xda8a_0600,
    0xa96f_30bc,
    0x1631_38aa,
    0xe38d_ee4d,
    0xb0fb_0e4e,
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::test_support::{hex, on_every_backend};

    #[test]
    fn the_examples_of_the_standard() {
        // GB/T 32905-2016, annex A, and the empty message.
        let cases: [(&[u8], &str); 3] = [
            (b"", "1ab21d8355cfa17f8e61194831e81a8f22bec8c728fefb747ed035eb5082aa2b"),
            (b"abc", "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"),
            (
                &[*b"abcd"; 16].concat(),
                "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732",
            ),
        ];
        on_every_backend(|| {
            for (message, digest) in cases {
                assert_eq!(Sm3::digest(message).to_vec(), hex(digest));
            }
        });
    }

    #[test]
    fn a_hash_goes_on_from_the_state_after_a_block() {
        on_every_backend(|| {
            let message = [0xa5; 150];
            let mut first = Sm3::new();
            first.update(&message[..BLOCK_SIZE]);
            let mut rest = Sm3::after_block(&to_bytes(first.state));
            rest.update(&message[BLOCK_SIZE..]);
            assert_eq!(rest.finalize(), Sm3::digest(&message));
        });
    }

    #[test]
    fn debug_tells_nothing() {
        assert_eq!(format!("{:?}", Sm3::new()), "Sm3 { .. }");
    }

    proptest! {
        #[test]
        fn back_ends_agree_and_chunks_do_not_matter(
            message in proptest::collection::vec(any::<u8>(), 0..400),
            cuts in proptest::collection::vec(0usize..400, 0..6),
        ) {
            let whole = on_every_backend(|| Sm3::digest(&message));
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(message.len())).collect();
            cuts.sort_unstable();
            let mut hash = Sm3::new();
            let mut start = 0;
            for cut in cuts {
                hash.update(&message[start..cut]);
                start = cut;
            }
            hash.update(&message[start..]);
            prop_assert_eq!(hash.finalize(), whole);
        }
    }
}
