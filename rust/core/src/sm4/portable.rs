//! SM4 bit-sliced in 64-bit words: sixteen blocks at once, no table, no branch on data.
//!
//! A word of the state (one 32-bit word of each of sixteen blocks) is eight planes. Bit 16j + b of
//! plane i is bit i of byte j (0 the least significant) of that word of block b. Rotating the
//! words by eight bits is then rotating each plane by sixteen.

use super::algebra::{Affine, FROM_TOWER, INTO_TOWER};
use core::ops::Range;

use zeroize::Zeroize;

use super::{BLOCK_SIZE, Block, CK, FK, KEY_SIZE, ROUNDS};

/// How many blocks are in flight.
const PARALLEL: usize = 16;

type Planes = [u64; 8];

/// Encrypts in place (GB/T 32907-2016, 7.1), or decrypts with `REVERSED` round keys (7.2).
pub fn crypt_blocks<const REVERSED: bool>(round_keys: &[u32; ROUNDS], blocks: &mut [Block]) {
    for chunk in blocks.chunks_mut(PARALLEL) {
        let mut batch = [[0; BLOCK_SIZE]; PARALLEL];
        batch[..chunk.len()].copy_from_slice(chunk);
        crypt_batch::<REVERSED>(round_keys, &mut batch);
        chunk.copy_from_slice(&batch[..chunk.len()]);
    }
}

/// Adds the key stream of consecutive counters to the blocks.
pub fn apply_counters(round_keys: &[u32; ROUNDS], mut counter: u128, blocks: &mut [Block]) {
    for chunk in blocks.chunks_mut(PARALLEL) {
        let mut batch = [[0; BLOCK_SIZE]; PARALLEL];
        for block in &mut batch {
            *block = counter.to_be_bytes();
            counter = counter.wrapping_add(1);
        }
        crypt_batch::<false>(round_keys, &mut batch);
        for (block, stream) in chunk.iter_mut().zip(&batch) {
            let sum = u128::from_ne_bytes(*block) ^ u128::from_ne_bytes(*stream);
            *block = sum.to_ne_bytes();
        }
    }
}

/// Decrypts a chain of CBC in place; `before` is the IV or the ciphertext block before.
pub fn decrypt_chain(round_keys: &[u32; ROUNDS], before: &Block, blocks: &mut [Block]) {
    let mut before = u128::from_ne_bytes(*before);
    for chunk in blocks.chunks_mut(PARALLEL) {
        let mut batch = [[0; BLOCK_SIZE]; PARALLEL];
        batch[..chunk.len()].copy_from_slice(chunk);
        crypt_batch::<true>(round_keys, &mut batch);
        for (block, plain) in chunk.iter_mut().zip(&batch) {
            let ciphertext = u128::from_ne_bytes(*block);
            *block = (u128::from_ne_bytes(*plain) ^ before).to_ne_bytes();
            before = ciphertext;
        }
    }
}

/// To each chain adds the blocks of its stream at `steps`, one after the other, and encrypts; with
/// `KEEP` what comes out replaces the block.
pub fn chain<const KEEP: bool>(
    round_keys: &[u32; ROUNDS],
    chains: &mut [Block],
    streams: &mut [&mut [Block]],
    steps: Range<usize>,
) {
    for step in steps {
        for (chain, stream) in chains.iter_mut().zip(&*streams) {
            *chain =
                (u128::from_ne_bytes(*chain) ^ u128::from_ne_bytes(stream[step])).to_ne_bytes();
        }
        crypt_blocks::<false>(round_keys, chains);
        if KEEP {
            for (chain, stream) in chains.iter().zip(&mut *streams) {
                stream[step] = *chain;
            }
        }
    }
}

/// The round keys of a key (7.3).
pub fn expand(key: &[u8; KEY_SIZE]) -> [u32; ROUNDS] {
    let mut k: [u32; 4] = core::array::from_fn(|i| load(key, i) ^ FK[i]);
    let mut round_keys = [0; ROUNDS];
    for (round_key, constant) in round_keys.iter_mut().zip(CK) {
        let b = tau(k[1] ^ k[2] ^ k[3] ^ constant);
        let next = k[0] ^ b ^ b.rotate_left(13) ^ b.rotate_left(23);
        k = [k[1], k[2], k[3], next];
        *round_key = next;
    }
    k.zeroize();
    round_keys
}

/// The S-box on each byte of a word.
fn tau(word: u32) -> u32 {
    let spread = spread(word);
    let planes = core::array::from_fn(|bit| (spread >> bit) & FIELD_LOW_BITS);
    let result = s_box(&planes);
    let spread = (0..8).fold(0, |sum, bit| sum | (result[bit] & FIELD_LOW_BITS) << bit);
    collect(spread)
}

fn crypt_batch<const REVERSED: bool>(round_keys: &[u32; ROUNDS], batch: &mut [Block; PARALLEL]) {
    let mut x: [Planes; 4] = core::array::from_fn(|word| slice_word(batch, word));
    for round in 0..ROUNDS {
        let key = round_keys[if REVERSED { ROUNDS - 1 - round } else { round }];
        let next = round_function(&x, key);
        x = [x[1], x[2], x[3], next];
    }
    x.reverse(); // R, the reversal of the last four words
    for (word, planes) in x.iter().enumerate() {
        unslice_word(batch, word, *planes);
    }
}

/// F(X0, X1, X2, X3, rk) = X0 + T(X1 + X2 + X3 + rk) (6.1).
#[inline(always)]
fn round_function(x: &[Planes; 4], key: u32) -> Planes {
    let key = spread(key);
    let input: Planes = core::array::from_fn(|bit| {
        // A key bit, spread over the sixteen blocks.
        let key = ((key >> bit) & FIELD_LOW_BITS).wrapping_mul(0xffff);
        x[1][bit] ^ x[2][bit] ^ x[3][bit] ^ key
    });
    let b = s_box(&input);
    // Rotated left by two: the two top bits of a byte go to the next byte.
    let rotated: Planes = core::array::from_fn(|bit| match bit {
        0 | 1 => b[bit + 6].rotate_left(16),
        _ => b[bit - 2],
    });
    core::array::from_fn(|bit| {
        // L(B) = B + (B <<< 2) + (B <<< 10) + (B <<< 18) + (B <<< 24) = r + v + (v <<< 24)
        let r = rotated[bit];
        let v = b[bit] ^ r.rotate_left(32);
        x[0][bit] ^ r ^ v ^ v.rotate_left(48)
    })
}

#[inline(always)]
fn s_box(x: &Planes) -> Planes {
    map(&FROM_TOWER, &invert(&map(&INTO_TOWER, x)))
}

#[inline(always)]
fn map(affine: &Affine, x: &Planes) -> Planes {
    core::array::from_fn(|row| {
        let constant = u64::from(affine.constant >> row & 1).wrapping_neg();
        (0..8).fold(constant, |sum, column| {
            if affine.columns[column] >> row & 1 == 1 { sum ^ x[column] } else { sum }
        })
    })
}

/// 1 / (a1 y + a0) = (a1 y + a0 + a1) / (a1^2 wz + a0 (a0 + a1)); 0 stays 0.
#[inline(always)]
fn invert(x: &Planes) -> Planes {
    let [p0, p1, p2, p3, p4, p5, p6, p7] = *x;
    let (a0, a1) = ([p0, p1, p2, p3], [p4, p5, p6, p7]);
    let sum = add16(a0, a1);
    let norm = add16(square_times_wz(a1), multiply16(a0, sum));
    let inverse = invert16(norm);
    let [l0, l1, l2, l3] = multiply16(sum, inverse);
    let [h0, h1, h2, h3] = multiply16(a1, inverse);
    [l0, l1, l2, l3, h0, h1, h2, h3]
}

#[inline(always)]
fn invert16(x: [u64; 4]) -> [u64; 4] {
    let (a0, a1) = ([x[0], x[1]], [x[2], x[3]]);
    let sum = add4(a0, a1);
    // a1^2 w + a0 (a0 + a1); the inverse in GF(4) is the square.
    let norm = add4(times_w(square4(a1)), multiply4(a0, sum));
    let inverse = square4(norm);
    let (low, high) = (multiply4(sum, inverse), multiply4(a1, inverse));
    [low[0], low[1], high[0], high[1]]
}

#[inline(always)]
fn multiply16(a: [u64; 4], b: [u64; 4]) -> [u64; 4] {
    let (a0, a1, b0, b1) = ([a[0], a[1]], [a[2], a[3]], [b[0], b[1]], [b[2], b[3]]);
    let high = multiply4(a1, b1);
    let low = multiply4(a0, b0);
    let cross = add4(multiply4(add4(a0, a1), add4(b0, b1)), low);
    let low = add4(low, times_w(high));
    [low[0], low[1], cross[0], cross[1]]
}

/// wz (h z + l)^2 = wz (h^2 z + h^2 w + l^2) = (w h^2 + w^2 h^2 + w l^2) z + w^2 h^2
/// = (h^2 + w l^2) z + w^2 h^2.
#[inline(always)]
fn square_times_wz(x: [u64; 4]) -> [u64; 4] {
    let (l, h) = (square4([x[0], x[1]]), square4([x[2], x[3]]));
    let low = times_w(times_w(h));
    let high = add4(h, times_w(l));
    [low[0], low[1], high[0], high[1]]
}

#[inline(always)]
fn multiply4(a: [u64; 2], b: [u64; 2]) -> [u64; 2] {
    let (high, low) = (a[1] & b[1], a[0] & b[0]);
    let cross = ((a[0] ^ a[1]) & (b[0] ^ b[1])) ^ low;
    [low ^ high, cross]
}

#[inline(always)]
fn square4(x: [u64; 2]) -> [u64; 2] {
    [x[0] ^ x[1], x[1]]
}

#[inline(always)]
fn times_w(x: [u64; 2]) -> [u64; 2] {
    [x[1], x[0] ^ x[1]]
}

#[inline(always)]
fn add4(a: [u64; 2], b: [u64; 2]) -> [u64; 2] {
    [a[0] ^ b[0], a[1] ^ b[1]]
}

#[inline(always)]
fn add16(a: [u64; 4], b: [u64; 4]) -> [u64; 4] {
    core::array::from_fn(|bit| a[bit] ^ b[bit])
}

/// Word `word` of sixteen blocks as planes.
fn slice_word(batch: &[Block; PARALLEL], word: usize) -> Planes {
    let mut rows = core::array::from_fn(|row| {
        spread(load(&batch[row], word)) | spread(load(&batch[row + 8], word)) << 8
    });
    transpose(&mut rows);
    rows
}

fn unslice_word(batch: &mut [Block; PARALLEL], word: usize, mut planes: Planes) {
    transpose(&mut planes);
    for (row, spread) in planes.into_iter().enumerate() {
        store(&mut batch[row], word, collect(spread));
        store(&mut batch[row + 8], word, collect(spread >> 8));
    }
}

pub fn load(block: &Block, word: usize) -> u32 {
    let at = 4 * word;
    u32::from_be_bytes([block[at], block[at + 1], block[at + 2], block[at + 3]])
}

fn store(block: &mut Block, word: usize, value: u32) {
    block[4 * word..4 * word + 4].copy_from_slice(&value.to_be_bytes());
}

/// Byte j becomes the low half of the 16-bit field j.
#[inline(always)]
fn spread(word: u32) -> u64 {
    let x = u64::from(word);
    let x = (x | x << 16) & 0x0000_ffff_0000_ffff;
    (x | x << 8) & 0x00ff_00ff_00ff_00ff
}

/// Undoes [`spread`]; the upper halves of the fields do not count.
#[inline(always)]
fn collect(spread: u64) -> u32 {
    let x = spread & 0x00ff_00ff_00ff_00ff;
    let x = (x | x >> 8) & 0x0000_ffff_0000_ffff;
    (x | x >> 16) as u32
}

/// Transposes the 8 by 8 bit matrices that the same byte of all rows forms. Its own inverse.
#[inline(always)]
fn transpose(rows: &mut Planes) {
    exchange::<1>(rows, 0x5555_5555_5555_5555);
    exchange::<2>(rows, 0x3333_3333_3333_3333);
    exchange::<4>(rows, 0x0f0f_0f0f_0f0f_0f0f);
}

/// Exchanges the upper fields of row r with the lower fields of row r + `STEP`.
#[inline(always)]
fn exchange<const STEP: usize>(rows: &mut Planes, low: u64) {
    for row in (0..8).filter(|row| row & STEP == 0) {
        let difference = ((rows[row] >> STEP) ^ rows[row + STEP]) & low;
        rows[row] ^= difference << STEP;
        rows[row + STEP] ^= difference;
    }
}

const FIELD_LOW_BITS: u64 = 0x0001_0001_0001_0001;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sm4::algebra::tests::s_box;

    #[test]
    fn tau_is_the_s_box_on_each_byte() {
        for x in 0..=255u8 {
            let word = u32::from_be_bytes([x, !x, x ^ 0x55, x.rotate_left(3)]);
            assert_eq!(tau(word), u32::from_be_bytes(word.to_be_bytes().map(s_box)));
        }
    }
}
