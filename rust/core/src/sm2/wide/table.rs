//! Multiples of the base point, laid out so that one register holds eight of them.

use super::field::Sum;
use super::lanes::Lanes;
use super::multiply::{self, first_multiples};
use super::point::Affine;
use crate::sm2::multiply as scalar_multiply;
use crate::sm2::point::G;
use crate::sm2::scalar::Scalar;

/// Bits of a window.
pub const WIDTH: u32 = 7;
/// Windows that cover 256 bits and the sign.
const WINDOWS: usize = 37;
const MULTIPLES: usize = 1 << (WIDTH - 1);

/// Of each window i the multiples (j + 1) · 2^(7 i) · G, limb by limb, four of x and four of y: 148 KiB.
pub type BaseTable = [[[u64; MULTIPLES]; 8]; WINDOWS];

/// The table, a window in each lane.
#[inline(always)]
pub fn make<L: Lanes>() -> Box<BaseTable> {
    let mut table = Box::new([[[0; MULTIPLES]; 8]; WINDOWS]);
    let firsts: [_; WINDOWS] =
        core::array::from_fn(|window| scalar_multiply::base(&lowest_of(window)).unwrap_or(G));
    for (group, windows) in firsts.chunks(L::COUNT).zip(table.chunks_mut(L::COUNT)) {
        let first = Affine::<L>::gather(|lane| &group[lane.min(group.len() - 1)]);
        let multiples = multiply::to_affine_together(&first_multiples(&first, MULTIPLES));
        for (number, multiple) in multiples.iter().enumerate() {
            let mut lane = windows.iter_mut();
            multiply::scatter(multiple, |point| {
                let Some(window) = lane.next() else { return };
                let limbs = point.x.0.into_iter().chain(point.y.0);
                window.iter_mut().zip(limbs).for_each(|(row, limb)| row[number] = limb);
            });
        }
    }
    table
}

/// 2^(7 i)
fn lowest_of(window: usize) -> Scalar {
    let bit = window * WIDTH as usize;
    let mut power = Scalar::default();
    power.0[bit / 64] = 1 << (bit % 64);
    power
}

/// The base point in each lane.
#[inline(always)]
pub fn generator<L: Lanes>() -> Affine<L> {
    Affine::gather(|_| &G)
}

/// In each lane the multiple of that magnitude, any for magnitude 0, its y negated where `negative`.
#[inline(always)]
pub fn look_up<L: Lanes>(
    multiples: &[[u64; MULTIPLES]; 8],
    magnitude: L,
    negative: L::Mask,
) -> Affine<L> {
    let index = magnitude.minus(L::splat(1)).and(L::splat(MULTIPLES as u64 - 1));
    let [x, y] = [0, 4].map(|first| {
        Sum::unpacked(core::array::from_fn(|limb| L::pick(&multiples[first + limb], index)))
    });
    Affine { x: x.to_factor(), y: y.negated_where(negative).to_factor() }
}
