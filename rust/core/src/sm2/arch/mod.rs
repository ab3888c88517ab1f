//! Arithmetic written for one kind of CPU.
#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
pub mod x86_64;
