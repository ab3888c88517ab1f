//! Several 64-bit numbers side by side, and what one instruction does to all of them.
//!
//! The arithmetic of [`wide`](super) is written over this trait once. AVX-512 implements it with one
//! instruction each (`sm2/arch/avx512.rs`); [`Emulated`] in plain Rust, so that tests run everywhere.

use core::ops::{BitAnd, Not};

/// Most numbers of any implementation.
pub const MOST: usize = 16;

/// An array of that value for each limb, of which there are five.
///
/// The closure of `map` or `from_fn` would be a function of its own, without the instructions of the
/// back-end, and whether it is inlined all the same is up to chance.
macro_rules! five {
    ($limb:ident => $value:expr) => {
        [
            {
                let $limb = 0;
                $value
            },
            {
                let $limb = 1;
                $value
            },
            {
                let $limb = 2;
                $value
            },
            {
                let $limb = 3;
                $value
            },
            {
                let $limb = 4;
                $value
            },
        ]
    };
}
pub(super) use five;

/// Numbers side by side. No operation takes longer for some values than for others.
pub trait Lanes: Copy {
    /// One bit for each lane.
    type Mask: Copy + BitAnd<Output = Self::Mask> + Not<Output = Self::Mask>;
    /// How many numbers.
    const COUNT: usize;

    /// The same number in each lane.
    fn splat(value: u64) -> Self;
    /// That number in that lane.
    fn from_fn(value: impl FnMut(usize) -> u64) -> Self;
    /// Writes the numbers to a slice of `COUNT`.
    fn store(self, out: &mut [u64]);

    /// The sum modulo 2^64.
    fn plus(self, other: Self) -> Self;
    /// The difference modulo 2^64.
    fn minus(self, other: Self) -> Self;
    /// Bits that are in both.
    fn and(self, other: Self) -> Self;
    /// Bits that are in one or both.
    fn or(self, other: Self) -> Self;
    /// Moved up by `BITS`.
    fn left<const BITS: u32>(self) -> Self;
    /// Moved down by `BITS`, with zeros from above.
    fn right<const BITS: u32>(self) -> Self;
    /// Moved up by a number of bits that is public.
    fn left_by(self, bits: u32) -> Self;
    /// Moved down by a number of bits that is public, with zeros from above.
    fn right_by(self, bits: u32) -> Self;
    /// Moved down by `BITS`, with copies of the highest bit from above.
    fn right_signed<const BITS: u32>(self) -> Self;

    /// The sum with bits 0 to 51 of the product of the 52 lowest bits of each factor.
    fn plus_low(self, a: Self, b: Self) -> Self;
    /// The sum with bits 52 to 103 of that product.
    fn plus_high(self, a: Self, b: Self) -> Self;

    /// Lanes in which the numbers are equal.
    fn equal(self, other: Self) -> Self::Mask;
    /// `a` in the lanes of the mask, `b` in the others.
    fn select(mask: Self::Mask, a: Self, b: Self) -> Self;
    /// The numbers of lanes that many places apart, a power of two, exchanged.
    fn swapped<const DISTANCE: usize>(self) -> Self;
    /// In each lane the entry that its number, below 64, names; every entry is read.
    fn pick(table: &[u64; 64], index: Self) -> Self;

    /// The product of [`field`](super::field), compiled once for such lanes.
    #[inline(always)]
    fn product(a: &[Self; 5], b: &[Self; 5]) -> [Self; 5] {
        super::field::product(a, b)
    }

    /// The square of [`field`](super::field), compiled once for such lanes.
    #[inline(always)]
    fn square(a: &[Self; 5]) -> [Self; 5] {
        super::field::square(a)
    }

    /// The product for twice as many lanes.
    #[inline(always)]
    fn product_of_two(a: &[Twice<Self>; 5], b: &[Twice<Self>; 5]) -> [Twice<Self>; 5] {
        let first = Self::product(&five!(i => a[i].0), &five!(i => b[i].0));
        let second = Self::product(&five!(i => a[i].1), &five!(i => b[i].1));
        five!(i => Twice(first[i], second[i]))
    }

    /// The square for twice as many lanes.
    #[inline(always)]
    fn square_of_two(a: &[Twice<Self>; 5]) -> [Twice<Self>; 5] {
        let first = Self::square(&five!(i => a[i].0));
        let second = Self::square(&five!(i => a[i].1));
        five!(i => Twice(first[i], second[i]))
    }
}

/// The lanes of two, so that one computes while the other waits for its results.
#[derive(Clone, Copy)]
pub struct Twice<T>(pub T, pub T);

impl<T: BitAnd<Output = T>> BitAnd for Twice<T> {
    type Output = Self;

    #[inline(always)]
    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0, self.1 & other.1)
    }
}

impl<T: Not<Output = T>> Not for Twice<T> {
    type Output = Self;

    #[inline(always)]
    fn not(self) -> Self {
        Self(!self.0, !self.1)
    }
}

impl<L: Lanes> Lanes for Twice<L> {
    type Mask = Twice<L::Mask>;
    const COUNT: usize = 2 * L::COUNT;

    #[inline(always)]
    fn splat(value: u64) -> Self {
        Self(L::splat(value), L::splat(value))
    }

    #[inline(always)]
    fn from_fn(mut value: impl FnMut(usize) -> u64) -> Self {
        let first = L::from_fn(&mut value);
        Self(first, L::from_fn(|lane| value(L::COUNT + lane)))
    }

    #[inline(always)]
    fn store(self, out: &mut [u64]) {
        let (first, second) = out.split_at_mut(L::COUNT);
        self.0.store(first);
        self.1.store(second);
    }

    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        Self(self.0.plus(other.0), self.1.plus(other.1))
    }

    #[inline(always)]
    fn minus(self, other: Self) -> Self {
        Self(self.0.minus(other.0), self.1.minus(other.1))
    }

    #[inline(always)]
    fn and(self, other: Self) -> Self {
        Self(self.0.and(other.0), self.1.and(other.1))
    }

    #[inline(always)]
    fn or(self, other: Self) -> Self {
        Self(self.0.or(other.0), self.1.or(other.1))
    }

    #[inline(always)]
    fn left<const BITS: u32>(self) -> Self {
        Self(self.0.left::<BITS>(), self.1.left::<BITS>())
    }

    #[inline(always)]
    fn right<const BITS: u32>(self) -> Self {
        Self(self.0.right::<BITS>(), self.1.right::<BITS>())
    }

    #[inline(always)]
    fn left_by(self, bits: u32) -> Self {
        Self(self.0.left_by(bits), self.1.left_by(bits))
    }

    #[inline(always)]
    fn right_by(self, bits: u32) -> Self {
        Self(self.0.right_by(bits), self.1.right_by(bits))
    }

    #[inline(always)]
    fn right_signed<const BITS: u32>(self) -> Self {
        Self(self.0.right_signed::<BITS>(), self.1.right_signed::<BITS>())
    }

    #[inline(always)]
    fn plus_low(self, a: Self, b: Self) -> Self {
        Self(self.0.plus_low(a.0, b.0), self.1.plus_low(a.1, b.1))
    }

    #[inline(always)]
    fn plus_high(self, a: Self, b: Self) -> Self {
        Self(self.0.plus_high(a.0, b.0), self.1.plus_high(a.1, b.1))
    }

    #[inline(always)]
    fn equal(self, other: Self) -> Self::Mask {
        Twice(self.0.equal(other.0), self.1.equal(other.1))
    }

    #[inline(always)]
    fn select(mask: Self::Mask, a: Self, b: Self) -> Self {
        Self(L::select(mask.0, a.0, b.0), L::select(mask.1, a.1, b.1))
    }

    #[inline(always)]
    fn swapped<const DISTANCE: usize>(self) -> Self {
        Self(self.0.swapped::<DISTANCE>(), self.1.swapped::<DISTANCE>())
    }

    #[inline(always)]
    fn pick(table: &[u64; 64], index: Self) -> Self {
        Self(L::pick(table, index.0), L::pick(table, index.1))
    }

    #[inline(always)]
    fn product(a: &[Self; 5], b: &[Self; 5]) -> [Self; 5] {
        L::product_of_two(a, b)
    }

    #[inline(always)]
    fn square(a: &[Self; 5]) -> [Self; 5] {
        L::square_of_two(a)
    }
}

/// Eight lanes in plain Rust: for tests, not for speed. Nothing is inlined, else it compiles for minutes.
#[cfg(test)]
#[derive(Clone, Copy, Debug)]
pub struct Emulated([u64; 8]);

#[cfg(test)]
impl Lanes for Emulated {
    type Mask = u8;
    const COUNT: usize = 8;

    #[inline(never)]
    fn splat(value: u64) -> Self {
        Self([value; 8])
    }

    #[inline(never)]
    fn from_fn(value: impl FnMut(usize) -> u64) -> Self {
        Self(core::array::from_fn(value))
    }

    #[inline(never)]
    fn store(self, out: &mut [u64]) {
        out.copy_from_slice(&self.0);
    }

    #[inline(never)]
    fn plus(self, other: Self) -> Self {
        self.zip(other, u64::wrapping_add)
    }

    #[inline(never)]
    fn minus(self, other: Self) -> Self {
        self.zip(other, u64::wrapping_sub)
    }

    #[inline(never)]
    fn and(self, other: Self) -> Self {
        self.zip(other, |a, b| a & b)
    }

    #[inline(never)]
    fn or(self, other: Self) -> Self {
        self.zip(other, |a, b| a | b)
    }

    #[inline(never)]
    fn left<const BITS: u32>(self) -> Self {
        Self(self.0.map(|value| value << BITS))
    }

    #[inline(never)]
    fn right<const BITS: u32>(self) -> Self {
        Self(self.0.map(|value| value >> BITS))
    }

    #[inline(never)]
    fn left_by(self, bits: u32) -> Self {
        Self(self.0.map(|value| value << bits))
    }

    #[inline(never)]
    fn right_by(self, bits: u32) -> Self {
        Self(self.0.map(|value| value >> bits))
    }

    #[inline(never)]
    fn right_signed<const BITS: u32>(self) -> Self {
        Self(self.0.map(|value| (value as i64 >> BITS) as u64))
    }

    #[inline(never)]
    fn plus_low(self, a: Self, b: Self) -> Self {
        self.zip(a.zip(b, |a, b| product(a, b) as u64 & LOW), u64::wrapping_add)
    }

    #[inline(never)]
    fn plus_high(self, a: Self, b: Self) -> Self {
        self.zip(a.zip(b, |a, b| (product(a, b) >> 52) as u64), u64::wrapping_add)
    }

    #[inline(never)]
    fn equal(self, other: Self) -> u8 {
        (0..8).fold(0, |mask, lane| mask | u8::from(self.0[lane] == other.0[lane]) << lane)
    }

    #[inline(never)]
    fn select(mask: u8, a: Self, b: Self) -> Self {
        // Memcheck watches this: else the compiler would choose between two addresses.
        let bit = |lane: usize| core::hint::black_box(u64::from(mask >> lane & 1));
        Self::from_fn(|lane| crate::ct::select(bit(lane).wrapping_neg(), a.0[lane], b.0[lane]))
    }

    #[inline(never)]
    fn swapped<const DISTANCE: usize>(self) -> Self {
        Self::from_fn(|lane| self.0[lane ^ DISTANCE])
    }

    #[inline(never)]
    fn pick(table: &[u64; 64], index: Self) -> Self {
        Self(index.0.map(|index| table[index as usize]))
    }

    #[inline(never)]
    fn product(a: &[Self; 5], b: &[Self; 5]) -> [Self; 5] {
        super::field::product(a, b)
    }

    #[inline(never)]
    fn square(a: &[Self; 5]) -> [Self; 5] {
        super::field::square(a)
    }
}

#[cfg(test)]
impl Emulated {
    #[inline(never)]
    fn zip(self, other: Self, act: impl Fn(u64, u64) -> u64) -> Self {
        Self::from_fn(|lane| act(self.0[lane], other.0[lane]))
    }
}

#[cfg(test)]
const LOW: u64 = (1 << 52) - 1;

#[cfg(test)]
fn product(a: u64, b: u64) -> u128 {
    u128::from(a & LOW) * u128::from(b & LOW)
}
