//! What the tests of several modules need.

use core::fmt::Debug;

use std::sync::{Mutex, PoisonError};

use crate::cpu::{self, Backend};

/// Bytes from hexadecimal digits.
pub fn hex(digits: &str) -> Vec<u8> {
    let nibble =
        |digit: u8| (digit as char).to_digit(16).unwrap_or_else(|| panic!("not hexadecimal"));
    digits
        .as_bytes()
        .chunks_exact(2)
        .map(|pair| (nibble(pair[0]) * 16 + nibble(pair[1])) as u8)
        .collect()
}

/// Runs `act` on each back-end of this CPU and demands the same result of all.
pub fn on_every_backend<T: PartialEq + Debug>(act: impl Fn() -> T) -> T {
    static FORCED: Mutex<()> = Mutex::new(());
    let _guard = FORCED.lock().unwrap_or_else(PoisonError::into_inner);
    let before = cpu::backend();
    let results: Vec<T> = Backend::ALL
        .into_iter()
        .filter(|backend| cpu::force(*backend).is_ok())
        .map(|_| act())
        .collect();
    assert!(cpu::force(before).is_ok());
    let mut results = results.into_iter();
    let first = results.next().unwrap_or_else(|| panic!("the portable back-end always runs"));
    for other in results {
        assert_eq!(first, other);
    }
    first
}
