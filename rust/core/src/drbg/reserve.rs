//! Noise for nonces, some of it made in advance.
//!
//! Noise never is a nonce: a nonce is hashed from it, the private key, the digest, time and a counter.
//! What was handed out is wiped at once, and of the key that all came from nothing is kept.

use zeroize::{Zeroize, Zeroizing};

use crate::error::Error;
use crate::kdf::sm2_kdf;

/// What one signature takes.
pub type Noise = [u8; 32];

/// Most noises that are kept: 1 KiB.
pub const RESERVED: usize = 32;

/// Noises not handed out yet.
pub struct Reserve {
    noises: Zeroizing<[Noise; RESERVED]>,
    left: usize,
}

impl Reserve {
    pub fn new() -> Self {
        Self { noises: Zeroizing::new([[0; 32]; RESERVED]), left: 0 }
    }

    /// How many there are.
    pub fn left(&self) -> usize {
        self.left
    }

    /// Makes all anew from a key; see [`expand`].
    pub fn fill(&mut self, key: &Noise) -> Result<(), Error> {
        expand(key, &mut self.noises[..])?;
        self.left = RESERVED;
        Ok(())
    }

    /// Hands some out, of which there must be as many.
    pub fn take(&mut self, out: &mut [Noise]) {
        for place in out {
            self.left -= 1;
            let noise = &mut self.noises[self.left];
            *place = *noise;
            noise[..].zeroize();
        }
    }

    /// Wipes all.
    pub fn clear(&mut self) {
        self.noises.as_flattened_mut().zeroize();
        self.left = 0;
    }
}

/// KDF(key) of SM2, cut into noises.
pub fn expand(key: &Noise, out: &mut [Noise]) -> Result<(), Error> {
    sm2_kdf(&[key], out.as_flattened_mut())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_handed_out_is_gone() -> Result<(), Error> {
        let mut reserve = Reserve::new();
        reserve.fill(&[7; 32])?;
        let mut expected = [[0; 32]; RESERVED];
        expand(&[7; 32], &mut expected)?;
        for left in (0..RESERVED).rev() {
            let mut noise = [[0; 32]];
            reserve.take(&mut noise);
            assert_eq!(noise[0], expected[left]);
            assert_eq!((reserve.left(), reserve.noises[left]), (left, [0; 32]));
        }
        Ok(())
    }

    #[test]
    fn what_is_cleared_is_wiped() -> Result<(), Error> {
        let mut reserve = Reserve::new();
        reserve.fill(&[7; 32])?;
        reserve.clear();
        assert_eq!((reserve.left(), *reserve.noises), (0, [[0; 32]; RESERVED]));
        Ok(())
    }
}
