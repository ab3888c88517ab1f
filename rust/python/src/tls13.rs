//! The key schedule and the records of TLS 1.3.

use meterseal_core::record::tls13::{self, Algorithm, MAX_FRAGMENT};
use meterseal_core::record::tls13_schedule as schedule;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::buffer::Buffer;
use crate::convert::{fixed, not_pickled, raise, usage};
use crate::kdf::derive;
use crate::output::{filled, written};
use crate::record::rest_of;

fn algorithm(name: &str) -> PyResult<Algorithm> {
    match name {
        "sm4-gcm" => Ok(Algorithm::Sm4Gcm),
        "sm4-ccm" => Ok(Algorithm::Sm4Ccm),
        _ => Err(usage(format!("protection: expected sm4-gcm or sm4-ccm, received {name}"))),
    }
}

/// A pre-shared key of 32 bytes. It prints nothing.
#[pyclass(module = "meterseal.crypto.tls13", frozen)]
pub struct Psk(schedule::Psk);

#[pymethods]
impl Psk {
    /// Returns the key of an earlier session, kept as 32 bytes.
    #[staticmethod]
    fn from_bytes(secret: Buffer) -> PyResult<Self> {
        Ok(Self(schedule::Psk::from_bytes(fixed("pre-shared key", &secret)?)))
    }

    /// Returns the 32 bytes, for keeping a session: whoever has them can pass for either end.
    fn to_bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.0.as_bytes())
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(not_pickled())
    }
}

/// The key schedule of one handshake (RFC 8446, 7.1; RFC 8998, 3.4).
///
/// `protection` is sm4-gcm or sm4-ccm. Every transcript hash has 32 bytes. A method called before
/// or after its stage raises UsageError.
#[pyclass(module = "meterseal.crypto.tls13")]
pub struct KeySchedule(schedule::KeySchedule);

#[pymethods]
impl KeySchedule {
    #[new]
    #[pyo3(signature = (protection, psk=None), text_signature = "(protection, psk=None)")]
    fn new(protection: &str, psk: Option<&Psk>) -> PyResult<Self> {
        let algorithm = algorithm(protection)?;
        Ok(Self(schedule::KeySchedule::new(algorithm, psk.map(|psk| &psk.0))))
    }

    /// Returns the binder of a resumption key over the hello up to its binders (RFC 8446, 4.2.11.2).
    fn binder<'py>(
        &self,
        py: Python<'py>,
        transcript_hash: Buffer,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let hash = fixed("transcript_hash", &transcript_hash)?;
        Ok(PyBytes::new(py, &self.0.binder(hash).map_err(raise)?))
    }

    /// Returns our sealer and opener for the handshake, after ServerHello.
    fn handshake_protection(
        &mut self,
        shared_secret: Buffer,
        transcript_hash: Buffer,
        is_client: bool,
    ) -> PyResult<(Tls13Sealer, Tls13Opener)> {
        let hash = fixed("transcript_hash", &transcript_hash)?;
        let secrets = self.0.enter_handshake(&shared_secret, hash).map_err(raise)?;
        protection(secrets, is_client)
    }

    /// Returns our sealer and opener for application data, after the server's Finished.
    fn application_protection(
        &mut self,
        transcript_hash: Buffer,
        is_client: bool,
    ) -> PyResult<(Tls13Sealer, Tls13Opener)> {
        let hash = fixed("transcript_hash", &transcript_hash)?;
        protection(self.0.enter_application(hash).map_err(raise)?, is_client)
    }

    /// Returns the 32 bytes of the client's or the server's Finished (RFC 8446, 4.4.4).
    fn verify_data<'py>(
        &self,
        py: Python<'py>,
        of_client: bool,
        transcript_hash: Buffer,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let hash = fixed("transcript_hash", &transcript_hash)?;
        Ok(PyBytes::new(py, &self.0.verify_data(of_client, hash).map_err(raise)?))
    }

    /// Returns the client's and the server's traffic secret of the present stage: for a key log
    /// alone, whoever has them can read the session.
    fn traffic_secrets<'py>(
        &self,
        py: Python<'py>,
    ) -> PyResult<(Bound<'py, PyBytes>, Bound<'py, PyBytes>)> {
        let secrets = self.0.current().map_err(raise)?;
        let bytes = |secret: &schedule::TrafficSecret| PyBytes::new(py, secret.as_bytes());
        Ok((bytes(&secrets.client), bytes(&secrets.server)))
    }

    /// Returns the exporter; the hash covers ClientHello to server's Finished (RFC 8446, 7.5).
    fn exporter(&self, transcript_hash: Buffer) -> PyResult<Exporter> {
        let hash = fixed("transcript_hash", &transcript_hash)?;
        Ok(Exporter(self.0.exporter(hash).map_err(raise)?))
    }

    /// Returns what tickets get their keys from; the hash covers ClientHello to client's Finished.
    fn resumption(&self, transcript_hash: Buffer) -> PyResult<Resumption> {
        let hash = fixed("transcript_hash", &transcript_hash)?;
        Ok(Resumption(self.0.resumption(hash).map_err(raise)?))
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(not_pickled())
    }
}

fn protection(
    secrets: &schedule::TrafficSecrets,
    is_client: bool,
) -> PyResult<(Tls13Sealer, Tls13Opener)> {
    let (client, server) = (secrets.client.clone(), secrets.server.clone());
    let (own, peer) = if is_client { (client, server) } else { (server, client) };
    let sealer = tls13::Sealer::new(own, MAX_FRAGMENT).map_err(raise)?;
    let opener = tls13::Opener::new(peer, MAX_FRAGMENT).map_err(raise)?;
    Ok((Tls13Sealer(sealer), Tls13Opener(opener)))
}

/// Gives each ticket its key. Made by `KeySchedule.resumption`.
#[pyclass(module = "meterseal.crypto.tls13", frozen)]
pub struct Resumption(schedule::Resumption);

#[pymethods]
impl Resumption {
    /// Returns the pre-shared key of the ticket with this nonce of 0 to 255 bytes.
    fn psk(&self, ticket_nonce: Buffer) -> PyResult<Psk> {
        Ok(Psk(self.0.psk(&ticket_nonce).map_err(raise)?))
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(not_pickled())
    }
}

/// Gives keys for other uses of a session. Made by `KeySchedule.exporter`.
#[pyclass(module = "meterseal.crypto.tls13", frozen)]
pub struct Exporter(schedule::Exporter);

#[pymethods]
impl Exporter {
    /// Returns TLS-Exporter(label, context, length), 1 to 8160 bytes (RFC 8446, 7.5).
    fn export<'py>(
        &self,
        py: Python<'py>,
        label: Buffer,
        context: Buffer,
        length: usize,
    ) -> PyResult<Bound<'py, PyBytes>> {
        derive(py, length, |out| self.0.export(&label, &context, out))
    }

    /// Returns the exporter secret: for a key log alone.
    fn to_bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.0.as_bytes())
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(not_pickled())
    }
}

/// Makes protected records. Made by `KeySchedule`.
#[pyclass(module = "meterseal.crypto.tls13")]
pub struct Tls13Sealer(tls13::Sealer);

#[pymethods]
impl Tls13Sealer {
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

    /// Takes the keys that follow these (RFC 8446, 7.2).
    fn update(&mut self) -> PyResult<()> {
        self.0.update().map_err(raise)
    }

    /// Lets this and every later key seal fewer records than the algorithm would allow.
    fn limit_records(&mut self, limit: u64) -> PyResult<()> {
        self.0.limit_records(limit).map_err(raise)
    }

    /// Whether half of what the key may seal is used up.
    #[getter]
    fn is_worn(&self) -> bool {
        self.0.is_worn()
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

/// Opens protected records. Made by `KeySchedule`.
#[pyclass(module = "meterseal.crypto.tls13")]
pub struct Tls13Opener(tls13::Opener);

#[pymethods]
impl Tls13Opener {
    /// Returns the content type and the content of one whole record, given with its header.
    ///
    /// The type is 0 for a record of nothing but padding. Raises InvalidTag for a record that is
    /// not what the peer sealed next, UsageError for content and padding beyond 2^14 bytes,
    /// KeyExhausted at the end of the sequence numbers. After any of these nothing more opens.
    fn open<'py>(
        &mut self,
        py: Python<'py>,
        record: Buffer,
    ) -> PyResult<(u8, Bound<'py, PyBytes>)> {
        let length = tls13::Opener::opened_length(record.len());
        let (content, content_type) = written(py, length, |room| self.0.open(&record, room))?;
        Ok((content_type, content))
    }

    /// Opens the records of application data that stand whole at `start` of a stream, one after the
    /// other, and returns their joined content and where the rest of the stream begins.
    ///
    /// Takes no more than 1 MiB of content. The first record that is empty, carries something
    /// else or padding, or does not open, is
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

    /// Takes the keys that follow these (RFC 8446, 7.2).
    fn update(&mut self) -> PyResult<()> {
        self.0.update().map_err(raise)
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

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Psk>()?;
    module.add_class::<KeySchedule>()?;
    module.add_class::<Resumption>()?;
    module.add_class::<Exporter>()?;
    module.add_class::<Tls13Sealer>()?;
    module.add_class::<Tls13Opener>()?;
    Ok(())
}
