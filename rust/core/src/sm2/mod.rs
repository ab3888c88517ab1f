//! SM2: signatures, public-key encryption and key exchange on the 256-bit curve (GB/T 32918).

// Secrets are passed by reference, so that they are not copied around.
#![allow(clippy::wrong_self_convention)]

mod arch;
mod batch;
#[cfg(all(test, target_arch = "x86_64"))]
mod constant_time;
pub mod danger;
mod encoding;
mod encrypt;
mod exchange;
mod fault;
mod field;
#[cfg(test)]
mod field_proved;
mod inverse;
mod key;
mod limbs;
mod multiply;
mod nonce;
pub mod plain;
mod point;
mod scalar;
mod sign;
mod tables;
mod wide;

pub(crate) use arch::wide_paths_agree;
pub use batch::{exchange_ecdh_batch, generate_batch, sign_batch, verify_batch};
pub use encoding::SignatureEncoding;
pub use encrypt::{Layout, MAX_PLAINTEXT};
pub use exchange::{Agreement, KeyExchange, MAX_KEY_LENGTH, Role};
pub use key::{DEFAULT_ID, MAX_ID_LENGTH, PrivateKey, PublicKey};
pub use sign::{Signature, Signer};
