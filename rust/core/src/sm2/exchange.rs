//! The key exchange of two parties (GB/T 32918.3-2016).
//!
//! A is the initiator, B the responder. Each sends the point of its ephemeral key; then each can
//! [`KeyExchange::agree`]. If both want proof that the other has the key, B sends its confirmation
//! with its point, and A answers with its own.

use zeroize::Zeroizing;

use super::encoding;
use super::key::{PrivateKey, PublicKey};
use super::multiply;
use super::scalar::Scalar;
use crate::ct;
use crate::drbg::{Purpose, Randomness, System};
use crate::error::Error;
use crate::kdf::sm2_kdf;
use crate::sm3::Sm3;

/// Longest key that an exchange gives: 64 KiB.
pub const MAX_KEY_LENGTH: usize = 1 << 16;

/// Which side of the exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A, who sends first.
    Initiator,
    /// B, who answers.
    Responder,
}

/// One side of one exchange: its key, its ephemeral key, its identifier.
pub struct KeyExchange {
    key: PrivateKey,
    ephemeral: PrivateKey,
    role: Role,
    z: [u8; 32],
}

/// What an exchange gives.
pub struct Agreement {
    key: Zeroizing<Vec<u8>>,
    own_confirmation: [u8; 32],
    peer_confirmation: [u8; 32],
}

impl KeyExchange {
    /// Begins an exchange with a fresh ephemeral key (A1 to A3 or B1 to B3).
    ///
    /// # Errors
    /// [`Error::RandomnessFailure`]; [`Error::InvalidInput`] for an identifier that is too long.
    pub fn new(key: &PrivateKey, role: Role, distinguishing_id: &[u8]) -> Result<Self, Error> {
        Self::new_with(key, role, distinguishing_id, &mut System)
    }

    /// Begins an exchange with that randomness.
    ///
    /// # Errors
    /// As [`KeyExchange::new`].
    pub fn new_with(
        key: &PrivateKey,
        role: Role,
        distinguishing_id: &[u8],
        randomness: &mut impl Randomness,
    ) -> Result<Self, Error> {
        let ephemeral = PrivateKey::generate_for(Purpose::KeyExchange, randomness)?;
        Self::with_ephemeral(key, ephemeral, role, distinguishing_id)
    }

    pub(super) fn with_ephemeral(
        key: &PrivateKey,
        ephemeral: PrivateKey,
        role: Role,
        distinguishing_id: &[u8],
    ) -> Result<Self, Error> {
        let z = key.public_key().z_value(distinguishing_id)?;
        Ok(Self { key: key.clone(), ephemeral, role, z })
    }

    /// R, to be sent to the peer.
    #[must_use]
    pub fn ephemeral_public_key(&self) -> &PublicKey {
        self.ephemeral.public_key()
    }

    /// Derives the shared key from the peer's two keys and identifier; consumes the ephemeral key.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] for a key length of 0 or above 2^16 or an identifier that is too
    /// long; [`Error::InvalidKey`] if the shared point is infinity.
    pub fn agree(
        self,
        peer: &PublicKey,
        peer_ephemeral: &PublicKey,
        key_length: usize,
        peer_distinguishing_id: &[u8],
    ) -> Result<Agreement, Error> {
        if !(1..=MAX_KEY_LENGTH).contains(&key_length) {
            return Err(Error::InvalidInput("an exchange gives a key of 1 to 65536 bytes"));
        }
        let peer_z = peer.z_value(peer_distinguishing_id)?;
        let shared = self.shared_point(peer, peer_ephemeral)?;
        let own = self.ephemeral_public_key();
        let (z_a, z_b, r_a, r_b) = match self.role {
            Role::Initiator => (&self.z, &peer_z, own, peer_ephemeral),
            Role::Responder => (&peer_z, &self.z, peer_ephemeral, own),
        };
        // A8, B7: K = KDF(x, y, ZA, ZB)
        let mut key = Zeroizing::new(vec![0; key_length]);
        sm2_kdf(&[&shared[..], z_a, z_b], &mut key)?;
        // A9, A10, B8, B10: hash(tag, y, hash(x, ZA, ZB, x1, y1, x2, y2))
        let (x, y) = shared.split_at(32);
        let inner = hash(&[x, z_a, z_b, &r_a.coordinates()[1..], &r_b.coordinates()[1..]]);
        let [of_responder, of_initiator] = [2u8, 3].map(|tag| hash(&[&[tag], y, &inner]));
        let (own_confirmation, peer_confirmation) = match self.role {
            Role::Initiator => (of_initiator, of_responder),
            Role::Responder => (of_responder, of_initiator),
        };
        Ok(Agreement { key, own_confirmation, peer_confirmation })
    }

    /// A4 to A7, B4 to B6: [t] (P + [x'] R) for t = (d + x' r) mod n, x' = 2^127 + (x mod 2^127).
    fn shared_point(
        &self,
        peer: &PublicKey,
        peer_ephemeral: &PublicKey,
    ) -> Result<Zeroizing<[u8; 64]>, Error> {
        let infinity = Error::InvalidKey("the shared point is infinity");
        let own_half = half(self.ephemeral_public_key());
        let t = Zeroizing::new(self.key.scalar().add(&own_half.mul(self.ephemeral.scalar())));
        let peer_half = half(peer_ephemeral);
        let sum = multiply::sum_with_multiple(peer.point(), &peer_half, peer_ephemeral.point())
            .ok_or(infinity)?;
        let shared = multiply::secret(&t, &sum).ok_or(infinity)?;
        Ok(encoding::coordinates(&shared))
    }
}

impl Agreement {
    /// The shared key.
    #[must_use]
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// What the peer may ask for: SA of the initiator, SB of the responder.
    #[must_use]
    pub fn confirmation(&self) -> &[u8; 32] {
        &self.own_confirmation
    }

    /// Verifies what the peer sent as its confirmation.
    ///
    /// # Errors
    /// [`Error::InvalidTag`].
    pub fn verify_confirmation(&self, received: &[u8]) -> Result<(), Error> {
        if ct::equal(&self.peer_confirmation, received) { Ok(()) } else { Err(Error::InvalidTag) }
    }
}

/// x' = 2^127 + (x mod 2^127)
fn half(ephemeral: &PublicKey) -> Scalar {
    let x = super::limbs::from_slice(&ephemeral.coordinates()[1..33]);
    Scalar([x[0], (x[1] & (u64::MAX >> 1)) | 1 << 63, 0, 0])
}

fn hash(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sm3::new();
    parts.iter().for_each(|part| hash.update(part));
    hash.finalize()
}
