//! The cipher core of meterseal: SM2, SM3, SM4 and record protection.
//!
//! Knows no Python. `unsafe` stands only under `arch/` modules and in `memory`, each use with its
//! reason.
//! Every step that touches a secret is free of secret-dependent branches and addresses.
#![deny(unsafe_code)]

#[cfg(all(test, target_arch = "x86_64"))]
mod arch;
#[cfg(all(test, target_arch = "x86_64"))]
mod constant_time;
pub mod cpu;
pub mod ct;
pub mod drbg;
pub mod error;
mod ghash;
pub mod hmac;
pub mod kdf;
pub mod memory;
pub mod mlkem;
pub mod record;
mod self_test;
pub mod sm2;
pub mod sm3;
pub mod sm4;
#[cfg(test)]
mod test_support;
