//! Constant-time selection and comparison.
//!
//! A mask is all ones (true) or all zeros (false). `core::hint::black_box` keeps the compiler from
//! turning the arithmetic back into a branch.

use core::hint::black_box;

/// All ones if `value` is zero, else zero.
#[inline]
#[must_use]
pub fn mask_if_zero(value: u64) -> u64 {
    let value = black_box(value);
    // The top bit of (!v & (v - 1)) is set only for v = 0.
    let top = (!value & value.wrapping_sub(1)) >> 63;
    black_box(top.wrapping_neg())
}

/// All ones if `a == b`, else zero.
#[inline]
#[must_use]
pub fn mask_if_equal(a: u64, b: u64) -> u64 {
    mask_if_zero(a ^ b)
}

/// `a` where the mask is ones, `b` where it is zeros.
#[inline]
#[must_use]
pub fn select(mask: u64, a: u64, b: u64) -> u64 {
    b ^ (mask & (a ^ b))
}

/// Whether two byte strings are equal; the time depends on their lengths alone.
#[must_use]
pub fn equal(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let difference = a.iter().zip(b).fold(0u8, |acc, (x, y)| acc | (x ^ y));
    mask_if_zero(u64::from(difference)) != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_and_selection() {
        assert_eq!(mask_if_zero(0), u64::MAX);
        for value in [1, 2, 1 << 63, u64::MAX, 0x8000_0000_0000_0001] {
            assert_eq!(mask_if_zero(value), 0);
            assert_eq!(mask_if_equal(value, value), u64::MAX);
        }
        assert_eq!(select(u64::MAX, 3, 5), 3);
        assert_eq!(select(0, 3, 5), 5);
    }

    #[test]
    fn equality() {
        assert!(equal(b"", b""));
        assert!(equal(b"abc", b"abc"));
        assert!(!equal(b"abc", b"abd"));
        assert!(!equal(b"abc", b"ab"));
    }
}
