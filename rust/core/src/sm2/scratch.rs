//! Stand-in for the hash until the real one is there.
#![allow(missing_docs, clippy::all)]
use core::num::Wrapping as W;
#[derive(Clone)]
pub struct Sm3 {
    v: [u32; 8],
    buf: Vec<u8>,
    len: u64,
}
impl Sm3 {
    pub fn new() -> Self {
        Self {
            v: [
                0x7380166f, 0x4914b2b9, 0x172442d7, 0xda8a0600, 0xa96f30bc, 0x163138aa, 0xe38dee4d,
                0xb0fb0e4e,
            ],
            buf: Vec::new(),
            len: 0,
        }
    }
    pub fn update(&mut self, data: &[u8]) {
        self.len += data.len() as u64;
        self.buf.extend_from_slice(data);
        while self.buf.len() >= 64 {
            let b: Vec<u8> = self.buf.drain(..64).collect();
            self.block(&b);
        }
    }
    pub fn finalize(mut self) -> [u8; 32] {
        let bits = self.len * 8;
        self.update(&[0x80]);
        while self.buf.len() != 56 {
            self.update(&[0]);
        }
        self.update(&bits.to_be_bytes());
        let mut out = [0; 32];
        for (o, v) in out.chunks_mut(4).zip(self.v) {
            o.copy_from_slice(&v.to_be_bytes());
        }
        out
    }
    fn block(&mut self, b: &[u8]) {
        let mut w = [0u32; 68];
        for i in 0..16 {
            w[i] = u32::from_be_bytes([b[4 * i], b[4 * i + 1], b[4 * i + 2], b[4 * i + 3]]);
        }
        for i in 16..68 {
            let x = w[i - 16] ^ w[i - 9] ^ w[i - 3].rotate_left(15);
            w[i] = x ^ x.rotate_left(15) ^ x.rotate_left(23) ^ w[i - 13].rotate_left(7) ^ w[i - 6];
        }
        let [mut a, mut b2, mut c, mut d, mut e, mut f, mut g, mut h] = self.v;
        for j in 0..64 {
            let t: u32 = if j < 16 { 0x79cc4519 } else { 0x7a879d8a };
            let ss1 =
                (W(a.rotate_left(12)) + W(e) + W(t.rotate_left(j as u32 % 32))).0.rotate_left(7);
            let ss2 = ss1 ^ a.rotate_left(12);
            let ff = if j < 16 { a ^ b2 ^ c } else { (a & b2) | (a & c) | (b2 & c) };
            let gg = if j < 16 { e ^ f ^ g } else { (e & f) | (!e & g) };
            let tt1 = (W(ff) + W(d) + W(ss2) + W(w[j] ^ w[j + 4])).0;
            let tt2 = (W(gg) + W(h) + W(ss1) + W(w[j])).0;
            d = c;
            c = b2.rotate_left(9);
            b2 = a;
            a = tt1;
            h = g;
            g = f.rotate_left(19);
            f = e;
            e = tt2 ^ tt2.rotate_left(9) ^ tt2.rotate_left(17);
        }
        for (v, n) in self.v.iter_mut().zip([a, b2, c, d, e, f, g, h]) {
            *v ^= n;
        }
    }
}
pub fn hmac_sm3(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut k = [0u8; 64];
    k[..key.len()].copy_from_slice(key);
    let mut h = Sm3::new();
    h.update(&k.map(|b| b ^ 0x36));
    for p in parts {
        h.update(p);
    }
    let inner = h.finalize();
    let mut h = Sm3::new();
    h.update(&k.map(|b| b ^ 0x5c));
    h.update(&inner);
    h.finalize()
}
