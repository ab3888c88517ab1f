//! Requests to the machine that runs the tests.
#![allow(unsafe_code)]

pub mod valgrind;
