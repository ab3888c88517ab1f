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
use crate::kdf::{hkdf_expand, hkdf_extract};
use crate::sm3::Sm3;

/// Bytes of every secret, hash and Finished of this schedule.
pub const SECRET_SIZE: usize = 32;
/// Bytes of a transcript hash.
pub const HASH_SIZE: usize = 32;
/// Most bytes that the exporter gives.
pub const MAX_EXPORT: usize = 255 * HASH_SIZE;

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
        Ok(Self::new(self.algorithm, derive(&self.secret, b"traffic upd", b"")?))
    }

    /// HKDF-Expand-Label with an empty context.
    pub(super) fn expand(&self, label: &[u8], out: &mut [u8]) -> Result<(), Error> {
        expand_label(&self.secret, label, b"", out)
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

enum Stage {
    Early(Secret),
    Handshake(Secret, TrafficSecrets),
    Master(Secret, TrafficSecrets),
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
        let nothing = [0; SECRET_SIZE];
        let early = Zeroizing::new(hkdf_extract(b"", psk.map_or(&nothing[..], |psk| &psk.0[..])));
        Self { algorithm, stage: Stage::Early(early), handshake: None }
    }

    /// The binder of a resumption key: a Finished over the hello up to its binders (4.2.11.2).
    ///
    /// # Errors
    /// [`Error::InvalidInput`] after the first stage.
    pub fn binder(&self, transcript_hash: &Hash) -> Result<Hash, Error> {
        let Stage::Early(early) = &self.stage else {
            return Err(Error::InvalidInput("binders belong to the first stage"));
        };
        let key = derive(early, b"res binder", &Sm3::digest(b""))?;
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
        let Stage::Early(early) = &self.stage else {
            return Err(Error::InvalidInput("the handshake keys follow the first stage"));
        };
        let secret = extract_next(early, shared_secret)?;
        let traffic = self.traffic(&secret, [b"c hs traffic", b"s hs traffic"], transcript_hash)?;
        self.handshake = Some(traffic.clone());
        self.stage = Stage::Handshake(secret, traffic);
        self.current()
    }

    /// Goes to the application data: `transcript_hash` covers ClientHello to server's Finished.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] unless the handshake is the present stage.
    pub fn enter_application(&mut self, transcript_hash: &Hash) -> Result<&TrafficSecrets, Error> {
        let Stage::Handshake(handshake, _) = &self.stage else {
            return Err(Error::InvalidInput("the application keys follow those of the handshake"));
        };
        let secret = extract_next(handshake, &[0; SECRET_SIZE])?;
        let traffic = self.traffic(&secret, [b"c ap traffic", b"s ap traffic"], transcript_hash)?;
        self.stage = Stage::Master(secret, traffic);
        self.current()
    }

    /// The traffic secrets of the present stage.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] in the first stage.
    pub fn current(&self) -> Result<&TrafficSecrets, Error> {
        match &self.stage {
            Stage::Early(_) => Err(Error::InvalidInput("no traffic secrets in the first stage")),
            Stage::Handshake(_, traffic) | Stage::Master(_, traffic) => Ok(traffic),
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
        Ok(Exporter(derive(self.master()?, b"exp master", transcript_hash)?))
    }

    /// The resumption secret: `transcript_hash` covers ClientHello to client's Finished.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] before the last stage.
    pub fn resumption(&self, transcript_hash: &Hash) -> Result<Resumption, Error> {
        Ok(Resumption(derive(self.master()?, b"res master", transcript_hash)?))
    }

    fn master(&self) -> Result<&Secret, Error> {
        match &self.stage {
            Stage::Master(secret, _) => Ok(secret),
            _ => Err(Error::InvalidInput("this secret belongs to the last stage")),
        }
    }

    fn traffic(
        &self,
        secret: &Secret,
        [client, server]: [&[u8]; 2],
        transcript_hash: &Hash,
    ) -> Result<TrafficSecrets, Error> {
        let side = |label| {
            let secret = derive(secret, label, transcript_hash)?;
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
        derive(&self.0, b"resumption", ticket_nonce).map(Psk)
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
        let secret = derive(&self.0, label, &Sm3::digest(b""))?;
        expand_label(&secret, b"exporter", &Sm3::digest(context), out)
    }

    /// For a key log alone: whoever has it can export what both ends can.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; SECRET_SIZE] {
        &self.0
    }
}

/// HKDF-Extract with the secret derived from the last stage as its salt.
fn extract_next(previous: &Secret, input: &[u8]) -> Result<Secret, Error> {
    let salt = derive(previous, b"derived", &Sm3::digest(b""))?;
    Ok(Zeroizing::new(hkdf_extract(&salt[..], input)))
}

fn finished(base_key: &Secret, transcript_hash: &Hash) -> Result<Hash, Error> {
    let key = derive(base_key, b"finished", b"")?;
    Ok(HmacSm3::mac(&key[..], &[transcript_hash]))
}

/// HKDF-Expand-Label to the length of a hash (RFC 8446, 7.1).
fn derive(secret: &Secret, label: &[u8], context: &[u8]) -> Result<Secret, Error> {
    let mut out = Zeroizing::new([0; SECRET_SIZE]);
    expand_label(secret, label, context, &mut out[..])?;
    Ok(out)
}

fn expand_label(
    secret: &Secret,
    label: &[u8],
    context: &[u8],
    out: &mut [u8],
) -> Result<(), Error> {
    if label.len() > MAX_LABEL || context.len() > 255 || out.len() > MAX_EXPORT {
        return Err(Error::InvalidInput("a label, context or output longer than HKDF allows"));
    }
    let mut info = Vec::with_capacity(2 + 1 + PREFIX.len() + label.len() + 1 + context.len());
    info.extend_from_slice(&(out.len() as u16).to_be_bytes());
    info.push((PREFIX.len() + label.len()) as u8);
    info.extend_from_slice(PREFIX);
    info.extend_from_slice(label);
    info.push(context.len() as u8);
    info.extend_from_slice(context);
    hkdf_expand(&secret[..], &info, out)
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
