//! Arithmetic written for one kind of CPU.
#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
pub mod x86_64;

#[cfg(all(test, target_arch = "x86_64"))]
pub mod valgrind;
