//! What the generator needs from the operating system.
#![allow(unsafe_code)]

pub mod unix;
