//! HMACs of digests, each of the one before: what PBKDF2 repeats (RFC 8018, 5.2).

use zeroize::Zeroizing;

use super::{BLOCK_SIZE, DIGEST_SIZE, Digest, arch, from_bytes, to_bytes};

/// Chains that go side by side.
const CHAINS: usize = 16;

/// Puts the sum of U1 to U of `iterations` in place of each U1. Both states are those to which the
/// key has led, of the inner hash and of the outer one.
pub(crate) fn sum_iterations(states: &[Digest; 2], iterations: u32, sums: &mut [Digest]) {
    let starts = Zeroizing::new(states.each_ref().map(from_bytes));
    for sums in sums.chunks_mut(CHAINS) {
        let mut blocks = Zeroizing::new([[0; BLOCK_SIZE]; CHAINS]);
        let blocks = &mut blocks[..sums.len()];
        for (block, sum) in blocks.iter_mut().zip(&*sums) {
            *block = padded(sum);
        }
        let mut states = Zeroizing::new([[0; 8]; CHAINS]);
        let states = &mut states[..sums.len()];
        for _ in 1..iterations {
            for start in *starts {
                states.fill(start);
                arch::compress_each(states, blocks);
                for (block, state) in blocks.iter_mut().zip(&*states) {
                    block[..DIGEST_SIZE].copy_from_slice(&to_bytes(*state));
                }
            }
            for (sum, block) in sums.iter_mut().zip(&*blocks) {
                sum.iter_mut().zip(block).for_each(|(sum, byte)| *sum ^= byte);
            }
        }
    }
}

/// A digest as the last block of a message of two.
fn padded(digest: &Digest) -> [u8; BLOCK_SIZE] {
    const BITS: u64 = 8 * (BLOCK_SIZE + DIGEST_SIZE) as u64;
    let mut block = [0; BLOCK_SIZE];
    block[..DIGEST_SIZE].copy_from_slice(digest);
    block[DIGEST_SIZE] = 0x80;
    block[BLOCK_SIZE - 8..].copy_from_slice(&BITS.to_be_bytes());
    block
}
