//! The SM3 Hash-DRBG, as GM/T 0105-2021, annex B, varies that of SP 800-90A, 10.1.1.
//!
//! Unlike SP 800-90A, reseeding puts the entropy before V, and a call gives at most 32 bytes.

use zeroize::Zeroize;

use crate::sm3::Sm3;

const SEED_LENGTH: usize = 55;
/// Most bytes that one call gives.
pub const MAX_OUTPUT: usize = 32;

/// The working state V, C and the number of calls since the last seed.
pub struct HashDrbg {
    v: [u8; SEED_LENGTH],
    c: [u8; SEED_LENGTH],
    counter: u64,
}

impl HashDrbg {
    /// Seeds from at least 32 bytes of entropy and 16 of nonce.
    #[must_use]
    pub fn instantiate(entropy: &[u8], nonce: &[u8], personalisation: &[u8]) -> Self {
        Self::from_seed(derive(&[entropy, nonce, personalisation]))
    }

    /// Mixes fresh entropy in.
    pub fn reseed(&mut self, entropy: &[u8], additional: &[u8]) {
        let seed = derive(&[&[1], entropy, &self.v, additional]);
        *self = Self::from_seed(seed);
    }

    /// At most 32 bytes.
    pub fn generate(&mut self, out: &mut [u8], additional: &[u8]) {
        debug_assert!(out.len() <= MAX_OUTPUT);
        if !additional.is_empty() {
            let w = digest(&[&[2], &self.v, additional]);
            add(&mut self.v, &w);
        }
        let mut output = digest(&[&self.v]);
        out.copy_from_slice(&output[..out.len()]);
        output.zeroize();
        let mut h = digest(&[&[3], &self.v]);
        add(&mut self.v, &h);
        h.zeroize();
        add(&mut self.v, &self.c);
        add(&mut self.v, &self.counter.to_be_bytes());
        self.counter = self.counter.saturating_add(1);
    }

    /// Calls since the last seed.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.counter.saturating_sub(1)
    }

    fn from_seed(v: [u8; SEED_LENGTH]) -> Self {
        Self { v, c: derive(&[&[0], &v]), counter: 1 }
    }
}

impl Drop for HashDrbg {
    fn drop(&mut self) {
        self.v.zeroize();
        self.c.zeroize();
    }
}

/// `Hash_df` (SP 800-90A, 10.3.1) for 440 bits.
fn derive(parts: &[&[u8]]) -> [u8; SEED_LENGTH] {
    let mut seed = [0; SEED_LENGTH];
    for (counter, chunk) in (1u8..).zip(seed.chunks_mut(32)) {
        let mut hash = Sm3::new();
        hash.update(&[counter]);
        hash.update(&(8 * SEED_LENGTH as u32).to_be_bytes());
        for part in parts {
            hash.update(part);
        }
        let mut digest = hash.finalize();
        chunk.copy_from_slice(&digest[..chunk.len()]);
        digest.zeroize();
    }
    seed
}

fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sm3::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize()
}

/// `v + number mod 2^440`, big-endian.
fn add(v: &mut [u8; SEED_LENGTH], number: &[u8]) {
    let mut carry = 0u16;
    let digits = number.iter().rev().copied().chain(core::iter::repeat(0));
    for (byte, digit) in v.iter_mut().rev().zip(digits) {
        let sum = u16::from(*byte).wrapping_add(u16::from(digit)).wrapping_add(carry);
        *byte = sum as u8;
        carry = sum >> 8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::hex;

    /// The known answer of GM/T 0105 generators: instantiate, reseed, generate twice.
    #[test]
    fn gives_the_known_answer() {
        let entropy = hex("63363377E41E86468DEB0AB4A8ED683F6A134E47E014C700454E81E95358A569");
        let nonce = hex("808AA38F2A72A62359915A9F8A04CA68");
        let fresh = hex("E62B8A8EE8F141B6980566E3BFE3C04903DAD4AC2CDF9F2280010A6739BC83D3");
        let mut drbg = HashDrbg::instantiate(&entropy, &nonce, b"");
        drbg.reseed(&fresh, b"");
        let mut out = [0; 32];
        drbg.generate(&mut out, b"");
        assert_eq!(
            out[..],
            hex("8F3B97BC83C7A3A83FC9861C82D84BB862A6753B125482BE718F55A039895B74")
        );
        drbg.generate(&mut out, b"");
        assert_eq!(
            out[..],
            hex("00D98D35A2FAB8DF23E9E1FB9AAD143D62C0759EB79E15C37E8F2BC5064E68DA")
        );
        assert_eq!(drbg.calls(), 2);
    }

    #[test]
    fn additional_input_changes_the_output() {
        let outputs = [b"".as_slice(), b"a", b"b"].map(|additional| {
            let mut out = [0; 32];
            HashDrbg::instantiate(&[7; 32], &[8; 16], b"").generate(&mut out, additional);
            out
        });
        assert!(outputs[0] != outputs[1] && outputs[1] != outputs[2] && outputs[0] != outputs[2]);
    }

    #[test]
    fn addition_carries_through_every_byte() {
        let mut v = [0xff; SEED_LENGTH];
        add(&mut v, &[1]);
        assert_eq!(v, [0; SEED_LENGTH]);
    }
}
