//! Several 32-bit words side by side: what SM3 does to all of them with one instruction or few.

/// Words side by side.
pub trait Words: Copy {
    /// The same word in each lane.
    fn splat(value: u32) -> Self;
    /// The sum modulo 2^32.
    fn plus(self, other: Self) -> Self;
    /// Bits that differ.
    fn xor(self, other: Self) -> Self;
    /// Rotated left by `LEFT`; `RIGHT` is 32 less that.
    fn rotate<const LEFT: u32, const RIGHT: u32>(self) -> Self;
    /// x ^ y ^ z
    fn parity(x: Self, y: Self, z: Self) -> Self;
    /// Bits that at least two have.
    fn majority(x: Self, y: Self, z: Self) -> Self;
    /// Bits of y where x is set, of z elsewhere.
    fn choose(x: Self, y: Self, z: Self) -> Self;

    /// P0 (GB/T 32905-2016, 4.4).
    #[inline(always)]
    fn p0(self) -> Self {
        Self::parity(self, self.rotate::<9, 23>(), self.rotate::<17, 15>())
    }

    /// P1 (GB/T 32905-2016, 4.4).
    #[inline(always)]
    fn p1(self) -> Self {
        Self::parity(self, self.rotate::<15, 17>(), self.rotate::<23, 9>())
    }
}
