//! `getrandom(2)` and the mark of a process that changes with every fork.

use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
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

/// What distinguishes this process from all that it was forked from.
///
/// A number in memory that the kernel wipes in every child, whoever made it and by whatever call;
/// where it cannot, the process's number and how many forks lie behind it.
#[must_use]
pub fn process_mark() -> (u64, u64) {
    match wiped_word() {
        Some(word) => (number_in(word), 0),
        None => (u64::from(std::process::id()), forks()),
    }
}

/// What the word holds; where it was wiped, a number that no process before this one had.
fn number_in(word: &AtomicU64) -> u64 {
    static PROCESSES: AtomicU64 = AtomicU64::new(0);
    match word.load(Ordering::Relaxed) {
        0 => {
            let next = PROCESSES.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
            // Another thread may have been here first.
            let stored = word.compare_exchange(0, next, Ordering::Relaxed, Ordering::Relaxed);
            stored.map_or_else(|other| other, |_| next)
        }
        number => number,
    }
}

/// The word on a page that is wiped on fork; `None` if the kernel has no such pages.
///
/// No lock, which a child might find held by a thread that it does not have.
fn wiped_word() -> Option<&'static AtomicU64> {
    static WORD: AtomicPtr<AtomicU64> = AtomicPtr::new(ptr::null_mut());
    static NONE: AtomicU64 = AtomicU64::new(0);
    let mut word = WORD.load(Ordering::Acquire);
    if word.is_null() {
        let made = map_wiped_page().unwrap_or_else(|| (&raw const NONE).cast_mut());
        // Should another thread have been first, its page counts, and ours lies unused.
        let stored =
            WORD.compare_exchange(ptr::null_mut(), made, Ordering::AcqRel, Ordering::Acquire);
        word = stored.map_or_else(|other| other, |_| made);
    }
    // SAFETY: it points to the start of a page that is never unmapped, or to `NONE`.
    (!ptr::eq(word, &raw const NONE)).then(|| unsafe { &*word })
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn map_wiped_page() -> Option<*mut AtomicU64> {
    const LENGTH: usize = 4096;
    const NO_SUCH_ADVICE: libc::c_int = -1;
    // SAFETY: a new private mapping, of which nobody else knows.
    let page = unsafe {
        libc::mmap(
            ptr::null_mut(),
            LENGTH,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    if page == libc::MAP_FAILED {
        return None;
    }
    // SAFETY: the advice is about that page alone, and changes nothing in this process.
    let advise = |advice| unsafe { libc::madvise(page, LENGTH, advice) } == 0;
    // Some emulators say yes to everything, and do nothing.
    if !advise(NO_SUCH_ADVICE) && advise(libc::MADV_WIPEONFORK) {
        return Some(page.cast());
    }
    // SAFETY: the page was mapped above, and nobody has its address.
    unsafe { libc::munmap(page, LENGTH) };
    None
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn map_wiped_page() -> Option<*mut AtomicU64> {
    None
}

/// The forks behind this process, but for those by a bare system call.
fn forks() -> u64 {
    static REGISTERED: Once = Once::new();
    REGISTERED.call_once(|| {
        // SAFETY: the handler touches one atomic only, which is safe in a child just forked. Should
        // the registration fail, the process number still tells.
        let _ = unsafe { libc::pthread_atfork(None, None, Some(count_fork)) };
    });
    FORKS.load(Ordering::Relaxed)
}

static FORKS: AtomicU64 = AtomicU64::new(0);

extern "C" fn count_fork() {
    FORKS.fetch_add(1, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wiped_word_gets_a_number_of_its_own() {
        let word = AtomicU64::new(0);
        let first = number_in(&word);
        assert_eq!(number_in(&word), first);
        // As the kernel does in a child.
        word.store(0, Ordering::Relaxed);
        assert!(number_in(&word) > first && first > 0);
    }

    #[test]
    fn the_mark_stays_while_the_process_does() {
        assert_eq!(process_mark(), process_mark());
    }
}
