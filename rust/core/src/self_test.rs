//! What the AVX-512 back-end must show before it is chosen by itself: each of its paths gives what the
//! portable one gives. Where one does not, the x86-64 back-end runs instead.

/// One check of each primitive that has such a path.
const CHECKS: &[fn() -> bool] = &[];

/// Whether every wide path agrees with the portable one. To be called only on a CPU that has the
/// instructions.
#[must_use]
pub fn wide_paths_agree() -> bool {
    CHECKS.iter().all(|check| check())
}
