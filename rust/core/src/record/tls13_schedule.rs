//! The key schedule of TLS 1.3 (RFC 8446, 7.1) over HKDF with SM3 (RFC 8998, 3.4).
//!
//! ```text
//! Early Secret -> Handshake Secret -> Master Secret
//!      binder       handshake keys      application keys, then exporter and resumption secrets
//! ```
//!
//! A schedule goes from stage to stage and forgets what it has left behind.

use zeroize::Zeroizing;

use super::tls13::Algorithm;
use crate::error::Error;
use crate::hmac::HmacSm3;
use crate::kdf::{hkdf_expand_keyed, hkdf_extract};
use crate::sm3::Sm3;

/// Bytes of every secret, hash and Finished of this schedule.
pub const SECRET_SIZE: usize = 32;
/// Bytes of a transcript hash.
pub const HASH_SIZE: usize = 32;
/// Most bytes that the exporter gives.
pub const MAX_EXPORT: usize = 255 * HASH_SIZE;

/// The hash of nothing.
const EMPTY_HASH: Hash = [
    0x1a, 0xb2, 0x1d, 0x83, 0x55, 0xcf, 0xa1, 0x7f, 0x8e, 0x61, 0x19, 0x48, 0x31, 0xe8, 0x1a, 0x8f,
    0x22, 0xbe, 0xc8, 0xc7, 0x28, 0xfe, 0xfb, 0x74, 0x7e, 0xd0, 0x35, 0xeb, 0x50, 0x82, 0xaa, 0x2b,
];
/// What the handshake secret is salted with where there is no pre-shared key.
const NO_PSK_SALT: Hash = [
    0x8b, 0xf1, 0xd4, 0x3b, 0x3c, 0xb6, 0x1d, 0xa4, 0x21, 0x89, 0x5b, 0xe5, 0x5c, 0x07, 0xb3, 0xc1,
    0xf4, 0x9d, 0x7a, 0xf9, 0xf9, 0xc7, 0x28, 0x24, 0x0c, 0xee, 0x1f, 0xc8, 0x03, 0x92, 0x52, 0xf4,
];

const PREFIX: &[u8] = b"tls13 ";
const MAX_LABEL: usize = 255 - PREFIX.len();

pub(super) type Secret = Zeroizing<[u8; SECRET_SIZE]>;
type Hash = [u8; HASH_SIZE];

/// A pre-shared key. Wiped when dropped.
#[derive(Clone)]
pub struct Psk(Secret);

impl Psk {
    /// A key kept from an earlier session.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; SECRET_SIZE]) -> Self {
        Self(Zeroizing::new(*bytes))
    }

    /// For keeping a session: whoever has it can pass for either end.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; SECRET_SIZE] {
        &self.0
    }
}

impl core::fmt::Debug for Psk {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Psk { .. }")
    }
}

/// The secret from which one direction's keys follow. Wiped when dropped.
#[derive(Clone)]
pub struct TrafficSecret {
    algorithm: Algorithm,
    secret: Secret,
}

impl TrafficSecret {
    pub(super) fn new(algorithm: Algorithm, secret: Secret) -> Self {
        Self { algorithm, secret }
    }

    pub(super) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The secret of the next generation (RFC 8446, 7.2).
    pub(super) fn next_generation(&self) -> Result<Self, Error> {
        Ok(Self::new(self.algorithm, self.expander().derive(b"traffic upd", b"")?))
    }

    /// For the keys of this secret.
    pub(super) fn expander(&self) -> Expander {
        Expander::new(&self.secret)
    }

    /// For a key log alone: whoever has it can read this direction.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; SECRET_SIZE] {
        &self.secret
    }

    /// The content of a Finished (RFC 8446, 4.4.4).
    fn verify_data(&self, transcript_hash: &Hash) -> Result<Hash, Error> {
        finished(&self.secret, transcript_hash)
    }
}

/// The secrets of the two directions in one stage.
#[derive(Clone)]
pub struct TrafficSecrets {
    /// Of what the client writes.
    pub client: TrafficSecret,
    /// Of what the server writes.
    pub server: TrafficSecret,
}

/// What each stage keeps for the next: the last one gives exporter and resumption secrets.
enum Stage {
    Early(Option<Psk>),
    Handshake { next_salt: Secret, traffic: TrafficSecrets },
    Master { master: Expander, traffic: TrafficSecrets },
}

/// The schedule of one handshake. Wiped when dropped.
pub struct KeySchedule {
    algorithm: Algorithm,
    stage: Stage,
    /// The secrets of the handshake's own records: both Finished are made with them.
    handshake: Option<TrafficSecrets>,
}

impl KeySchedule {
    /// Starts with the Early Secret, from a pre-shared key or from none.
    #[must_use]
    pub fn new(algorithm: Algorithm, psk: Option<&Psk>) -> Self {
        Self { algorithm, stage: Stage::Early(psk.cloned()), handshake: None }
    }

    /// The binder of a resumption key: a Finished over the hello up to its binders (4.2.11.2).
    ///
    /// # Errors
    /// [`Error::InvalidInput`] after the first stage.
    pub fn binder(&self, transcript_hash: &Hash) -> Result<Hash, Error> {
        let Stage::Early(psk) = &self.stage else {
            return Err(Error::InvalidInput("binders belong to the first stage"));
        };
        let key = early(psk.as_ref()).derive(b"res binder", &EMPTY_HASH)?;
        finished(&key, transcript_hash)
    }

    /// Goes to the handshake: `transcript_hash` covers ClientHello to ServerHello.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] after the first stage.
    pub fn enter_handshake(
        &mut self,
        shared_secret: &[u8],
        transcript_hash: &Hash,
    ) -> Result<&TrafficSecrets, Error> {
        let Stage::Early(psk) = &self.stage else {
            return Err(Error::InvalidInput("the handshake keys follow the first stage"));
        };
        let salt = match psk {
            None => Zeroizing::new(NO_PSK_SALT),
            Some(psk) => early(Some(psk)).next_salt()?,
        };
        let secret = Expander::extract(&salt, shared_secret);
        let traffic = self.traffic(&secret, [b"c hs traffic", b"s hs traffic"], transcript_hash)?;
        self.handshake = Some(traffic.clone());
        self.stage = Stage::Handshake { next_salt: secret.next_salt()?, traffic };
        self.current()
    }

    /// Goes to the application data: `transcript_hash` covers ClientHello to server's Finished.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] unless the handshake is the present stage.
    pub fn enter_application(&mut self, transcript_hash: &Hash) -> Result<&TrafficSecrets, Error> {
        let Stage::Handshake { next_salt, .. } = &self.stage else {
            return Err(Error::InvalidInput("the application keys follow those of the handshake"));
        };
        let master = Expander::extract(next_salt, &[0; SECRET_SIZE]);
        let traffic = self.traffic(&master, [b"c ap traffic", b"s ap traffic"], transcript_hash)?;
        self.stage = Stage::Master { master, traffic };
        self.current()
    }

    /// The traffic secrets of the present stage.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] in the first stage.
    pub fn current(&self) -> Result<&TrafficSecrets, Error> {
        match &self.stage {
            Stage::Early(_) => Err(Error::InvalidInput("no traffic secrets in the first stage")),
            Stage::Handshake { traffic, .. } | Stage::Master { traffic, .. } => Ok(traffic),
        }
    }

    /// The content of the client's or the server's Finished (RFC 8446, 4.4.4).
    ///
    /// # Errors
    /// [`Error::InvalidInput`] in the first stage.
    pub fn verify_data(&self, of_client: bool, transcript_hash: &Hash) -> Result<Hash, Error> {
        let Some(traffic) = &self.handshake else {
            return Err(Error::InvalidInput("no Finished in the first stage"));
        };
        let side = if of_client { &traffic.client } else { &traffic.server };
        side.verify_data(transcript_hash)
    }

    /// The exporter secret: `transcript_hash` covers ClientHello to server's Finished.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] before the last stage.
    pub fn exporter(&self, transcript_hash: &Hash) -> Result<Exporter, Error> {
        Ok(Exporter(self.master()?.derive(b"exp master", transcript_hash)?))
    }

    /// The resumption secret: `transcript_hash` covers ClientHello to client's Finished.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] before the last stage.
    pub fn resumption(&self, transcript_hash: &Hash) -> Result<Resumption, Error> {
        Ok(Resumption(self.master()?.derive(b"res master", transcript_hash)?))
    }

    fn master(&self) -> Result<&Expander, Error> {
        match &self.stage {
            Stage::Master { master, .. } => Ok(master),
            _ => Err(Error::InvalidInput("this secret belongs to the last stage")),
        }
    }

    fn traffic(
        &self,
        secret: &Expander,
        [client, server]: [&[u8]; 2],
        transcript_hash: &Hash,
    ) -> Result<TrafficSecrets, Error> {
        let side = |label| {
            let secret = secret.derive(label, transcript_hash)?;
            Ok(TrafficSecret::new(self.algorithm, secret))
        };
        Ok(TrafficSecrets { client: side(client)?, server: side(server)? })
    }
}

/// From which tickets get their keys. Wiped when dropped.
pub struct Resumption(Secret);

impl Resumption {
    /// The pre-shared key of the ticket with this nonce (RFC 8446, 4.6.1).
    ///
    /// # Errors
    /// [`Error::InvalidInput`] for a nonce of more than 255 bytes.
    pub fn psk(&self, ticket_nonce: &[u8]) -> Result<Psk, Error> {
        Expander::new(&self.0).derive(b"resumption", ticket_nonce).map(Psk)
    }
}

/// Keys for other uses of the session. Wiped when dropped.
pub struct Exporter(Secret);

impl Exporter {
    /// TLS-Exporter(label, context, length) (RFC 8446, 7.5).
    ///
    /// # Errors
    /// [`Error::InvalidInput`] for a label of more than 249 bytes or more than 8160 bytes of output.
    pub fn export(&self, label: &[u8], context: &[u8], out: &mut [u8]) -> Result<(), Error> {
        let secret = Expander::new(&self.0).derive(label, &EMPTY_HASH)?;
        Expander::new(&secret).expand(b"exporter", &Sm3::digest(context), out)
    }

    /// For a key log alone: whoever has it can export what both ends can.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; SECRET_SIZE] {
        &self.0
    }
}

/// A secret from which several others follow: its HMAC is keyed once for all of them.
pub(super) struct Expander(HmacSm3);

impl Expander {
    fn new(secret: &Secret) -> Self {
        Self(HmacSm3::new(&secret[..]))
    }

    /// HKDF-Extract.
    fn extract(salt: &Secret, input: &[u8]) -> Self {
        Self::new(&Zeroizing::new(hkdf_extract(&salt[..], input)))
    }

    /// What the secret of the next stage is salted with.
    fn next_salt(&self) -> Result<Secret, Error> {
        self.derive(b"derived", &EMPTY_HASH)
    }

    /// HKDF-Expand-Label to the length of a hash (RFC 8446, 7.1).
    fn derive(&self, label: &[u8], context: &[u8]) -> Result<Secret, Error> {
        let mut out = Zeroizing::new([0; SECRET_SIZE]);
        self.expand(label, context, &mut out[..])?;
        Ok(out)
    }

    /// HKDF-Expand-Label (RFC 8446, 7.1).
    pub(super) fn expand(&self, label: &[u8], context: &[u8], out: &mut [u8]) -> Result<(), Error> {
        if label.len() > MAX_LABEL || context.len() > 255 || out.len() > MAX_EXPORT {
            return Err(Error::InvalidInput("a label, context or output longer than HKDF allows"));
        }
        let length = (out.len() as u16).to_be_bytes();
        let [label_length, context_length] = [PREFIX.len() + label.len(), context.len()];
        let (label_length, context_length) = ([label_length as u8], [context_length as u8]);
        let info = [&length[..], &label_length, PREFIX, label, &context_length, context];
        hkdf_expand_keyed(&self.0, &info, out)
    }
}

/// The Early Secret.
fn early(psk: Option<&Psk>) -> Expander {
    let nothing = Zeroizing::new([0; SECRET_SIZE]);
    Expander::extract(&nothing, psk.map_or(&nothing[..], |psk| &psk.0[..]))
}

fn finished(base_key: &Secret, transcript_hash: &Hash) -> Result<Hash, Error> {
    let key = Expander::new(base_key).derive(b"finished", b"")?;
    Ok(HmacSm3::mac(&key[..], &[transcript_hash]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_come_in_order() {
        let hash = [1; HASH_SIZE];
        let mut schedule = KeySchedule::new(Algorithm::Sm4Gcm, None);
        assert!(schedule.current().is_err());
        assert!(schedule.verify_data(true, &hash).is_err());
        assert!(schedule.enter_application(&hash).is_err());
        assert!(schedule.binder(&hash).is_ok());
        assert!(schedule.enter_handshake(&[2; 32], &hash).is_ok());
        assert!(schedule.binder(&hash).is_err());
        assert!(schedule.enter_handshake(&[2; 32], &hash).is_err());
        assert!(schedule.resumption(&hash).is_err());
        let before = schedule.verify_data(true, &hash);
        assert!(schedule.enter_application(&hash).is_ok());
        assert!(schedule.enter_application(&hash).is_err());
        assert_eq!(schedule.verify_data(true, &hash), before, "Finished keeps its key");
        assert!(schedule.exporter(&hash).is_ok() && schedule.resumption(&hash).is_ok());
    }

    #[test]
    fn what_is_written_down_is_what_follows_from_nothing() {
        assert_eq!(EMPTY_HASH, Sm3::digest(b""));
        assert_eq!(early(None).next_salt().map(|salt| *salt), Ok(NO_PSK_SALT));
    }

    #[test]
    fn a_key_of_zeros_is_no_key() {
        let psk = Psk::from_bytes(&[0; SECRET_SIZE]);
        let with = KeySchedule::new(Algorithm::Sm4Gcm, Some(&psk)).binder(&[1; HASH_SIZE]);
        let without = KeySchedule::new(Algorithm::Sm4Gcm, None).binder(&[1; HASH_SIZE]);
        assert_eq!(with, without);
    }

    #[test]
    fn limits_are_refused() {
        let exporter = Exporter(Zeroizing::new([3; SECRET_SIZE]));
        assert!(exporter.export(&[b'a'; 249], b"", &mut [0; 32]).is_ok());
        assert!(exporter.export(&[b'a'; 250], b"", &mut [0; 32]).is_err());
        assert!(exporter.export(b"a", &[0; 999], &mut [0; MAX_EXPORT]).is_ok());
        assert!(exporter.export(b"a", b"", &mut [0; MAX_EXPORT + 1]).is_err());
        let resumption = Resumption(Zeroizing::new([3; SECRET_SIZE]));
        assert!(resumption.psk(&[0; 256]).is_err());
    }
}
