//! Code written for one kind of CPU.
#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
mod many;
#[cfg(target_arch = "x86_64")]
mod x86_64;

#[cfg(target_arch = "x86_64")]
use zeroize::Zeroize;

use super::many::Message;
#[cfg(target_arch = "x86_64")]
use super::many::{States, schedule};
use super::{BLOCK_SIZE, Digest};
#[cfg(target_arch = "x86_64")]
use crate::cpu::{self, Backend};

/// Compresses whole blocks with the back-end in use.
#[inline]
pub fn compress(state: &mut [u32; 8], blocks: &[u8]) {
    #[cfg(target_arch = "x86_64")]
    if crate::cpu::is_x86_64() {
        // SAFETY: the x86-64 back-end is chosen only on a CPU that has all its instructions.
        unsafe { x86_64::compress(state, blocks) };
        return;
    }
    super::portable::compress(state, blocks);
}

/// Compresses a block into each state.
pub fn compress_each(states: &mut [[u32; 8]], blocks: &[[u8; BLOCK_SIZE]]) {
    #[cfg(target_arch = "x86_64")]
    if states.len() >= WORTH_LANES {
        match cpu::backend() {
            Backend::Portable | Backend::X86_64Sse => {}
            Backend::X86_64 => {
                // SAFETY: the back-end is chosen only on a CPU that has its instructions.
                return in_lanes(states, blocks, |states, strings| unsafe {
                    many::compress_8(states, strings);
                });
            }
            Backend::X86_64Avx512 => {
                // SAFETY: the back-end is chosen only on a CPU that has its instructions.
                return in_lanes(states, blocks, |states, strings| unsafe {
                    many::compress_16(states, strings);
                });
            }
        }
    }
    for (state, block) in states.iter_mut().zip(blocks) {
        compress(state, block);
    }
}

/// By `act`, which compresses into `N` states; those that are too many repeat others.
#[cfg(target_arch = "x86_64")]
fn in_lanes<const N: usize>(
    states: &mut [[u32; 8]],
    blocks: &[[u8; BLOCK_SIZE]],
    act: impl Fn(&mut States<N>, &[&[u8]; N]),
) {
    for (states, blocks) in states.chunks_mut(N).zip(blocks.chunks(N)) {
        let strings = core::array::from_fn(|lane| &blocks[lane % blocks.len()][..]);
        let mut rows: States<N> = core::array::from_fn(|word| {
            core::array::from_fn(|lane| states[lane % states.len()][word])
        });
        act(&mut rows, &strings);
        for (lane, state) in states.iter_mut().enumerate() {
            *state = rows.map(|row| row[lane]);
        }
        rows.iter_mut().for_each(|row| row[..].zeroize());
    }
}

/// Messages from which on lanes are quicker than one message after the other.
#[cfg(target_arch = "x86_64")]
const WORTH_LANES: usize = 3;

/// The digests with the back-end in use; `None` if it has no lanes, or too few messages for them.
#[must_use]
pub fn digest_all(messages: &[Message<'_>]) -> Option<Vec<Digest>> {
    #[cfg(target_arch = "x86_64")]
    if messages.len() >= WORTH_LANES {
        return match cpu::backend() {
            Backend::Portable | Backend::X86_64Sse => None,
            Backend::X86_64 => digest_by_eight(messages),
            Backend::X86_64Avx512 => digest_by_sixteen(messages),
        };
    }
    None
}

/// Eight lanes, where the CPU has them, whatever back-end is in use.
#[cfg(target_arch = "x86_64")]
pub fn digest_by_eight(messages: &[Message<'_>]) -> Option<Vec<Digest>> {
    Backend::X86_64.is_available().then(|| {
        // SAFETY: the CPU has the instructions of the x86-64 back-end.
        schedule(messages, |states, strings| unsafe { many::compress_8(states, strings) })
    })
}

/// Sixteen lanes, where the CPU has them, whatever back-end is in use.
#[must_use]
pub fn digest_by_sixteen(messages: &[Message<'_>]) -> Option<Vec<Digest>> {
    #[cfg(target_arch = "x86_64")]
    if Backend::X86_64Avx512.is_available() {
        return Some(schedule(messages, |states, strings| {
            // SAFETY: the CPU has the instructions of the AVX-512 back-end.
            unsafe { many::compress_16(states, strings) }
        }));
    }
    let _ = messages;
    None
}
