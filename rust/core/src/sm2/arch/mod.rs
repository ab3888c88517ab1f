//! Arithmetic written for one kind of CPU.
#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
pub mod x86_64;

use super::point::{Affine, Extended};
use super::scalar::Scalar;
use super::tables::Windows;
use super::wide::Question;

/// [k] G in constant time, infinity for k = 0; `None` where no wide path is in use.
#[must_use]
pub fn base_one(k: &Scalar) -> Option<Extended> {
    #[cfg(target_arch = "x86_64")]
    if crate::cpu::is_avx512() {
        // SAFETY: that back-end is chosen only on a CPU that has all its instructions.
        return Some(unsafe { avx512::base_one(k) });
    }
    None
}

/// [s] G + [t] P, given the windows of P, t not 0: infinity also where it cannot be had so, which is to
/// be had elsewhere. `None` where no wide path is in use. Public values only.
#[must_use]
pub fn sum_with_known(s: &Scalar, t: &Scalar, windows: &Windows) -> Option<Extended> {
    #[cfg(target_arch = "x86_64")]
    if crate::cpu::is_avx512() {
        // SAFETY: that back-end is chosen only on a CPU that has all its instructions.
        return Some(unsafe { avx512::sum_with_known(s, t, windows) });
    }
    None
}

/// Each [k] G in constant time, for 0 < k < n; `None` where no wide path is in use.
#[must_use]
pub fn base_all(scalars: &[Scalar]) -> Option<Vec<Affine>> {
    #[cfg(target_arch = "x86_64")]
    if crate::cpu::is_avx512() {
        // SAFETY: that back-end is chosen only on a CPU that has all its instructions.
        return Some(unsafe { avx512::base_all(scalars) });
    }
    None
}

/// Each [k] P in constant time, for 0 < k < n; `None` where no wide path is in use.
#[must_use]
pub fn variable_all(pairs: &[(&Scalar, &Affine)]) -> Option<Vec<Affine>> {
    #[cfg(target_arch = "x86_64")]
    if crate::cpu::is_avx512() {
        // SAFETY: that back-end is chosen only on a CPU that has all its instructions.
        return Some(unsafe { avx512::variable_all(pairs) });
    }
    None
}

/// The answers; `None` where no wide path is in use. Public values only.
#[must_use]
pub fn answer_all(questions: &[Question<'_>]) -> Option<Vec<bool>> {
    #[cfg(target_arch = "x86_64")]
    if crate::cpu::is_avx512() {
        // SAFETY: that back-end is chosen only on a CPU that has all its instructions.
        return Some(unsafe { avx512::answer_all(questions) });
    }
    None
}

/// The answers by tables, `None` for the few that cannot be had so; `None` where no wide path is in
/// use. Public values only.
#[must_use]
pub fn answer_all_by_tables(questions: &[(Question<'_>, &Windows)]) -> Option<Vec<Option<bool>>> {
    #[cfg(target_arch = "x86_64")]
    if crate::cpu::is_avx512() {
        // SAFETY: that back-end is chosen only on a CPU that has all its instructions.
        return Some(unsafe { avx512::answer_all_by_tables(questions) });
    }
    None
}

/// Whether the wide paths give what narrower back-ends give; true where the CPU has none.
#[must_use]
pub fn wide_paths_agree() -> bool {
    #[cfg(target_arch = "x86_64")]
    if crate::cpu::Backend::X86_64Avx512.is_available() {
        // SAFETY: the CPU has all the instructions of that back-end.
        return unsafe { avx512::agrees() };
    }
    true
}
