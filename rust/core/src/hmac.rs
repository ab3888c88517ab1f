//! HMAC with SM3 (RFC 2104; GB/T 15852.2-2012, mechanism 2).

use zeroize::{Zeroize, Zeroizing};

use crate::ct;
use crate::error::Error;
use crate::sm3::{BLOCK_SIZE, Digest, Sm3};

/// A MAC in progress; a clone of it starts from the same key and data. Wiped when dropped.
#[derive(Clone, Debug)]
pub struct HmacSm3 {
    inner: Sm3,
    outer: Sm3,
}

impl HmacSm3 {
    /// Takes a key of any length; one longer than a block is hashed first.
    #[must_use]
    pub fn new(key: &[u8]) -> Self {
        let mut block = [0; BLOCK_SIZE];
        if key.len() > BLOCK_SIZE {
            block[..32].copy_from_slice(&Sm3::digest(key));
        } else {
            block[..key.len()].copy_from_slice(key);
        }
        let (mut inner, mut outer) = (Sm3::new(), Sm3::new());
        block.iter_mut().for_each(|byte| *byte ^= 0x36);
        inner.update(&block);
        block.iter_mut().for_each(|byte| *byte ^= 0x36 ^ 0x5c);
        outer.update(&block);
        block[..].zeroize();
        Self { inner, outer }
    }

    /// The states to which the key has led, of the inner hash and of the outer one; to be asked
    /// before any message.
    pub(crate) fn states(&self) -> Zeroizing<[Digest; 2]> {
        Zeroizing::new([self.inner.midstate(), self.outer.midstate()])
    }

    /// Takes in more of the message.
    pub fn update(&mut self, data: &[u8]) {
        self.inner.update(data);
    }

    /// The MAC of everything taken in.
    #[must_use]
    pub fn finalize(self) -> Digest {
        let Self { inner, mut outer } = self;
        outer.update(&inner.finalize());
        outer.finalize()
    }

    /// The MAC after `data[..length]`; the work depends on `least` and on the length of `data`
    /// alone.
    #[must_use]
    pub(crate) fn finalize_hiding_length(self, data: &[u8], length: usize, least: usize) -> Digest {
        let Self { inner, mut outer } = self;
        outer.update(&inner.finalize_hiding_length(data, length, least));
        outer.finalize()
    }

    /// Compares the whole MAC in constant time.
    ///
    /// # Errors
    /// [`Error::InvalidTag`] if it differs or is not 32 bytes long.
    pub fn verify(self, mac: &[u8]) -> Result<(), Error> {
        if ct::equal(&self.finalize(), mac) { Ok(()) } else { Err(Error::InvalidTag) }
    }

    /// The MAC of one message given in parts.
    #[must_use]
    pub fn mac(key: &[u8], parts: &[&[u8]]) -> Digest {
        Self::new(key).mac_parts(parts)
    }

    /// The MAC of what was taken in followed by `parts`.
    pub(crate) fn mac_parts(mut self, parts: &[&[u8]]) -> Digest {
        for part in parts {
            self.update(part);
        }
        self.finalize()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verify_wants_the_whole_mac() {
        let mac = HmacSm3::mac(b"key", &[b"mess", b"age"]);
        let keyed = HmacSm3::new(b"key");
        let with = |mac: &[u8]| {
            let mut hmac = keyed.clone();
            hmac.update(b"message");
            hmac.verify(mac)
        };
        assert_eq!(with(&mac), Ok(()));
        assert_eq!(with(&mac[..31]), Err(Error::InvalidTag));
        let mut other = mac;
        other[31] ^= 1;
        assert_eq!(with(&other), Err(Error::InvalidTag));
    }
}
