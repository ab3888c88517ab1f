//! The compression function in plain Rust (GB/T 32905-2016, 5.3).

use super::BLOCK_SIZE;

/// Compresses whole blocks; `blocks` is a multiple of 64 bytes.
pub fn compress(state: &mut [u32; 8], blocks: &[u8]) {
    compress_inline(state, blocks);
}

/// The same code, compiled again by each back-end for the instructions it may use.
#[inline(always)]
pub fn compress_inline(state: &mut [u32; 8], blocks: &[u8]) {
    for block in blocks.chunks_exact(BLOCK_SIZE) {
        compress_block(state, block);
    }
}

// 5.3.3: the registers keep their places and the roles move, so that a round moves no value.
macro_rules! round {
    ($ff:ident, $gg:ident, $a:ident $b:ident $c:ident $d:ident $e:ident $f:ident $g:ident $h:ident,
     $t:expr, $w:expr, $w4:expr) => {
        let a12 = $a.rotate_left(12);
        let ss1 = a12.wrapping_add($e).wrapping_add($t).rotate_left(7);
        let tt1 = $ff($a, $b, $c).wrapping_add($d).wrapping_add(ss1 ^ a12).wrapping_add($w ^ $w4);
        let tt2 = $gg($e, $f, $g).wrapping_add($h).wrapping_add($w).wrapping_add(ss1);
        $b = $b.rotate_left(9);
        $f = $f.rotate_left(19);
        $d = tt1;
        $h = p0(tt2);
    };
}

// Four rounds after which the registers stand where they stood.
macro_rules! four_rounds {
    ($ff:ident, $gg:ident, $v:ident, $w:ident, $j:expr) => {
        let [a, b, c, d, e, f, g, h] = &mut $v;
        let (mut ra, mut rb, mut rc, mut rd) = (*a, *b, *c, *d);
        let (mut re, mut rf, mut rg, mut rh) = (*e, *f, *g, *h);
        round!($ff, $gg, ra rb rc rd re rf rg rh, T[$j], $w[$j], $w[$j + 4]);
        round!($ff, $gg, rd ra rb rc rh re rf rg, T[$j + 1], $w[$j + 1], $w[$j + 5]);
        round!($ff, $gg, rc rd ra rb rg rh re rf, T[$j + 2], $w[$j + 2], $w[$j + 6]);
        round!($ff, $gg, rb rc rd ra rf rg rh re, T[$j + 3], $w[$j + 3], $w[$j + 7]);
        (*a, *b, *c, *d) = (ra, rb, rc, rd);
        (*e, *f, *g, *h) = (re, rf, rg, rh);
    };
}

#[inline(always)]
fn compress_block(state: &mut [u32; 8], block: &[u8]) {
    let w = expand(block);
    let mut v = *state;
    for j in (0..16).step_by(4) {
        four_rounds!(parity, parity, v, w, j);
    }
    for j in (16..64).step_by(4) {
        four_rounds!(majority, choose, v, w, j);
    }
    for (word, value) in state.iter_mut().zip(v) {
        *word ^= value;
    }
}

/// 5.3.2: the message words W0 to W67; W'j = Wj ^ Wj+4 is formed where it is used.
#[inline(always)]
fn expand(block: &[u8]) -> [u32; 68] {
    let mut w = [0u32; 68];
    for (word, bytes) in w.iter_mut().zip(block.chunks_exact(4)) {
        *word = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    }
    for j in 16..68 {
        w[j] = p1(w[j - 16] ^ w[j - 9] ^ w[j - 3].rotate_left(15))
            ^ w[j - 13].rotate_left(7)
            ^ w[j - 6];
    }
    w
}

#[inline(always)]
fn parity(x: u32, y: u32, z: u32) -> u32 {
    x ^ y ^ z
}

#[inline(always)]
fn majority(x: u32, y: u32, z: u32) -> u32 {
    (x & y) | ((x | y) & z)
}

#[inline(always)]
fn choose(x: u32, y: u32, z: u32) -> u32 {
    (x & y) | (!x & z)
}

#[inline(always)]
fn p0(x: u32) -> u32 {
    x ^ x.rotate_left(9) ^ x.rotate_left(17)
}

#[inline(always)]
fn p1(x: u32) -> u32 {
    x ^ x.rotate_left(15) ^ x.rotate_left(23)
}

/// 4.2: Tj, already rotated left by j mod 32.
pub const T: [u32; 64] = {
    let mut table = [0; 64];
    let mut j = 0;
    while j < 64 {
        let t: u32 = if j < 16 { 0x79cc_4519 } else { 0x7a87_9d8a };
        table[j] = t.rotate_left(j as u32 % 32);
        j += 1;
    }
    table
};
