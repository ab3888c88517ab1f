//! The digest of data whose length is a secret: what opening a CBC record needs, so that neither
//! the padding nor the length behind it shows in the time (Lucky Thirteen).

use core::hint::black_box;

use zeroize::Zeroize;

use super::{BLOCK_SIZE, Digest, Sm3, arch, to_bytes};
use crate::ct;

impl Sm3 {
    /// The digest after `data[..length]`. The work depends on `least` and on the length of `data`
    /// alone; `length` must lie between them.
    #[must_use]
    pub(crate) fn finalize_hiding_length(
        mut self,
        data: &[u8],
        length: usize,
        least: usize,
    ) -> Digest {
        let (known, hidden) = data.split_at(least);
        self.update(known);
        // Where the data ends, counted from the start of the block in progress. Wrapping, because
        // the check for an overflow that cannot be would branch on a secret.
        let left = black_box(length.wrapping_sub(least) as u64);
        let end = left.wrapping_add(self.filled as u64);
        let bits = left.wrapping_add(self.length).wrapping_mul(8);
        let last_block = end.wrapping_add(8) >> 6;
        let mut digest = [0u32; 8];
        for index in 0..=(self.filled + hidden.len() + 8) / BLOCK_SIZE {
            let mut block = [0u8; BLOCK_SIZE];
            for (offset, out) in block.iter_mut().enumerate() {
                let position = index * BLOCK_SIZE + offset;
                let byte = self.byte_at(position, hidden);
                let before_end = mask_if_less(position as u64, end) as u8;
                let at_end = ct::mask_if_equal(position as u64, end) as u8;
                *out = (byte & before_end) | (0x80 & at_end);
            }
            let is_last = ct::mask_if_equal(index as u64, last_block);
            for (out, byte) in block[BLOCK_SIZE - 8..].iter_mut().zip(bits.to_be_bytes()) {
                *out |= byte & is_last as u8;
            }
            arch::compress(&mut self.state, &block);
            for (word, state) in digest.iter_mut().zip(self.state) {
                *word |= state & is_last as u32;
            }
            block[..].zeroize();
        }
        to_bytes(digest)
    }

    /// The byte at a public position: of the block in progress, then of `rest`, then zeros.
    fn byte_at(&self, position: usize, rest: &[u8]) -> u8 {
        if position < self.filled {
            self.buffer[position]
        } else {
            rest.get(position - self.filled).copied().unwrap_or(0)
        }
    }
}

/// All ones if `a < b`, else zero; both below 2^63.
fn mask_if_less(a: u64, b: u64) -> u64 {
    black_box((a.wrapping_sub(b) >> 63).wrapping_neg())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::on_every_backend;

    #[test]
    fn equals_the_plain_digest_for_every_length() {
        on_every_backend(|| {
            let data: Vec<u8> = (0..400u32).map(|i| (i * 7) as u8).collect();
            for prefix in [0, 1, 13, 63, 64, 77] {
                for least in [0, 5, 64, 100] {
                    for length in least..=(least + 270).min(data.len()) {
                        let mut hash = Sm3::new();
                        hash.update(&data[..prefix]);
                        let mut plain = hash.clone();
                        plain.update(&data[..length]);
                        let shown = &data[..(least + 270).min(data.len())];
                        let hidden = hash.finalize_hiding_length(shown, length, least);
                        assert_eq!(hidden, plain.finalize(), "{prefix} {least} {length}");
                    }
                }
            }
        });
    }
}
