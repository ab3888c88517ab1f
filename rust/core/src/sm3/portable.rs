//! The compression function in plain Rust (GB/T 32905-2016, 5.3).

use super::BLOCK_SIZE;

// Round $j (5.3.3). The registers keep their places and the roles move, so that a round moves no
// value. Sums are grouped so that what the round before finds last, e, is added last. The macro
// $words gives word j of the message and its sum with word j + 4.
macro_rules! round {
    ($words:ident, $ff:ident, $gg:ident, $j:expr,
     $a:ident $b:ident $c:ident $d:ident $e:ident $f:ident $g:ident $h:ident) => {
        let (word, sum) = $words!($j);
        let a12 = $a.rotate_left(12);
        let ss1 = a12.wrapping_add(T[$j]).wrapping_add($e).rotate_left(7);
        let early = $d.wrapping_add(sum);
        let tt1 = $ff($a, $b, $c).wrapping_add(early).wrapping_add(ss1 ^ a12);
        let early = $h.wrapping_add(word);
        let tt2 = $gg($e, $f, $g).wrapping_add(early).wrapping_add(ss1);
        $b = $b.rotate_left(9);
        $f = $f.rotate_left(19);
        $d = tt1;
        $h = p0(tt2);
    };
}

// Sixteen rounds, after which the registers stand where they stood.
macro_rules! sixteen_rounds {
    ($words:ident, $ff:ident, $gg:ident,
     $a:ident $b:ident $c:ident $d:ident $e:ident $f:ident $g:ident $h:ident,
     $($j:expr),*) => {
        $(
            round!($words, $ff, $gg, $j, $a $b $c $d $e $f $g $h);
            round!($words, $ff, $gg, $j + 1, $d $a $b $c $h $e $f $g);
            round!($words, $ff, $gg, $j + 2, $c $d $a $b $g $h $e $f);
            round!($words, $ff, $gg, $j + 3, $b $c $d $a $f $g $h $e);
        )*
    };
}

// All rounds of a block.
macro_rules! rounds {
    ($state:expr, $words:ident) => {
        let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = *$state;
        sixteen_rounds!($words, parity, parity, a b c d e f g h, 0, 4, 8, 12);
        sixteen_rounds!($words, majority, choose, a b c d e f g h, 16, 20, 24, 28);
        sixteen_rounds!($words, majority, choose, a b c d e f g h, 32, 36, 40, 44);
        sixteen_rounds!($words, majority, choose, a b c d e f g h, 48, 52, 56, 60);
        for (word, value) in $state.iter_mut().zip([a, b, c, d, e, f, g, h]) {
            *word ^= value;
        }
    };
}

/// Compresses whole blocks; `blocks` is a multiple of 64 bytes.
pub fn compress(state: &mut [u32; 8], blocks: &[u8]) {
    for block in blocks.as_chunks::<BLOCK_SIZE>().0 {
        let mut w = [0u32; 16];
        for (word, bytes) in w.iter_mut().zip(block.as_chunks::<4>().0) {
            *word = u32::from_be_bytes(*bytes);
        }
        // Word i stands in place i modulo 16, until word i + 16 takes it.
        macro_rules! words {
            ($j:expr) => {{
                if $j >= 12 {
                    // 5.3.2: word j + 4
                    w[($j + 4) % 16] =
                        p1(w[($j + 4) % 16] ^ w[($j + 11) % 16] ^ w[($j + 1) % 16].rotate_left(15))
                            ^ w[($j + 7) % 16].rotate_left(7)
                            ^ w[($j + 14) % 16];
                }
                (w[$j % 16], w[$j % 16] ^ w[($j + 4) % 16])
            }};
        }
        rounds!(state, words);
    }
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
