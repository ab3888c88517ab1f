//! The key exchange of SM2.

use meterseal_core::error::Error;
use meterseal_core::sm2::{self, Role};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::buffer::Buffer;
use crate::convert::raise;
use crate::sm2::{DEFAULT, PrivateKey, PublicKey};

/// One side of one exchange (GB/T 32918.3-2016): it holds a fresh ephemeral key.
#[pyclass(module = "meterseal.crypto.sm2")]
pub struct KeyExchange(pub Option<sm2::KeyExchange>);

#[pymethods]
impl KeyExchange {
    #[new]
    #[pyo3(
        signature = (key, *, initiator, distinguishing_id=DEFAULT),
        text_signature = "(key, *, initiator, distinguishing_id=b'1234567812345678')"
    )]
    fn new(
        py: Python<'_>,
        key: &PrivateKey,
        initiator: bool,
        distinguishing_id: Buffer,
    ) -> PyResult<Self> {
        py.detach(|| sm2::KeyExchange::new(&key.0, role(initiator), &distinguishing_id))
            .map(|exchange| Self(Some(exchange)))
            .map_err(raise)
    }

    /// R, the point to send to the peer.
    #[getter]
    fn ephemeral_public_key(&self) -> PyResult<PublicKey> {
        let exchange = self.0.as_ref().ok_or_else(spent)?;
        Ok(PublicKey(exchange.ephemeral_public_key().clone()))
    }

    /// Derives a key of `key_length` bytes from the peer's static and ephemeral public keys.
    ///
    /// An exchange agrees once. Raises UsageError if it has, or for a length outside 1..65536.
    #[pyo3(
        signature = (
            peer_public_key, peer_ephemeral_public_key, key_length,
            peer_distinguishing_id=DEFAULT
        ),
        text_signature = "($self, peer_public_key, peer_ephemeral_public_key, key_length, \
                          peer_distinguishing_id=b'1234567812345678')"
    )]
    fn agree(
        &mut self,
        py: Python<'_>,
        peer_public_key: &PublicKey,
        peer_ephemeral_public_key: &PublicKey,
        key_length: usize,
        peer_distinguishing_id: Buffer,
    ) -> PyResult<Agreement> {
        let exchange = self.0.take().ok_or_else(spent)?;
        let (peer, ephemeral) = (&peer_public_key.0, &peer_ephemeral_public_key.0);
        py.detach(|| exchange.agree(peer, ephemeral, key_length, &peer_distinguishing_id))
            .map(Agreement)
            .map_err(raise)
    }
}

/// The shared key of an exchange, and the proof that both have it.
#[pyclass(module = "meterseal.crypto.sm2", frozen)]
pub struct Agreement(sm2::Agreement);

#[pymethods]
impl Agreement {
    /// The shared key.
    #[getter]
    fn key<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.0.key())
    }

    /// 32 bytes for the peer: SA from the initiator, SB from the responder.
    #[getter]
    fn confirmation<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.0.confirmation())
    }

    /// Verifies the peer's confirmation. Raises InvalidTag.
    fn verify_confirmation(&self, confirmation: Buffer) -> PyResult<()> {
        self.0.verify_confirmation(&confirmation).map_err(raise)
    }
}

pub fn role(initiator: bool) -> Role {
    if initiator { Role::Initiator } else { Role::Responder }
}

fn spent() -> PyErr {
    raise(Error::InvalidInput("this exchange has agreed; each ephemeral key is used once"))
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<KeyExchange>()?;
    module.add_class::<Agreement>()?;
    Ok(())
}
