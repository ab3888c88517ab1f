//! Which back-end runs: detected once, or forced by `METERSEAL_BACKEND` or [`force`].

use core::sync::atomic::{AtomicU8, Ordering};

use crate::error::Error;
use crate::self_test;

/// A family of code paths for every primitive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Backend {
    /// Plain Rust, constant time on any CPU.
    Portable = 1,
    /// SM4 and GHASH by AES-NI, PCLMULQDQ, SSSE3 and SSE4.1, the rest in plain Rust: for x86-64
    /// without AVX2 or ADX.
    X86_64Sse = 4,
    /// x86-64 with BMI2, ADX, AES-NI, PCLMULQDQ, SSSE3, SSE4.1 and AVX2.
    X86_64 = 2,
    /// The same with 512-bit vectors: AVX-512 F, BW, DQ, VL, IFMA and VBMI, GFNI, VAES and
    /// VPCLMULQDQ. Chosen only after its self-test.
    X86_64Avx512 = 3,
}

/// Name of the environment variable that forces a back-end: `portable`, `x86-64-sse`, `x86-64` or
/// `x86-64-avx512`.
pub const ENVIRONMENT_VARIABLE: &str = "METERSEAL_BACKEND";

static CHOSEN: AtomicU8 = AtomicU8::new(0);

impl Backend {
    /// All of them, the plainest first.
    pub const ALL: [Self; 4] = [Self::Portable, Self::X86_64Sse, Self::X86_64, Self::X86_64Avx512];

    /// The name used by the environment variable and the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::X86_64Sse => "x86-64-sse",
            Self::X86_64 => "x86-64",
            Self::X86_64Avx512 => "x86-64-avx512",
        }
    }

    /// The back-end of that name, or `None`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|b| b.name() == name)
    }

    /// Whether this CPU can run it.
    #[must_use]
    pub fn is_available(self) -> bool {
        match self {
            Self::Portable => true,
            Self::X86_64Sse => sse_available(),
            Self::X86_64 => x86_64_available(),
            Self::X86_64Avx512 => x86_64_available() && avx512_available(),
        }
    }
}

/// The back-end in use.
#[inline]
#[must_use]
pub fn backend() -> Backend {
    match CHOSEN.load(Ordering::Relaxed) {
        1 => Backend::Portable,
        2 => Backend::X86_64,
        3 => Backend::X86_64Avx512,
        4 => Backend::X86_64Sse,
        _ => choose(),
    }
}

/// Whether AES-NI, PCLMULQDQ and SSE4.1 may be used, wider ones perhaps too.
#[inline]
#[must_use]
pub fn is_sse() -> bool {
    backend() != Backend::Portable
}

/// Whether the instructions of the x86-64 back-end may be used, wider ones perhaps too.
#[inline]
#[must_use]
pub fn is_x86_64() -> bool {
    matches!(backend(), Backend::X86_64 | Backend::X86_64Avx512)
}

/// Whether the instructions of the AVX-512 back-end may be used.
#[inline]
#[must_use]
pub fn is_avx512() -> bool {
    backend() == Backend::X86_64Avx512
}

/// Makes every later operation run on `wanted`.
///
/// # Errors
/// [`Error::InvalidInput`] if this CPU cannot run it.
pub fn force(wanted: Backend) -> Result<(), Error> {
    if !wanted.is_available() {
        return Err(Error::InvalidInput("this CPU lacks the instructions of that back-end"));
    }
    CHOSEN.store(wanted as u8, Ordering::Relaxed);
    Ok(())
}

/// Forces a back-end that the CPU denies: Valgrind hides ADX from those who ask, yet emulates what
/// the ciphers use of the x86-64 back-end.
#[cfg(any(test, feature = "valgrind"))]
pub fn force_under_valgrind(wanted: Backend) {
    CHOSEN.store(wanted as u8, Ordering::Relaxed);
}

/// What [`ENVIRONMENT_VARIABLE`] asks for, `None` if it is not set.
///
/// # Errors
/// [`Error::InvalidInput`] for a name that is none, or for a back-end that this CPU cannot run.
pub fn wish_of_environment() -> Result<Option<Backend>, Error> {
    let Some(name) = std::env::var_os(ENVIRONMENT_VARIABLE) else { return Ok(None) };
    let wish = name.to_str().and_then(Backend::from_name);
    let wish = wish.ok_or(Error::InvalidInput(
        "METERSEAL_BACKEND: expected portable, x86-64-sse, x86-64 or x86-64-avx512",
    ))?;
    if wish.is_available() {
        Ok(Some(wish))
    } else {
        Err(Error::InvalidInput(
            "METERSEAL_BACKEND: this CPU lacks the instructions of that back-end",
        ))
    }
}

/// The environment's wish if this CPU can grant it, else the best that is available and sound.
#[cold]
fn choose() -> Backend {
    let chosen = wish_of_environment().ok().flatten().unwrap_or_else(best);
    CHOSEN.store(chosen as u8, Ordering::Relaxed);
    chosen
}

/// While wide paths are tested, whatever asks gets the narrow ones.
fn best() -> Backend {
    if !Backend::X86_64.is_available() {
        let has_sse = Backend::X86_64Sse.is_available();
        return if has_sse { Backend::X86_64Sse } else { Backend::Portable };
    }
    CHOSEN.store(Backend::X86_64 as u8, Ordering::Relaxed);
    if Backend::X86_64Avx512.is_available() && self_test::wide_paths_agree() {
        Backend::X86_64Avx512
    } else {
        Backend::X86_64
    }
}

#[cfg(target_arch = "x86_64")]
fn sse_available() -> bool {
    use std::arch::is_x86_feature_detected as has;
    has!("aes") && has!("pclmulqdq") && has!("ssse3") && has!("sse4.1")
}

#[cfg(target_arch = "x86_64")]
fn x86_64_available() -> bool {
    use std::arch::is_x86_feature_detected as has;
    sse_available() && has!("bmi2") && has!("adx") && has!("avx2")
}

/// The CPU has them, and the operating system keeps the registers.
#[cfg(target_arch = "x86_64")]
fn avx512_available() -> bool {
    use std::arch::is_x86_feature_detected as has;
    has!("avx512f")
        && has!("avx512bw")
        && has!("avx512dq")
        && has!("avx512vl")
        && has!("avx512ifma")
        && has!("avx512vbmi")
        && has!("gfni")
        && has!("vaes")
        && has!("vpclmulqdq")
}

#[cfg(not(target_arch = "x86_64"))]
fn sse_available() -> bool {
    false
}

#[cfg(not(target_arch = "x86_64"))]
fn x86_64_available() -> bool {
    false
}

#[cfg(not(target_arch = "x86_64"))]
fn avx512_available() -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::on_every_backend;

    #[test]
    fn names_round_trip() {
        for backend in Backend::ALL {
            assert_eq!(Backend::from_name(backend.name()), Some(backend));
        }
        assert_eq!(Backend::from_name("z80"), None);
    }

    #[test]
    fn what_the_cpu_has_can_be_forced_and_nothing_else() {
        on_every_backend(|| ());
        for backend in Backend::ALL.into_iter().filter(|backend| !backend.is_available()) {
            assert!(force(backend).is_err(), "{}", backend.name());
        }
    }
}
