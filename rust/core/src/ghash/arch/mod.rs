//! Code written for one kind of CPU.
#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
mod x86_64;

use super::{Element, GhashKey, POWERS, portable};
use crate::sm4::Block;

/// Takes whole blocks into the sum.
#[inline]
pub fn update(sum: &mut Element, key: &GhashKey, blocks: &[Block]) {
    #[cfg(target_arch = "x86_64")]
    if crate::cpu::is_sse() {
        // SAFETY: a back-end is chosen only on a CPU that has all its instructions.
        unsafe { x86_64::update(sum, key, blocks) };
        return;
    }
    portable::update(sum, &key.powers[POWERS - 1], blocks);
}

/// a b / x^128.
#[inline]
pub fn multiply(a: Element, b: Element) -> Element {
    #[cfg(target_arch = "x86_64")]
    if crate::cpu::is_sse() {
        // SAFETY: as above.
        return unsafe { x86_64::multiply(a, b) };
    }
    portable::multiply(a, b)
}

/// Whether the AVX-512 back-end gives what the portable one gives.
#[cfg(target_arch = "x86_64")]
pub fn wide_path_agrees() -> bool {
    // SAFETY: asked only on a CPU that has all instructions of the AVX-512 back-end.
    unsafe { x86_64::wide_path_agrees() }
}
