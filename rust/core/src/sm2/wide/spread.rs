//! One multiple of the base point, its windows spread over sixteen lanes.
//!
//! The scalar, as odd digits (see [`OddDigits`]), is cut into sixteen pieces of sixteen bits; each lane
//! sums the multiples of its piece, four windows of four bits, and then the lanes are added to each
//! other, the halves of what is left each time.
//!
//! No addition meets equal or opposite points. In a lane, a sum is an odd number and what is added an
//! odd number times a power of two, so that neither their sum nor their difference is zero. The same
//! holds of lanes that are added, and only in the last addition the magnitude can reach n. There
//! u + v is the odd one of k and n - k, thus n for k = 0 alone, which gives infinity as it must.
//! And u - v = -n would make -u the sum of those digits of n itself: a number has one set of them. Their
//! highest ends below bit 224 of n, a zero, which makes them negative; then k would be n + 2 u, above n.

use zeroize::Zeroizing;

use super::field::Factor;
use super::known;
use super::lanes::{Lanes, Twice};
use super::point::{Affine, Extended};
use crate::sm2::fault::Place;
use crate::sm2::field::{Arithmetic, Fe, Portable};
use crate::sm2::limbs::Limbs;
use crate::sm2::multiply::OddDigits;
use crate::sm2::point::{self as scalar_point, G};
use crate::sm2::scalar::Scalar;
use crate::sm2::tables::{self, Windows};

/// Pieces of a scalar, one for each lane.
const PIECES: usize = 16;
/// Bits of a window.
const WIDTH: u32 = 4;
/// Windows of a piece.
const WINDOWS: usize = 4;
/// The highest bit of a window.
const HIGHEST: u64 = 1 << (WIDTH - 1);
/// Odd multiples up to 2^WIDTH.
const MULTIPLES: usize = 1 << (WIDTH - 1);

/// Of each window i of a piece the multiples (2 j + 1) · 2^(16 m + 4 i) · G, limb by limb, four of x and
/// four of y, those of all pieces m side by side: 32 KiB. Montgomery form is that of the lanes.
#[repr(align(64))]
pub struct Table([[[[u64; PIECES]; 8]; MULTIPLES]; WINDOWS]);

/// The table: 512 points, and one inversion.
pub fn make_table<A: Arithmetic>() -> Box<Table> {
    let points = tables::odd_multiples_of_powers::<A, MULTIPLES>(&G, WINDOWS * PIECES, WIDTH);
    let mut table = Box::new(Table([[[[0; PIECES]; 8]; MULTIPLES]; WINDOWS]));
    for (power, multiples) in points.chunks_exact(MULTIPLES).enumerate() {
        let (piece, window) = (power / WINDOWS, power % WINDOWS);
        for (entry, point) in table.0[window].iter_mut().zip(multiples) {
            let (x, y) = (in_lanes(&point.x), in_lanes(&point.y));
            entry.iter_mut().zip(x.into_iter().chain(y)).for_each(|(row, limb)| row[piece] = limb);
        }
    }
    table
}

/// 16 times as much: from R = 2^256 to R = 2^260.
fn in_lanes(element: &Fe) -> Limbs {
    (0..4).fold(*element, |value, _| Portable::add(&value, &value)).0
}

/// [k] G in constant time; infinity for k = 0. L has eight lanes.
#[inline(always)]
pub fn base<L: Lanes>(k: &Scalar, table: &Table) -> scalar_point::Extended {
    total(multiples_of_base::<L>(k, table))
}

/// [s] G + [t] P, given the windows of P, t not 0. Where an addition met equal points, which happens
/// only to who looks for it, the result is infinity. Public values only. L has eight lanes.
#[inline(always)]
pub fn sum_with_known<L: Lanes>(
    s: &Scalar,
    t: &Scalar,
    windows: &Windows,
    table: &Table,
) -> scalar_point::Extended {
    let of_point = known::multiples_of_pieces::<L>(&known::Digits::of(t), windows);
    let mut sum = multiples_of_base::<L>(s, table);
    sum.add(&of_point.to_extended());
    total(sum)
}

/// The multiples of G for each two pieces; their sum is [k] G.
#[inline(always)]
fn multiples_of_base<L: Lanes>(k: &Scalar, table: &Table) -> Extended<L> {
    let pieces = Pieces::<Twice<L>>::of(k);
    let first = pieces.look_up(table, 0);
    let mut sum = Extended::of_two(&first, &pieces.look_up(table, 1));
    sum.x.strike(Place::Sum(1));
    for window in 2..WINDOWS {
        sum.add_affine(&pieces.look_up(table, window));
        sum.x.strike(Place::Sum(window as u32));
    }
    let (mut sum, other) = sum.halves();
    sum.add(&other);
    sum.x.strike(Place::Sum(4));
    sum
}

/// The sum of eight lanes.
#[inline(always)]
fn total<L: Lanes>(mut sum: Extended<L>) -> scalar_point::Extended {
    sum.add_across::<4>();
    sum.x.strike(Place::Sum(5));
    sum.add_across::<1>();
    sum.x.strike(Place::Sum(6));
    sum.add_across::<2>();
    sum.x.strike(Place::Sum(7));
    sum.first_lane()
}

/// The bits that make the digits of a scalar, a piece in each lane.
struct Pieces<L: Lanes> {
    bits: L,
    /// In all lanes what the highest bit of a window is where the digit is negative, those of n - k
    /// being taken for the opposite ones of k.
    negative: L,
}

impl<L: Lanes> Pieces<L> {
    #[inline(always)]
    fn of(k: &Scalar) -> Self {
        let digits = OddDigits::of(k, 256);
        let halved = Zeroizing::new(digits.halved());
        let bits = |piece: usize| halved[piece / 4] >> (16 * (piece % 4)) & 0xffff;
        Self { bits: L::from_fn(bits), negative: L::splat(HIGHEST & digits.negated()) }
    }

    /// The digits of a window of all pieces, times their powers of two and G; every entry is read.
    #[inline(always)]
    fn look_up(&self, table: &Table, window: usize) -> Affine<L> {
        let low = L::splat(HIGHEST - 1);
        let bits = self.bits.right_by(WIDTH * window as u32);
        let (highest, rest) = (bits.and(L::splat(HIGHEST)), bits.and(low));
        let index = L::select(highest.equal(L::splat(0)), low.minus(rest), rest);
        let mut found = [L::splat(0); 8];
        for (number, entry) in (0..).zip(&table.0[window]) {
            let here = index.equal(L::splat(number));
            for limb in 0..8 {
                let candidate = L::from_fn(|lane| entry[limb][lane]);
                found[limb] = L::select(here, candidate, found[limb]);
            }
        }
        let [x0, x1, x2, x3, y0, y1, y2, y3] = found;
        let y = Factor::packed([y0, y1, y2, y3]).negated_where(highest.equal(self.negative));
        Affine { x: Factor::packed([x0, x1, x2, x3]), y }
    }
}
