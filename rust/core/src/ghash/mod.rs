//! GHASH, the universal hash of GCM (GB/T 36624-2018; NIST SP 800-38D, 6.4).
//!
//! GHASH numbers the bits of a block backwards. Both back-ends therefore work on blocks read
//! little-end last, as RFC 8452 does for POLYVAL: GHASH(H, X) is POLYVAL(x H, X) with the bytes of
//! all blocks reversed (RFC 8452, appendix A), and POLYVAL needs no bit reversal.

mod arch;
mod portable;

use zeroize::Zeroize;

use crate::memory::Waiting;
use crate::sm4::{BLOCK_SIZE, Block};

/// How many powers of H are kept, hence how many blocks are reduced together.
const POWERS: usize = 16;

/// An element of POLYVAL's field: the coefficients of x^0 to x^63, then of x^64 to x^127.
type Element = [u64; 2];

/// The hash key H and its powers. Wiped when dropped.
#[derive(Clone)]
pub struct GhashKey {
    /// (x H)^16 to (x H)^1; the portable back-end uses the last.
    powers: [Element; POWERS],
    /// The same, [`fold`]ed.
    folded: [Element; POWERS],
}

impl GhashKey {
    /// From the encryption of the zero block.
    #[must_use]
    pub fn new(h: &Block) -> Self {
        let mut powers = [times_x(from_block(h)); POWERS];
        for exponent in 2..=POWERS {
            // Of two halves, so that the products wait for as few others as can be.
            let half = exponent / 2;
            let (a, b) = (powers[POWERS - half], powers[POWERS - (exponent - half)]);
            powers[POWERS - exponent] = arch::multiply(a, b);
        }
        Self { powers, folded: powers.map(fold) }
    }
}

impl Drop for GhashKey {
    fn drop(&mut self) {
        self.powers.as_flattened_mut().zeroize();
        self.folded.as_flattened_mut().zeroize();
    }
}

/// A hash in progress. Wiped when dropped.
#[derive(Clone)]
pub struct Ghash {
    sum: Element,
    /// Blocks that are hashed together cost less. Never full; ciphertext or additional data, and
    /// no secret.
    waiting: Waiting<BATCH>,
}

/// Bytes that share a reduction.
pub const BATCH: usize = POWERS * BLOCK_SIZE;

impl Ghash {
    /// A hash of nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self { sum: [0; 2], waiting: Waiting::new() }
    }

    /// Takes in more data, in pieces of any size.
    pub fn update(&mut self, key: &GhashKey, mut data: &[u8]) {
        if self.waits() > 0 {
            // Data by the batch is hashed where it stands, if what waits ends with a block.
            let ends = data.len() >= BATCH && self.waits().is_multiple_of(BLOCK_SIZE);
            let taken = if ends { 0 } else { data.len().min(self.waiting.left()) };
            self.waiting.push(&data[..taken]);
            data = &data[taken..];
            if !ends && self.waiting.left() > 0 {
                return;
            }
            self.flush(key);
        }
        let (batches, rest) = data.split_at(data.len() - data.len() % BATCH);
        if !batches.is_empty() {
            arch::update(&mut self.sum, key, batches.as_chunks().0);
        }
        self.waiting.push(rest);
    }

    /// Fills the current block with zeros.
    pub fn pad(&mut self, key: &GhashKey) {
        let zeros = self.waits().next_multiple_of(BLOCK_SIZE) - self.waits();
        self.waiting.push(&[0; BLOCK_SIZE][..zeros]);
        if self.waiting.left() == 0 {
            self.flush(key);
        }
    }

    /// The hash of whole blocks taken in.
    #[must_use]
    pub fn finalize(&mut self, key: &GhashKey) -> Block {
        self.pad(key);
        self.flush(key);
        to_block(self.sum)
    }

    /// Bytes that wait.
    fn waits(&self) -> usize {
        BATCH - self.waiting.left()
    }

    /// Hashes the blocks that wait.
    fn flush(&mut self, key: &GhashKey) {
        arch::update(&mut self.sum, key, self.waiting.bytes().as_chunks().0);
        self.waiting.clear();
    }
}

impl Default for Ghash {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Ghash {
    fn drop(&mut self) {
        self.sum.zeroize();
    }
}

/// Whether the AVX-512 back-end gives what the portable one gives; for a CPU that has it.
#[cfg(target_arch = "x86_64")]
pub(crate) fn wide_path_agrees() -> bool {
    arch::wide_path_agrees()
}

#[inline(always)]
fn from_block(block: &Block) -> Element {
    let value = u128::from_be_bytes(*block);
    [value as u64, (value >> 64) as u64]
}

fn to_block(element: Element) -> Block {
    (u128::from(element[1]) << 64 | u128::from(element[0])).to_be_bytes()
}

/// The sum of the two halves, twice, of which Karatsuba's multiplication makes its third product.
fn fold(a: Element) -> Element {
    [a[0] ^ a[1]; 2]
}

/// x times an element; x^128 = x^127 + x^126 + x^121 + 1.
fn times_x(a: Element) -> Element {
    let carry = (a[1] >> 63).wrapping_neg();
    [a[0] << 1 ^ (carry & 1), (a[1] << 1 | a[0] >> 63) ^ (carry & 0xc200_0000_0000_0000)]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::test_support::{hex, on_every_backend};

    #[test]
    fn the_second_test_case_of_gcm() {
        // The GCM submission to NIST, test case 2: GHASH(H, {}, C).
        let block = |digits| Block::try_from(hex(digits).as_slice()).unwrap_or_default();
        let h = block("66e94bd4ef8a2c3b884cfa59ca342b2e");
        let c = block("0388dace60b6a392f328c2b971b2fe78");
        let lengths = block("00000000000000000000000000000080");
        let sum = on_every_backend(|| {
            let key = GhashKey::new(&h);
            let mut hash = Ghash::new();
            hash.update(&key, &[c, lengths].concat());
            hash.finalize(&key)
        });
        assert_eq!(sum, block("f38cbb1ad69223dcc3457ae5b6b0f885"));
    }

    proptest! {
        #[test]
        fn back_ends_agree(
            h in any::<Block>(),
            data in proptest::collection::vec(any::<u8>(), 0..400),
        ) {
            on_every_backend(|| {
                let key = GhashKey::new(&h);
                let mut hash = Ghash::new();
                let (first, second) = data.split_at(data.len() / 3);
                hash.update(&key, first);
                hash.update(&key, second);
                hash.finalize(&key)
            });
        }
    }
}
