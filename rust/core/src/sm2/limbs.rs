//! Numbers of four 64-bit limbs, least significant first: what the field and the scalars share.

use crate::ct;

/// 256 bits, least significant limb first.
pub type Limbs = [u64; 4];

/// `a + b + carry`, and the carry out (0 or 1).
#[inline(always)]
pub fn adc(a: u64, b: u64, carry: u64) -> (u64, u64) {
    let (sum, first) = a.overflowing_add(b);
    let (sum, second) = sum.overflowing_add(carry);
    (sum, u64::from(first | second))
}

/// `a - b - borrow`, and the borrow out (0 or 1).
#[inline(always)]
pub fn sbb(a: u64, b: u64, borrow: u64) -> (u64, u64) {
    let (difference, first) = a.overflowing_sub(b);
    let (difference, second) = difference.overflowing_sub(borrow);
    (difference, u64::from(first | second))
}

/// `accumulator + a * b + carry`, low and high half; it cannot overflow 128 bits.
#[inline(always)]
pub fn mac(accumulator: u64, a: u64, b: u64, carry: u64) -> (u64, u64) {
    let wide = u128::from(a)
        .wrapping_mul(u128::from(b))
        .wrapping_add(u128::from(accumulator))
        .wrapping_add(u128::from(carry));
    (wide as u64, (wide >> 64) as u64)
}

/// `a + b` and the carry.
#[inline(always)]
pub fn add(a: &Limbs, b: &Limbs) -> (Limbs, u64) {
    let (r0, c) = adc(a[0], b[0], 0);
    let (r1, c) = adc(a[1], b[1], c);
    let (r2, c) = adc(a[2], b[2], c);
    let (r3, c) = adc(a[3], b[3], c);
    ([r0, r1, r2, r3], c)
}

/// `a - b` and the borrow.
#[inline(always)]
pub fn sub(a: &Limbs, b: &Limbs) -> (Limbs, u64) {
    let (r0, c) = sbb(a[0], b[0], 0);
    let (r1, c) = sbb(a[1], b[1], c);
    let (r2, c) = sbb(a[2], b[2], c);
    let (r3, c) = sbb(a[3], b[3], c);
    ([r0, r1, r2, r3], c)
}

/// `a` where the mask is ones, `b` where it is zeros.
#[inline(always)]
pub fn select(mask: u64, a: &Limbs, b: &Limbs) -> Limbs {
    [
        ct::select(mask, a[0], b[0]),
        ct::select(mask, a[1], b[1]),
        ct::select(mask, a[2], b[2]),
        ct::select(mask, a[3], b[3]),
    ]
}

/// The number `carry * 2^256 + value`, which is below twice the modulus, brought below it.
#[inline(always)]
pub fn reduce_once(value: &Limbs, carry: u64, modulus: &Limbs) -> Limbs {
    let (reduced, borrow) = sub(value, modulus);
    let (_, below) = sbb(carry, 0, borrow);
    select(below.wrapping_neg(), value, &reduced)
}

/// `a + b mod m`, both below `m`.
#[inline(always)]
pub fn add_mod(a: &Limbs, b: &Limbs, modulus: &Limbs) -> Limbs {
    let (sum, carry) = add(a, b);
    reduce_once(&sum, carry, modulus)
}

/// `a - b mod m`, both below `m`.
#[inline(always)]
pub fn sub_mod(a: &Limbs, b: &Limbs, modulus: &Limbs) -> Limbs {
    let (difference, borrow) = sub(a, b);
    let mask = borrow.wrapping_neg();
    let correction = [modulus[0] & mask, modulus[1] & mask, modulus[2] & mask, modulus[3] & mask];
    add(&difference, &correction).0
}

/// `a / 2 mod m`, for an odd `m` and `a` below it.
#[inline(always)]
pub fn half_mod(a: &Limbs, modulus: &Limbs) -> Limbs {
    let odd = (a[0] & 1).wrapping_neg();
    let addend = modulus.map(|limb| limb & odd);
    let (sum, carry) = add(a, &addend);
    let above = [sum[1], sum[2], sum[3], carry];
    core::array::from_fn(|i| (sum[i] >> 1) | (above[i] << 63))
}

/// Ones if the number is zero.
#[inline(always)]
pub fn is_zero(a: &Limbs) -> u64 {
    ct::mask_if_zero(a[0] | a[1] | a[2] | a[3])
}

/// Ones if the numbers are equal.
#[inline(always)]
pub fn is_equal(a: &Limbs, b: &Limbs) -> u64 {
    ct::mask_if_zero((a[0] ^ b[0]) | (a[1] ^ b[1]) | (a[2] ^ b[2]) | (a[3] ^ b[3]))
}

/// Ones if `a < b`.
#[inline(always)]
pub fn is_less(a: &Limbs, b: &Limbs) -> u64 {
    sub(a, b).1.wrapping_neg()
}

/// From 32 bytes, big-endian.
#[must_use]
pub fn from_bytes(bytes: &[u8; 32]) -> Limbs {
    from_slice(bytes)
}

/// From at most 32 bytes, a multiple of 8, big-endian.
#[must_use]
pub fn from_slice(bytes: &[u8]) -> Limbs {
    let mut limbs = [0; 4];
    for (limb, chunk) in limbs.iter_mut().zip(bytes.as_chunks().0.iter().rev()) {
        *limb = u64::from_be_bytes(*chunk);
    }
    limbs
}

/// To 32 bytes, big-endian.
#[must_use]
pub fn to_bytes(limbs: &Limbs) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (chunk, limb) in bytes.chunks_exact_mut(8).zip(limbs.iter().rev()) {
        chunk.copy_from_slice(&limb.to_be_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn bytes_round_trip(limbs: Limbs) {
            prop_assert_eq!(from_bytes(&to_bytes(&limbs)), limbs);
        }
    }
}
