//! Secrets and records of the protocols shaped like TLS 1.2.

use meterseal_core::kdf::PrfHash;
use meterseal_core::record::classic::{DEFAULT_RECORD_LIMIT, Limits, MAX_FRAGMENT};
use meterseal_core::record::{cbc, classic};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::buffer::Buffer;
use crate::convert::{detached, fixed, not_pickled, raise, usage};
use crate::kdf::derive;
use crate::output::{filled, written};

/// The master secret of a session (RFC 5246, 8.1; GB/T 38636-2020). It prints nothing.
#[pyclass(module = "meterseal.crypto.record", frozen)]
pub struct MasterSecret(classic::MasterSecret);

fn prf_hash(name: &str) -> PyResult<PrfHash> {
    match name {
        "sm3" => Ok(PrfHash::Sm3),
        "sha256" => Ok(PrfHash::Sha256),
        _ => Err(usage(format!("no PRF has the hash {name:?}: expected \"sm3\" or \"sha256\""))),
    }
}

#[pymethods]
impl MasterSecret {
    /// Returns PRF(pre_master_secret, "master secret", client_random + server_random).
    ///
    /// `hash_name` is the hash of the PRF: "sm3" or "sha256". Raises UsageError for others, and
    /// unless both randoms have 32 bytes.
    #[staticmethod]
    #[pyo3(
        signature = (pre_master_secret, client_random, server_random, hash_name="sm3"),
        text_signature = "(pre_master_secret, client_random, server_random, hash_name='sm3')"
    )]
    fn derive(
        pre_master_secret: Buffer,
        client_random: Buffer,
        server_random: Buffer,
        hash_name: &str,
    ) -> PyResult<Self> {
        let hash = prf_hash(hash_name)?;
        let client_random = fixed("client_random", &client_random)?;
        let server_random = fixed("server_random", &server_random)?;
        Ok(Self(classic::MasterSecret::derive(
            hash,
            &pre_master_secret,
            client_random,
            server_random,
        )))
    }

    /// Returns PRF(pre_master_secret, "extended master secret", session_hash) (RFC 7627, 4).
    ///
    /// `session_hash` is the hash of the handshake up to and with ClientKeyExchange, 32 bytes.
    #[staticmethod]
    #[pyo3(
        signature = (pre_master_secret, session_hash, hash_name="sm3"),
        text_signature = "(pre_master_secret, session_hash, hash_name='sm3')"
    )]
    fn derive_extended(
        pre_master_secret: Buffer,
        session_hash: Buffer,
        hash_name: &str,
    ) -> PyResult<Self> {
        let hash = prf_hash(hash_name)?;
        let session: &[u8; 32] = fixed("session_hash", &session_hash)?;
        Ok(Self(classic::MasterSecret::derive_extended(hash, &pre_master_secret, session)))
    }

    /// Returns the secret of an earlier session, kept as 48 bytes.
    #[staticmethod]
    #[pyo3(
        signature = (secret, hash_name="sm3"),
        text_signature = "(secret, hash_name='sm3')"
    )]
    fn from_bytes(secret: Buffer, hash_name: &str) -> PyResult<Self> {
        let hash = prf_hash(hash_name)?;
        Ok(Self(classic::MasterSecret::from_bytes(hash, fixed("master secret", &secret)?)))
    }

    /// Returns the 48 bytes, for keeping a session: whoever has them can read it.
    fn to_bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.0.as_bytes())
    }

    /// Returns the 12 bytes of a Finished (RFC 5246, 7.4.9).
    ///
    /// `label` is b"client finished" or b"server finished", `transcript_hash` the SM3 of the
    /// handshake so far.
    fn verify_data<'py>(
        &self,
        py: Python<'py>,
        label: Buffer,
        transcript_hash: Buffer,
    ) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.verify_data(&label, &transcript_hash))
    }

    /// Returns PRF(master_secret, label, seed) of the given length.
    fn prf<'py>(
        &self,
        py: Python<'py>,
        label: Buffer,
        seed: Buffer,
        length: usize,
    ) -> PyResult<Bound<'py, PyBytes>> {
        derive(py, length, |out| {
            self.0.prf(&label, &seed, out);
            Ok(())
        })
    }

    /// Returns the sealer of what this side writes and the opener of what the other side writes.
    ///
    /// `version` is 0x0303 for TLS 1.2 and 0x0101 for TLCP 1.1. The sealer cuts data into fragments
    /// of `max_fragment` bytes and seals at most `record_limit` records, by default 2^24.5
    /// (RFC 8446, 5.5).
    #[pyo3(
        signature = (
            client_random, server_random, version, is_client, *,
            max_fragment=MAX_FRAGMENT, record_limit=DEFAULT_RECORD_LIMIT
        ),
        text_signature = "($self, client_random, server_random, version, is_client, *, max_fragment=16384, record_limit=23726566)"
    )]
    fn gcm_protection(
        &self,
        client_random: Buffer,
        server_random: Buffer,
        version: u16,
        is_client: bool,
        max_fragment: usize,
        record_limit: u64,
    ) -> PyResult<(GcmSealer, GcmOpener)> {
        let (client, server) = self.0.gcm_protection(
            fixed("client_random", &client_random)?,
            fixed("server_random", &server_random)?,
        );
        let (own, peer) = if is_client { (client, server) } else { (server, client) };
        let limits = Limits { fragment: max_fragment, records: record_limit };
        let sealer = classic::GcmSealer::new(own, version, limits).map_err(raise)?;
        let opener = classic::GcmOpener::new(peer, version, max_fragment).map_err(raise)?;
        Ok((GcmSealer(sealer), GcmOpener(opener)))
    }

    /// As `gcm_protection`, for SM4-CBC with HMAC-SM3, MAC first (RFC 5246, 6.2.3.2).
    fn cbc_protection(
        &self,
        client_random: Buffer,
        server_random: Buffer,
        version: u16,
        is_client: bool,
    ) -> PyResult<(CbcSealer, CbcOpener)> {
        let (client, server) = self.0.cbc_protection(
            fixed("client_random", &client_random)?,
            fixed("server_random", &server_random)?,
        );
        let (own, peer) = if is_client { (client, server) } else { (server, client) };
        Ok((
            CbcSealer(cbc::CbcSealer::new(own, version)),
            CbcOpener(cbc::CbcOpener::new(peer, version)),
        ))
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(not_pickled())
    }
}

/// Makes protected records. Made by `MasterSecret.gcm_protection`.
#[pyclass(module = "meterseal.crypto.record")]
pub struct GcmSealer(classic::GcmSealer);

#[pymethods]
impl GcmSealer {
    /// Returns the data as whole records, joined: as many as it needs, one if it is empty.
    ///
    /// Raises KeyExhausted, and seals nothing, if the records would be more than the key may seal.
    fn seal<'py>(
        &mut self,
        py: Python<'py>,
        content_type: u8,
        data: Buffer,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let length = self.0.sealed_length(data.len()).map_err(raise)?;
        filled(py, length, |room| self.0.seal(content_type, &data, room))
    }

    /// The sequence number of the next record.
    #[getter]
    fn sequence(&self) -> u64 {
        self.0.sequence()
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(not_pickled())
    }
}

/// Opens protected records. Made by `MasterSecret.gcm_protection`.
#[pyclass(module = "meterseal.crypto.record")]
pub struct GcmOpener(classic::GcmOpener);

#[pymethods]
impl GcmOpener {
    /// Returns the plaintext of one whole record, given with its header.
    ///
    /// Raises InvalidTag for a record that is not what the peer sealed next, UsageError for a
    /// plaintext beyond `max_fragment`, KeyExhausted at the end of the sequence numbers. After any
    /// of these nothing more opens: every later call raises InvalidTag.
    fn open<'py>(&mut self, py: Python<'py>, record: Buffer) -> PyResult<Bound<'py, PyBytes>> {
        let length = classic::GcmOpener::opened_length(record.len());
        filled(py, length, |room| self.0.open(&record, room))
    }

    /// Opens the records of application data that stand whole at `start` of a stream, one after the
    /// other, and returns their joined content and where the rest of the stream begins.
    ///
    /// Takes no more than 1 MiB of content. The first record that is empty, or does not open, is
    /// left as it was found, for `open`. Raises UsageError for a start beyond the end.
    fn open_run<'py>(
        &mut self,
        py: Python<'py>,
        stream: Buffer,
        start: usize,
    ) -> PyResult<(Bound<'py, PyBytes>, usize)> {
        let rest = rest_of(&stream, start)?;
        let length = self.0.run_length(rest);
        let (content, taken) = written(py, length, |room| Ok(self.0.open_run(rest, room)))?;
        Ok((content, start + taken))
    }

    /// The sequence number of the next record.
    #[getter]
    fn sequence(&self) -> u64 {
        self.0.sequence()
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(not_pickled())
    }
}

/// Makes protected records. Made by `MasterSecret.cbc_protection`.
#[pyclass(module = "meterseal.crypto.record")]
pub struct CbcSealer(cbc::CbcSealer);

#[pymethods]
impl CbcSealer {
    /// Returns the data as whole records, joined: as many as it needs, one if it is empty.
    ///
    /// Raises KeyExhausted, and seals nothing, if the records would be more than the key may seal.
    fn seal<'py>(
        &mut self,
        py: Python<'py>,
        content_type: u8,
        data: Buffer,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let length = self.0.sealed_length(data.len()).map_err(raise)?;
        filled(py, length, |room| self.0.seal(content_type, &data, room))
    }

    /// The sequence number of the next record.
    #[getter]
    fn sequence(&self) -> u64 {
        self.0.sequence()
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(not_pickled())
    }
}

/// Opens protected records in constant time. Made by `MasterSecret.cbc_protection`.
#[pyclass(module = "meterseal.crypto.record")]
pub struct CbcOpener(cbc::CbcOpener);

#[pymethods]
impl CbcOpener {
    /// Returns the plaintext of one whole record, given with its header.
    ///
    /// Raises InvalidTag for a record that is not what the peer sealed next, whatever is wrong with
    /// it, UsageError for an authentic plaintext of more than 16384 bytes. After any of these
    /// nothing more opens.
    fn open<'py>(&mut self, py: Python<'py>, record: Buffer) -> PyResult<Bound<'py, PyBytes>> {
        let opened = detached(py, record.len(), || self.0.open(&record));
        Ok(PyBytes::new(py, &opened.map_err(raise)?))
    }

    /// The sequence number of the next record.
    #[getter]
    fn sequence(&self) -> u64 {
        self.0.sequence()
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(not_pickled())
    }
}

/// What stands at `start` of a stream.
pub fn rest_of(stream: &[u8], start: usize) -> PyResult<&[u8]> {
    stream
        .get(start..)
        .ok_or_else(|| usage(format!("start: expected at most {}, received {start}", stream.len())))
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<MasterSecret>()?;
    module.add_class::<GcmSealer>()?;
    module.add_class::<GcmOpener>()?;
    module.add_class::<CbcSealer>()?;
    module.add_class::<CbcOpener>()?;
    Ok(())
}
