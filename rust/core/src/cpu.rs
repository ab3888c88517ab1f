//! Which back-end runs: detected once, or forced by `METERSEAL_BACKEND` or [`force`].

use core::sync::atomic::{AtomicU8, Ordering};

use crate::error::Error;

/// A family of code paths for every primitive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Backend {
    /// Plain Rust, constant time on any CPU.
    Portable = 1,
    /// x86-64 with BMI2, ADX, AES-NI, PCLMULQDQ, SSSE3 and AVX2.
    X86_64 = 2,
}

/// Name of the environment variable that forces a back-end: `portable` or `x86-64`.
pub const ENVIRONMENT_VARIABLE: &str = "METERSEAL_BACKEND";

static CHOSEN: AtomicU8 = AtomicU8::new(0);

impl Backend {
    /// The name used by the environment variable and the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::X86_64 => "x86-64",
        }
    }

    /// The back-end of that name, or `None`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Portable, Self::X86_64].into_iter().find(|b| b.name() == name)
    }

    /// Whether this CPU can run it.
    #[must_use]
    pub fn is_available(self) -> bool {
        match self {
            Self::Portable => true,
            Self::X86_64 => x86_64_available(),
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
        _ => choose(),
    }
}

/// Whether the x86-64 back-end is in use.
#[inline]
#[must_use]
pub fn is_x86_64() -> bool {
    backend() == Backend::X86_64
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
#[cfg(all(test, target_arch = "x86_64"))]
pub(crate) fn force_under_valgrind(wanted: Backend) {
    CHOSEN.store(wanted as u8, Ordering::Relaxed);
}

/// The environment's wish if this CPU can grant it, else the best available.
#[cold]
fn choose() -> Backend {
    let wish = std::env::var(ENVIRONMENT_VARIABLE).ok().and_then(|name| Backend::from_name(&name));
    let best = if x86_64_available() { Backend::X86_64 } else { Backend::Portable };
    let chosen = wish.filter(|b| b.is_available()).unwrap_or(best);
    CHOSEN.store(chosen as u8, Ordering::Relaxed);
    chosen
}

#[cfg(target_arch = "x86_64")]
fn x86_64_available() -> bool {
    use std::arch::is_x86_feature_detected as has;
    has!("bmi2")
        && has!("adx")
        && has!("aes")
        && has!("pclmulqdq")
        && has!("ssse3")
        && has!("sse4.1")
        && has!("avx2")
}

#[cfg(not(target_arch = "x86_64"))]
fn x86_64_available() -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for backend in [Backend::Portable, Backend::X86_64] {
            assert_eq!(Backend::from_name(backend.name()), Some(backend));
        }
        assert_eq!(Backend::from_name("z80"), None);
    }
}
