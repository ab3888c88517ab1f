//! The prime field in several lanes: five limbs of 52 bits, Montgomery form with R = 2^260.
//!
//! A product leaves sums in its limbs that are not carried yet, and sums and differences carry nothing
//! at all: [`Sum`] is such a number, with signed limbs. Before it can be a factor it is brought back to
//! limbs of 52 bits, a [`Factor`], below 2.01 p. Of two such, the product is below 1.26 p.

use super::lanes::{self, Lanes, Twice, five};
use crate::sm2::fault::{self, Place};
use crate::sm2::field::{Fe, P};
use crate::sm2::limbs::{self, Limbs};

const LOW: u64 = (1 << 52) - 1;

/// What can be multiplied: limbs of 52 bits, the number below 2.01 p.
#[derive(Clone, Copy)]
pub struct Factor<L>([L; 5]);

/// Signed limbs below 2^62 in magnitude; the number is any, also a negative one.
#[derive(Clone, Copy)]
pub struct Sum<L>([L; 5]);

impl<L: Lanes> Factor<L> {
    /// 1
    #[inline(always)]
    pub fn one() -> Self {
        // 2^260 = 16 · 2^256 = 16 (2^224 + 2^96 - 2^64 + 1) mod p
        Self::constant([16, (1 << 48) - (1 << 16), 0, 0, 1 << 20])
    }

    #[inline(always)]
    fn constant(limbs: [u64; 5]) -> Self {
        Self(five!(limb => L::splat(limbs[limb])))
    }

    /// In each lane the element that `value` gives for it.
    #[inline(always)]
    pub fn gather<'a>(value: impl Fn(usize) -> &'a Fe) -> Self {
        let limbs = core::array::from_fn(|limb| L::from_fn(|lane| value(lane).0[limb]));
        Sum::unpacked(limbs).to_factor()
    }

    /// From a number of four 64-bit limbs that stands for itself, not in Montgomery form.
    #[inline(always)]
    pub fn gather_plain<'a>(value: impl Fn(usize) -> &'a Limbs) -> Self {
        let limbs = core::array::from_fn(|limb| L::from_fn(|lane| value(lane)[limb]));
        // What is unpacked is 16 times the number.
        let square = Self::constant(R_SQUARED_BY_16);
        Sum::unpacked(limbs).to_factor().times(&square).to_factor_quickly()
    }

    /// From four 64-bit limbs, below p, in Montgomery form with R = 2^260.
    #[inline(always)]
    pub fn packed([a, b, c, d]: [L; 4]) -> Self {
        let low = L::splat(LOW);
        Self([
            a.and(low),
            a.right::<52>().or(b.left::<12>()).and(low),
            b.right::<40>().or(c.left::<24>()).and(low),
            c.right::<28>().or(d.left::<36>()).and(low),
            d.right::<16>(),
        ])
    }

    /// The elements, each fully reduced, lane after lane.
    #[inline(always)]
    pub fn scatter(&self, mut out: impl FnMut(usize, Fe)) {
        // Times 2^256: from R = 2^260 to R = 2^256
        let value = self.times(&Self::constant([0, 0, 0, 0, 1 << 48])).to_factor_quickly();
        let [a, b, c, d, e] = value.0;
        let words = [
            a.or(b.left::<52>()),
            b.right::<12>().or(c.left::<40>()),
            c.right::<24>().or(d.left::<28>()),
            d.right::<36>().or(e.left::<16>()),
            e.right::<48>(),
        ];
        let mut columns = [[0u64; lanes::MOST]; 5];
        for (column, word) in columns.iter_mut().zip(words) {
            word.store(&mut column[..L::COUNT]);
        }
        let [a, b, c, d, above] = &columns;
        for lane in 0..L::COUNT {
            let packed = [a[lane], b[lane], c[lane], d[lane]];
            out(lane, Fe(limbs::reduce_once(&packed, above[lane], &P)));
        }
    }

    /// A place at which a test may change the number in the first lane.
    #[inline(always)]
    pub fn strike(&mut self, place: Place) {
        if cfg!(test) {
            let mut turned = [0; 4];
            fault::strike(place, &mut turned);
            for (word, bits) in turned.into_iter().enumerate().filter(|(_, bits)| *bits != 0) {
                let bit = 64 * word + bits.trailing_zeros() as usize;
                let change = |lane| if lane == 0 { 1 << (bit % 52) } else { 0 };
                let limb = &mut self.0[bit / 52];
                *limb = limb.plus(L::from_fn(change)).and(L::splat(LOW));
            }
        }
    }

    /// The product.
    #[inline(always)]
    pub fn times(&self, other: &Self) -> Sum<L> {
        Sum(L::product(&self.0, &other.0))
    }

    /// The square.
    #[inline(always)]
    pub fn squared(&self) -> Sum<L> {
        Sum(L::square(&self.0))
    }

    /// The cube.
    #[inline(always)]
    pub fn cubed(&self) -> Self {
        self.squared().to_factor_quickly().times(self).to_factor_quickly()
    }

    /// The same number, to be added.
    #[inline(always)]
    pub fn to_sum(&self) -> Sum<L> {
        Sum(self.0)
    }

    /// `a` in the lanes of the mask, `b` in the others.
    #[inline(always)]
    pub fn select(mask: L::Mask, a: &Self, b: &Self) -> Self {
        Self(five!(limb => L::select(mask, a.0[limb], b.0[limb])))
    }

    /// The negative in the lanes of the mask, the number itself in the others; it is at most p.
    #[inline(always)]
    pub fn negated_where(&self, mask: L::Mask) -> Self {
        let opposite = Self::constant(const { times_p(1) }).to_sum().minus(&self.to_sum());
        Self::select(mask, &Self(opposite.0), self).to_sum().to_factor_quickly()
    }

    /// The numbers of lanes that many places apart, exchanged.
    #[inline(always)]
    pub fn swapped<const DISTANCE: usize>(&self) -> Self {
        Self(five!(limb => self.0[limb].swapped::<DISTANCE>()))
    }

    /// The inverse, zero for zero, by Fermat: the exponent p - 2 is public and fixed.
    #[inline(always)]
    pub fn invert(&self) -> Self {
        // As in the scalar field: xN is the power 2^N - 1.
        let x1 = *self;
        let x2 = x1.chain(1, &x1);
        let x3 = x2.chain(1, &x1);
        let x6 = x3.chain(3, &x3);
        let x12 = x6.chain(6, &x6);
        let x15 = x12.chain(3, &x3);
        let x30 = x15.chain(15, &x15);
        let x31 = x30.chain(1, &x1);
        let x32 = x31.chain(1, &x1);
        let mut r = x31.chain(33, &x32);
        for squarings in [32, 32, 32, 64] {
            r = r.chain(squarings, &x32);
        }
        r.chain(30, &x30).chain(2, &x1)
    }

    /// `self^(2^times) · other`
    #[inline(always)]
    fn chain(&self, times: usize, other: &Self) -> Self {
        let mut power = *self;
        for _ in 0..times {
            power = power.squared().to_factor_quickly();
        }
        power.times(other).to_factor_quickly()
    }
}

impl<L: Lanes> Sum<L> {
    /// The element of four 64-bit limbs with R = 2^256: 16 times as much with R = 2^260.
    #[inline(always)]
    pub fn unpacked([a, b, c, d]: [L; 4]) -> Self {
        let low = L::splat(LOW);
        Self([
            a.left::<4>().and(low),
            a.right::<48>().or(b.left::<16>()).and(low),
            b.right::<36>().or(c.left::<28>()).and(low),
            c.right::<24>().or(d.left::<40>()).and(low),
            d.right::<12>(),
        ])
    }

    /// The sum.
    #[inline(always)]
    pub fn plus(&self, other: &Self) -> Self {
        Self(five!(limb => self.0[limb].plus(other.0[limb])))
    }

    /// The difference.
    #[inline(always)]
    pub fn minus(&self, other: &Self) -> Self {
        Self(five!(limb => self.0[limb].minus(other.0[limb])))
    }

    /// Times 2^BITS.
    #[inline(always)]
    pub fn shifted<const BITS: u32>(&self) -> Self {
        Self(five!(limb => self.0[limb].left::<BITS>()))
    }

    /// The negative in the lanes of the mask, the number itself in the others.
    #[inline(always)]
    pub fn negated_where(&self, mask: L::Mask) -> Self {
        Self(five!(limb => L::select(mask, L::splat(0).minus(self.0[limb]), self.0[limb])))
    }

    /// The numbers of lanes that many places apart, exchanged.
    #[inline(always)]
    pub fn swapped<const DISTANCE: usize>(&self) -> Self {
        Self(five!(limb => self.0[limb].swapped::<DISTANCE>()))
    }

    /// `a` in the lanes of the mask, `b` in the others.
    #[inline(always)]
    pub fn select(mask: L::Mask, a: &Self, b: &Self) -> Self {
        Self(five!(limb => L::select(mask, a.0[limb], b.0[limb])))
    }

    /// The same number modulo p as a factor: what stands above bit 256, less one so that the number
    /// stays positive, comes back as that many times 2^256 mod p.
    #[inline(always)]
    pub fn to_factor(&self) -> Factor<L> {
        let [l0, l1, l2, l3, l4] = self.0;
        let above = l4.right_signed::<48>().minus(L::splat(1));
        let rest = l4.minus(above.left::<48>());
        Self([
            l0.plus(above),
            l1.plus(above.left::<44>()).minus(above.left::<12>()),
            l2,
            l3,
            rest.plus(above.left::<16>()),
        ])
        .to_factor_quickly()
    }

    /// The same for what is known to be from 0 to 2.01 p, as a product is: the carries are enough.
    #[inline(always)]
    pub fn to_factor_quickly(&self) -> Factor<L> {
        let mut limbs = self.0;
        for limb in 0..4 {
            let carry = limbs[limb].right_signed::<52>();
            limbs[limb] = limbs[limb].and(L::splat(LOW));
            limbs[limb + 1] = limbs[limb + 1].plus(carry);
        }
        Factor(limbs)
    }

    /// Lanes in which the number is a multiple of p.
    #[inline(always)]
    pub fn is_zero(&self) -> L::Mask {
        let limbs = self.to_factor().0;
        let [zero, once, twice] = [[0; 5], const { times_p(1) }, const { times_p(2) }];
        let (zero, once) = (are_equal(&limbs, zero), are_equal(&limbs, once));
        !(!zero & !once & !are_equal(&limbs, twice))
    }
}

/// Lanes in which the limbs are those.
#[inline(always)]
fn are_equal<L: Lanes>(limbs: &[L; 5], number: [u64; 5]) -> L::Mask {
    let [a, b, c, d, e] = five!(limb => limbs[limb].equal(L::splat(number[limb])));
    a & b & c & d & e
}

impl<L: Lanes> Factor<Twice<L>> {
    /// The numbers of the first lanes, and those of the others.
    #[inline(always)]
    pub fn halves(&self) -> (Factor<L>, Factor<L>) {
        (Factor(five!(limb => self.0[limb].0)), Factor(five!(limb => self.0[limb].1)))
    }
}

/// The Montgomery product, not carried. p = -1 modulo 2^52, so that the multiple of p that clears a
/// limb is that limb itself, and (p + 1) / 2^52 = 2^204 - 2^172 - 2^44 + 2^12.
#[inline(always)]
pub fn product<L: Lanes>(a: &[L; 5], b: &[L; 5]) -> [L; 5] {
    let mut columns = [L::splat(0); 10];
    for i in 0..5 {
        for j in 0..5 {
            columns[i + j] = columns[i + j].plus_low(a[i], b[j]);
            columns[i + j + 1] = columns[i + j + 1].plus_high(a[i], b[j]);
        }
    }
    reduce(columns)
}

/// The same for equal factors: each mixed product once, then doubled.
#[inline(always)]
pub fn square<L: Lanes>(a: &[L; 5]) -> [L; 5] {
    let mut columns = [L::splat(0); 10];
    for i in 0..5 {
        for j in i + 1..5 {
            columns[i + j] = columns[i + j].plus_low(a[i], a[j]);
            columns[i + j + 1] = columns[i + j + 1].plus_high(a[i], a[j]);
        }
    }
    for column in &mut columns[1..9] {
        *column = column.plus(*column);
    }
    for i in 0..5 {
        columns[2 * i] = columns[2 * i].plus_low(a[i], a[i]);
        columns[2 * i + 1] = columns[2 * i + 1].plus_high(a[i], a[i]);
    }
    reduce(columns)
}

#[inline(always)]
fn reduce<L: Lanes>(mut columns: [L; 10]) -> [L; 5] {
    // 2^52 more than 2^12 - 2^44, for which the limb is subtracted one place above
    let lower = L::splat((1 << 52) - (1 << 44) + (1 << 12));
    let upper = L::splat((1 << 48) - (1 << 16));
    for i in 0..5 {
        let limb = columns[i].and(L::splat(LOW));
        let carry = columns[i].right_signed::<52>();
        columns[i + 1] = columns[i + 1].plus(carry).plus_low(limb, lower);
        columns[i + 2] = columns[i + 2].minus(limb).plus_high(limb, lower);
        columns[i + 4] = columns[i + 4].plus_low(limb, upper);
        columns[i + 5] = columns[i + 5].plus_high(limb, upper);
    }
    let [_, _, _, _, _, a, b, c, d, e] = columns;
    [a, b, c, d, e]
}

/// `times` p in limbs of 52 bits.
const fn times_p(times: u64) -> [u64; 5] {
    let mut limbs = [
        P[0] & LOW,
        (P[0] >> 52 | P[1] << 12) & LOW,
        (P[1] >> 40 | P[2] << 24) & LOW,
        (P[2] >> 28 | P[3] << 36) & LOW,
        P[3] >> 16,
    ];
    let (mut limb, mut carry) = (0, 0);
    while limb < 5 {
        let value = limbs[limb] * times + carry;
        limbs[limb] = value & LOW;
        carry = value >> 52;
        limb += 1;
    }
    limbs
}

/// 2^516 mod p
const R_SQUARED_BY_16: [u64; 5] =
    [0x20_0000_0030, 0x2_ffff_ffff_0000, 0x1000_0000, 0x200_0000_0100, 0x40_0000];
