//! Code written for one kind of CPU.
#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
mod x86_64;

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
