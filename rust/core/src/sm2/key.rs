//! Keys of SM2 (GB/T 32918.1-2016, 6).

use core::fmt;
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use zeroize::Zeroizing;

use super::encoding;
use super::multiply;
use super::nonce;
use super::point::Affine;
use super::scalar::Scalar;
use super::tables::Windows;
use crate::drbg::{Purpose, Randomness, System};
use crate::error::Error;
use crate::sm3::many::{self, Message};
use crate::sm3::{Sm3, digest_many};

/// The distinguishing identifier where none was agreed (GB/T 35276-2017, 10).
pub const DEFAULT_ID: &[u8] = b"1234567812345678";
/// Longest identifier: its length in bits fills two bytes.
pub const MAX_ID_LENGTH: usize = 8191;

/// A point of the curve other than infinity, with what is computed from it once.
#[derive(Clone)]
pub struct PublicKey {
    point: Affine,
    bytes: [u8; 65],
    default_z: OnceLock<[u8; 32]>,
    windows: OnceLock<Arc<Windows>>,
}

impl PublicKey {
    /// From 65 bytes with 04, or 33 with 02 or 03.
    ///
    /// # Errors
    /// [`Error::InvalidKey`] for any other form and for points not on the curve.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        encoding::decode_point(bytes).map(Self::from_point)
    }

    /// 04, x, y.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 65] {
        self.bytes
    }

    /// 02 or 03, x.
    #[must_use]
    pub fn to_compressed_bytes(&self) -> [u8; 33] {
        let mut bytes = [0; 33];
        bytes[0] = 2 | (self.bytes[64] & 1);
        bytes[1..].copy_from_slice(&self.bytes[1..33]);
        bytes
    }

    /// Z, the hash of the identifier, the curve and the key (GB/T 32918.2-2016, 5.5).
    ///
    /// # Errors
    /// [`Error::InvalidInput`] for an identifier of more than 8191 bytes.
    pub fn z_value(&self, distinguishing_id: &[u8]) -> Result<[u8; 32], Error> {
        if distinguishing_id == DEFAULT_ID {
            return Ok(*self.default_z.get_or_init(|| Sm3::digest(&self.z_input(DEFAULT_ID))));
        }
        if distinguishing_id.len() > MAX_ID_LENGTH {
            return Err(ID_TOO_LONG);
        }
        Ok(Sm3::digest(&self.z_input(distinguishing_id)))
    }

    /// e = SM3(Z, message) (GB/T 32918.2-2016, 6.1, A1 and A2).
    ///
    /// # Errors
    /// [`Error::InvalidInput`] for an identifier of more than 8191 bytes.
    pub fn message_digest(
        &self,
        message: &[u8],
        distinguishing_id: &[u8],
    ) -> Result<[u8; 32], Error> {
        let mut hash = Sm3::new();
        hash.update(&self.z_value(distinguishing_id)?);
        hash.update(message);
        Ok(hash.finalize())
    }

    /// Computes multiples of the point, after which signatures verify in less than half the time.
    ///
    /// They take 8 KiB, which copies of the key share, and about as long as two verifications.
    pub fn prepare(&self) {
        self.windows.get_or_init(|| multiply::windows_of(&self.point).into());
    }

    /// e of each message with its key.
    pub(super) fn message_digests(
        requests: &[(&Self, &[u8])],
        distinguishing_id: &[u8],
    ) -> Result<Vec<[u8; 32]>, Error> {
        let zs = Self::z_values(requests, distinguishing_id)?;
        let messages: Vec<_> = zs
            .iter()
            .zip(requests)
            .map(|(z, (_, message))| Message { after: None, prefix: z, body: message })
            .collect();
        Ok(many::digest_all(&messages))
    }

    /// Z for each, computed once for each key object.
    fn z_values(requests: &[(&Self, &[u8])], id: &[u8]) -> Result<Vec<[u8; 32]>, Error> {
        let mut keys: Vec<&Self> = requests.iter().map(|(key, _)| *key).collect();
        keys.sort_unstable_by_key(|key| core::ptr::from_ref(*key));
        keys.dedup_by_key(|key| core::ptr::from_ref(*key));
        if id == DEFAULT_ID {
            keys.retain(|key| key.default_z.get().is_none());
        } else if id.len() > MAX_ID_LENGTH {
            return Err(ID_TOO_LONG);
        }
        let inputs: Vec<_> = keys.iter().map(|key| key.z_input(id)).collect();
        let inputs: Vec<_> = inputs.iter().map(|input| &input[..]).collect();
        let zs: HashMap<_, _> =
            keys.iter().map(|key| core::ptr::from_ref(*key)).zip(digest_many(&inputs)).collect();
        let z_of = |key: &Self| match zs.get(&core::ptr::from_ref(key)) {
            Some(z) if id == DEFAULT_ID => *key.default_z.get_or_init(|| *z),
            Some(z) => *z,
            None => *key.default_z.get_or_init(|| Sm3::digest(&key.z_input(id))),
        };
        Ok(requests.iter().map(|(key, _)| z_of(key)).collect())
    }

    pub(super) fn from_point(point: Affine) -> Self {
        let bytes = encoding::encode_point(&point);
        Self { point, bytes, default_z: OnceLock::new(), windows: OnceLock::new() }
    }

    /// What [`PublicKey::prepare`] has computed.
    pub(super) fn windows(&self) -> Option<&Windows> {
        self.windows.get().map(|windows| &**windows)
    }

    pub(super) fn point(&self) -> &Affine {
        &self.point
    }

    pub(super) fn coordinates(&self) -> &[u8; 65] {
        &self.bytes
    }

    /// What Z hashes, for an identifier whose length was checked.
    fn z_input(&self, distinguishing_id: &[u8]) -> Vec<u8> {
        let bits = (8 * distinguishing_id.len()) as u16;
        [&bits.to_be_bytes(), distinguishing_id, &encoding::CURVE, &self.bytes[1..]].concat()
    }
}

const ID_TOO_LONG: Error =
    Error::InvalidInput("a distinguishing identifier has at most 8191 bytes");

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for PublicKey {}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PublicKey(")?;
        self.bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(")")
    }
}

/// A number of 1 to n-2, its public key, and what signing needs of it; wiped when dropped.
#[derive(Clone)]
pub struct PrivateKey {
    d: Zeroizing<Scalar>,
    /// 1 + d in Montgomery form, made before d was used: signatures made with a d that has changed are
    /// noticed.
    successor: Zeroizing<Scalar>,
    public: PublicKey,
    inverse: OnceLock<Zeroizing<Scalar>>,
}

impl PrivateKey {
    /// A fresh key (GB/T 32918.1-2016, 6.1).
    ///
    /// # Errors
    /// [`Error::RandomnessFailure`].
    pub fn generate() -> Result<Self, Error> {
        Self::generate_with(&mut System)
    }

    /// A fresh key from that randomness.
    ///
    /// # Errors
    /// [`Error::RandomnessFailure`].
    pub fn generate_with(randomness: &mut impl Randomness) -> Result<Self, Error> {
        Self::generate_for(Purpose::PrivateKey, randomness)
    }

    pub(super) fn generate_for(
        purpose: Purpose,
        randomness: &mut impl Randomness,
    ) -> Result<Self, Error> {
        // n - 1 comes with probability 2^-256, so that a second attempt is enough.
        Self::from_scalar(nonce::random_scalar(purpose, randomness)?)
            .or_else(|_| Self::from_scalar(nonce::random_scalar(purpose, randomness)?))
    }

    /// From 32 bytes, big-endian.
    ///
    /// # Errors
    /// [`Error::InvalidKey`] unless 1 <= d <= n-2; [`Error::InvalidInput`] for another length.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let bytes: &[u8; 32] =
            bytes.try_into().map_err(|_| Error::InvalidKey("a private key has 32 bytes"))?;
        Self::from_scalar(Scalar::from_bytes(bytes).ok_or(OUT_OF_RANGE)?)
    }

    /// 32 bytes, big-endian.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.d.to_bytes())
    }

    /// The public half.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// The x coordinate of `d P`: plain ECDH. Hash it before use.
    ///
    /// # Errors
    /// [`Error::InvalidKey`] for infinity, which no valid pair of keys gives.
    pub fn exchange_ecdh(&self, peer: &PublicKey) -> Result<Zeroizing<[u8; 32]>, Error> {
        let shared = multiply::secret(&self.d, peer.point())
            .ok_or(Error::InvalidKey("the shared point is infinity"))?;
        Ok(Zeroizing::new(encoding::field_bytes(&shared.x)))
    }

    pub(super) fn scalar(&self) -> &Scalar {
        &self.d
    }

    /// (1 + d)^-1 in Montgomery form, computed at the first signature.
    pub(super) fn inverse(&self) -> &Scalar {
        self.inverse.get_or_init(|| Zeroizing::new(self.d.add(&Scalar::ONE).invert_to_montgomery()))
    }

    /// 1 + d in Montgomery form.
    pub(super) fn successor(&self) -> &Scalar {
        &self.successor
    }

    fn from_scalar(d: Scalar) -> Result<Self, Error> {
        let d = Zeroizing::new(d);
        let successor = Zeroizing::new(d.add(&Scalar::ONE).to_montgomery());
        if successor.is_zero() != 0 {
            return Err(OUT_OF_RANGE);
        }
        let point = multiply::base(&d).ok_or(OUT_OF_RANGE)?;
        Ok(Self { d, successor, public: PublicKey::from_point(point), inverse: OnceLock::new() })
    }

    /// From numbers of 1 to n-2 and their points.
    pub(super) fn from_pair(d: &Scalar, point: Affine) -> Self {
        let successor = Zeroizing::new(d.add(&Scalar::ONE).to_montgomery());
        let public = PublicKey::from_point(point);
        Self { d: Zeroizing::new(*d), successor, public, inverse: OnceLock::new() }
    }
}

/// What a bit can turn in while the key lies in memory.
#[cfg(test)]
#[derive(Clone, Copy, Debug)]
pub(super) enum Part {
    D,
    Successor,
    Inverse,
}

#[cfg(test)]
impl PrivateKey {
    /// Tells memcheck that the public key is public.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn declare_public(&mut self) {
        crate::arch::valgrind::make_public(&mut self.public.point);
        crate::arch::valgrind::make_public(&mut self.public.bytes);
    }

    pub(super) fn flip(&mut self, part: Part, bit: usize) {
        let value = match part {
            Part::D => Some(&mut self.d),
            Part::Successor => Some(&mut self.successor),
            Part::Inverse => self.inverse.get_mut(),
        };
        let value = value.unwrap_or_else(|| panic!("there is no inverse before a signature"));
        value.0[bit / 64] ^= 1 << (bit % 64);
    }
}

const OUT_OF_RANGE: Error = Error::InvalidKey("a private key is a number of 1 to n-2");

impl PartialEq for PrivateKey {
    fn eq(&self, other: &Self) -> bool {
        self.d.is_equal(&other.d) != 0
    }
}

impl Eq for PrivateKey {}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey of {:?}", self.public)
    }
}
