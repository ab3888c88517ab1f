//! Code written for one kind of CPU.
#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
mod x86_64;

use super::{Block, Key, ROUNDS, portable};

/// Encrypts blocks with the back-end in use, or decrypts them (`REVERSED` round keys).
#[inline]
pub fn crypt_blocks<const REVERSED: bool>(key: &Key, blocks: &mut [Block]) {
    #[cfg(target_arch = "x86_64")]
    if crate::cpu::is_x86_64() {
        // SAFETY: the x86-64 back-end is chosen only on a CPU that has all its instructions.
        unsafe { x86_64::crypt_blocks::<REVERSED>(&key.mapped, blocks) };
        return;
    }
    portable::crypt_blocks::<REVERSED>(&key.round_keys, blocks);
}

/// Adds to the blocks the key stream of `counter` and those after it.
///
/// The last 32 bits of the counter must not wrap on the way.
#[inline]
pub fn apply_counters(key: &Key, counter: u128, blocks: &mut [Block]) {
    #[cfg(target_arch = "x86_64")]
    if crate::cpu::is_x86_64() {
        // SAFETY: as above.
        unsafe { x86_64::apply_counters(&key.mapped, counter, blocks) };
        return;
    }
    portable::apply_counters(&key.round_keys, counter, blocks);
}

/// The S-box on each byte of a word.
#[inline]
pub fn tau(word: u32) -> u32 {
    #[cfg(target_arch = "x86_64")]
    if crate::cpu::is_x86_64() {
        // SAFETY: as above.
        return unsafe { x86_64::tau(word) };
    }
    portable::tau(word)
}

/// The round keys as the x86-64 back-end wants them; on other CPUs just a copy.
///
/// They are made whatever back-end is in use, so that a key outlives a change of it.
pub fn map_round_keys(round_keys: &[u32; ROUNDS]) -> [u32; ROUNDS] {
    #[cfg(target_arch = "x86_64")]
    return round_keys.map(x86_64::map_word);
    #[cfg(not(target_arch = "x86_64"))]
    *round_keys
}
