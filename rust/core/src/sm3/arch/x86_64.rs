//! The compression function with the three-operand rotations and shifts of BMI2.

use crate::sm3::portable;

/// Compresses whole blocks; `blocks` is a multiple of 64 bytes.
#[target_feature(enable = "bmi1,bmi2")]
pub fn compress(state: &mut [u32; 8], blocks: &[u8]) {
    portable::compress_inline(state, blocks);
}
