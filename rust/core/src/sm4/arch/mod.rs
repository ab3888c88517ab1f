//! Code written for one kind of CPU.
#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
mod text;
#[cfg(target_arch = "x86_64")]
mod x86_64;

use core::mem::MaybeUninit;
use core::ops::Range;

#[cfg(target_arch = "x86_64")]
use text::Text;

use super::{Block, KEY_SIZE, Key, ROUNDS, portable};
use crate::memory;

/// Encrypts each block by itself with the back-end in use.
#[inline]
pub fn encrypt_blocks(key: &Key, blocks: &mut [Block]) {
    #[cfg(target_arch = "x86_64")]
    if crate::cpu::is_sse() {
        // SAFETY: a back-end is chosen only on a CPU that has all its instructions.
        unsafe { x86_64::encrypt_blocks(&key.mapped, Text::in_place(blocks)) };
        return;
    }
    portable::crypt_blocks::<false>(&key.round_keys, blocks);
}

/// Decrypts each block by itself.
#[inline]
pub fn decrypt_blocks(key: &Key, blocks: &mut [Block]) {
    #[cfg(target_arch = "x86_64")]
    if crate::cpu::is_sse() {
        // SAFETY: as above.
        unsafe { x86_64::decrypt_blocks(&key.mapped, Text::in_place(blocks)) };
        return;
    }
    portable::crypt_blocks::<true>(&key.round_keys, blocks);
}

/// Decrypts a chain of CBC into memory of the same length; `before` is the IV or the ciphertext
/// block before.
#[inline]
pub fn decrypt_chain<'m>(
    key: &Key,
    before: &Block,
    blocks: &[Block],
    out: &'m mut [MaybeUninit<u8>],
) -> &'m mut [u8] {
    #[cfg(target_arch = "x86_64")]
    if crate::cpu::is_sse() {
        let text = Text::elsewhere(blocks, out);
        // SAFETY: as above; then all of `out` has been written.
        unsafe {
            x86_64::decrypt_chain(&key.mapped, before, text);
            return memory::assume_written(out);
        }
    }
    let out = memory::copy(blocks.as_flattened(), out);
    portable::decrypt_chain(&key.round_keys, before, out.as_chunks_mut().0);
    out
}

/// To each chain adds the blocks of its stream at `steps`, one after the other, and encrypts; with
/// `KEEP` what comes out replaces the block.
#[inline]
pub fn chain<const KEEP: bool>(
    key: &Key,
    chains: &mut [Block],
    streams: &mut [&mut [Block]],
    steps: Range<usize>,
) {
    #[cfg(target_arch = "x86_64")]
    if crate::cpu::is_sse() {
        // SAFETY: as above.
        unsafe { x86_64::chain::<KEEP>(&key.mapped, chains, streams, steps) };
        return;
    }
    portable::chain::<KEEP>(&key.round_keys, chains, streams, steps);
}

/// Adds to the blocks the key stream of `counter` and those after it.
///
/// The last 32 bits of the counter must not wrap on the way.
#[inline]
pub fn apply_counters(key: &Key, counter: u128, blocks: &mut [Block]) {
    #[cfg(target_arch = "x86_64")]
    if crate::cpu::is_sse() {
        // SAFETY: as above.
        unsafe { x86_64::apply_counters(&key.mapped, counter, Text::in_place(blocks)) };
        return;
    }
    portable::apply_counters(&key.round_keys, counter, blocks);
}

/// As [`apply_counters`], into memory of the same length.
#[inline]
pub fn apply_counters_to<'m>(
    key: &Key,
    counter: u128,
    blocks: &[Block],
    out: &'m mut [MaybeUninit<u8>],
) -> &'m mut [u8] {
    #[cfg(target_arch = "x86_64")]
    if crate::cpu::is_sse() {
        let text = Text::elsewhere(blocks, out);
        // SAFETY: as above; then all of `out` has been written.
        unsafe {
            x86_64::apply_counters(&key.mapped, counter, text);
            return memory::assume_written(out);
        }
    }
    let out = memory::copy(blocks.as_flattened(), out);
    portable::apply_counters(&key.round_keys, counter, out.as_chunks_mut().0);
    out
}

/// The key stream itself, as [`apply_counters`] would add it, into memory of whole blocks.
#[inline]
pub fn keystream<'m>(key: &Key, counter: u128, out: &'m mut [MaybeUninit<u8>]) -> &'m mut [u8] {
    #[cfg(target_arch = "x86_64")]
    if crate::cpu::is_sse() {
        let text = Text::made(out);
        // SAFETY: as above; then all of `out` has been written.
        unsafe {
            x86_64::keystream(&key.mapped, counter, text);
            return memory::assume_written(out);
        }
    }
    let out = memory::clear(out);
    portable::apply_counters(&key.round_keys, counter, out.as_chunks_mut().0);
    out
}

/// Expands a key: its round keys, and the same as the x86-64 back-end wants them.
///
/// Both are made whatever back-end is in use, so that a key outlives a change of it.
pub fn expand(key: &[u8; KEY_SIZE]) -> ([u32; ROUNDS], [u32; ROUNDS]) {
    #[cfg(target_arch = "x86_64")]
    if crate::cpu::is_sse() {
        // SAFETY: as above.
        return unsafe { x86_64::expand(key) };
    }
    let round_keys = portable::expand(key);
    #[cfg(target_arch = "x86_64")]
    return (round_keys, x86_64::map_round_keys(&round_keys));
    #[cfg(not(target_arch = "x86_64"))]
    (round_keys, round_keys)
}

/// Whether the AVX-512 back-end gives what the portable one gives.
#[cfg(target_arch = "x86_64")]
pub fn wide_path_agrees() -> bool {
    // SAFETY: asked only on a CPU that has all instructions of the AVX-512 back-end.
    unsafe { x86_64::wide_path_agrees() }
}
