//! POLYVAL's arithmetic in plain Rust, constant time where integer multiplication is.

use super::{Element, from_block};
use crate::sm4::Block;

/// sum = (sum + X) H for each block X.
pub fn update(sum: &mut Element, h: &Element, blocks: &[Block]) {
    for block in blocks {
        let x = from_block(block);
        *sum = multiply([sum[0] ^ x[0], sum[1] ^ x[1]], *h);
    }
}

/// a b / x^128 modulo x^128 + x^127 + x^126 + x^121 + 1 (RFC 8452, 3).
pub fn multiply(a: Element, b: Element) -> Element {
    // Karatsuba: three products of 64 by 64 bits.
    let low = product(a[0], b[0]);
    let high = product(a[1], b[1]);
    let cross = product(a[0] ^ a[1], b[0] ^ b[1]);
    let middle = [cross[0] ^ low[0] ^ high[0], cross[1] ^ low[1] ^ high[1]];
    let [v0, v1, v2, v3] = [low[0], low[1] ^ middle[0], high[0] ^ middle[1], high[1]];
    // Adding v0 times the modulus clears v0, and the same once more for v1.
    let (carry, spill) = fold(v0);
    let (v1, v2) = (v1 ^ carry, v2 ^ spill);
    let (carry, spill) = fold(v1);
    [v2 ^ carry, v3 ^ spill]
}

/// v (x^121 + x^126 + x^127 + x^128), which begins at x^64.
fn fold(v: u64) -> (u64, u64) {
    (v << 57 ^ v << 62 ^ v << 63, v ^ v >> 1 ^ v >> 2 ^ v >> 7)
}

/// The carry-less product of 128 bits.
fn product(a: u64, b: u64) -> [u64; 2] {
    let high = low_product(a.reverse_bits(), b.reverse_bits()).reverse_bits() >> 1;
    [low_product(a, b), high]
}

/// The low 64 bits of the carry-less product.
///
/// Each operand is cut into four with three empty bits between its bits. A column of an integer
/// product of two such parts sums at most sixteen bits; sixteen is reached only in the topmost
/// column, whose carry is lost, so that no carry ever reaches a bit that counts.
fn low_product(a: u64, b: u64) -> u64 {
    let part = |x: u64, index: usize| x & (LANES << index);
    (0..4).fold(0, |sum, lane| {
        let column = (0..4).fold(0, |column, index| {
            column ^ part(a, index).wrapping_mul(part(b, (lane + 4 - index) % 4))
        });
        sum | part(column, lane)
    })
}

const LANES: u64 = 0x1111_1111_1111_1111;
