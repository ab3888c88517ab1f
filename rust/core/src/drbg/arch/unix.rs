//! `getrandom(2)` and the mark of a process that changes with every fork.

use core::sync::atomic::{AtomicU64, Ordering};
use std::io;
use std::sync::Once;

use crate::error::Error;

/// Fills `out` from the kernel's generator; waits until it is initialised, never falls back.
///
/// # Errors
/// [`Error::RandomnessFailure`] if the kernel refuses.
pub fn system_entropy(out: &mut [u8]) -> Result<(), Error> {
    let mut filled = 0;
    while filled < out.len() {
        let rest = &mut out[filled..];
        // SAFETY: the pointer and the length describe the writable slice `rest`; flags 0 make the
        // call wait for initialisation.
        let count = unsafe { libc::getrandom(rest.as_mut_ptr().cast(), rest.len(), 0) };
        match usize::try_from(count) {
            Ok(0) => return Err(Error::RandomnessFailure("the system gives no randomness")),
            Ok(count) => filled += count,
            Err(_) if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return Err(Error::RandomnessFailure("the system refuses randomness")),
        }
    }
    Ok(())
}

/// Which process this is: its number, and how many forks lie behind it.
#[must_use]
pub fn process_mark() -> (u32, u64) {
    static REGISTERED: Once = Once::new();
    REGISTERED.call_once(|| {
        // SAFETY: the handler touches one atomic only, which is safe in a child just forked. Should
        // the registration fail, the process number still tells.
        let _ = unsafe { libc::pthread_atfork(None, None, Some(count_fork)) };
    });
    (std::process::id(), FORKS.load(Ordering::Relaxed))
}

static FORKS: AtomicU64 = AtomicU64::new(0);

extern "C" fn count_fork() {
    FORKS.fetch_add(1, Ordering::Relaxed);
}
