//! What the AVX-512 back-end must show before it is chosen by itself: each of its paths gives what
//! narrower code gives. Where one does not, the x86-64 back-end runs instead.

#[cfg(target_arch = "x86_64")]
use crate::{ghash, sm4};
use crate::{sm2, sm3};

/// One check of each primitive that has such a path.
const CHECKS: &[fn() -> bool] = &[
    sm2::wide_paths_agree,
    sm3::many::sixteen_lanes_agree,
    #[cfg(target_arch = "x86_64")]
    sm4::wide_path_agrees,
    #[cfg(target_arch = "x86_64")]
    ghash::wide_path_agrees,
];

/// Whether every wide path agrees. To be called only on a CPU that has the instructions.
#[must_use]
pub fn wide_paths_agree() -> bool {
    CHECKS.iter().all(|check| check())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::{self, Backend};

    #[test]
    fn every_wide_path_passes_where_it_can_run() {
        // As ever, the back-end is chosen first: tables ask for it, and cannot be made while they are.
        assert!(cpu::backend().is_available());
        if Backend::X86_64Avx512.is_available() {
            assert!(CHECKS.iter().all(|check| check()));
        }
    }
}
