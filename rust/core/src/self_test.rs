//! What the AVX-512 back-end must show before it is chosen by itself: each of its paths gives what the
//! portable one gives. Where one does not, the x86-64 back-end runs instead.

/// One check of each primitive that has such a path.
#[cfg(target_arch = "x86_64")]
const CHECKS: &[fn() -> bool] = &[crate::sm4::wide_path_agrees, crate::ghash::wide_path_agrees];
#[cfg(not(target_arch = "x86_64"))]
const CHECKS: &[fn() -> bool] = &[];

/// Whether every wide path agrees with the portable one. To be called only on a CPU that has the
/// instructions.
#[must_use]
pub fn wide_paths_agree() -> bool {
    CHECKS.iter().all(|check| check())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::Backend;

    #[test]
    fn every_wide_path_passes_where_it_can_run() {
        if Backend::X86_64Avx512.is_available() {
            assert!(CHECKS.iter().all(|check| check()));
        }
    }
}
