//! Multiples of points whose tables are at hand, one in each lane. Public values only: what is read
//! depends on them.

use super::lanes::{self, Lanes};
use super::point::{Affine, Jacobian};
use crate::sm2::multiply::OddDigits;
use crate::sm2::scalar::Scalar;
use crate::sm2::tables::{PIECES, SPAN, Windows};

/// Bits of a window; the highest of a piece has what is left of its bits.
const WIDTH: usize = 5;
/// Windows of a piece.
const WINDOWS: usize = SPAN.div_ceil(WIDTH);

/// The odd digits of a number: windows of the pieces into which the tables cut it.
#[derive(Clone, Copy)]
pub struct Digits {
    /// Half of each magnitude, rounded down.
    halves: [[u8; PIECES]; WINDOWS],
    /// One where the digit is negative.
    signs: [[u8; PIECES]; WINDOWS],
}

impl Digits {
    /// Those of that number.
    pub fn of(t: &Scalar) -> Self {
        let digits = OddDigits::of(t, (PIECES * SPAN) as u32);
        let mut found = Self { halves: [[0; PIECES]; WINDOWS], signs: [[0; PIECES]; WINDOWS] };
        for window in 0..WINDOWS {
            let width = WIDTH.min(SPAN - window * WIDTH) as u32;
            for piece in 0..PIECES {
                let (half, sign) = digits.at((piece * SPAN + window * WIDTH) as u32, width);
                found.halves[window][piece] = half as u8;
                found.signs[window][piece] = ((sign ^ digits.negated()) & 1) as u8;
            }
        }
        found
    }
}

/// The number times the point, of which there are the windows. Where a sum on the way was infinity, or
/// equal points were to be added, which happens only to who looks for it, the result is infinity.
#[inline(always)]
pub fn multiple<'a, L: Lanes>(
    digits: &[Digits; lanes::MOST],
    windows: impl Fn(usize) -> &'a Windows + Copy,
) -> Jacobian<L> {
    let own = |window, piece| look_up::<L>(window, |lane| (&digits[lane], windows(lane), piece));
    let mut sum = own(WINDOWS - 1, 0).to_jacobian();
    for window in (0..WINDOWS).rev() {
        let is_first = window == WINDOWS - 1;
        if !is_first {
            for _ in 0..WIDTH {
                sum = sum.double();
            }
        }
        for piece in usize::from(is_first)..PIECES {
            sum = sum.add_affine_distinct(&own(window, piece));
        }
    }
    sum
}

/// Of one number the multiples for each of its eight pieces, a lane for each; their sum is the number
/// times the point. They are odd below n, so that no addition meets equal or opposite points.
#[inline(always)]
pub fn multiples_of_pieces<L: Lanes>(digits: &Digits, windows: &Windows) -> Jacobian<L> {
    let mut sum = look_up::<L>(WINDOWS - 1, |lane| (digits, windows, lane)).to_jacobian();
    for window in (0..WINDOWS - 1).rev() {
        for _ in 0..WIDTH {
            sum = sum.double();
        }
        sum = sum.add_affine_distinct(&look_up(window, |lane| (digits, windows, lane)));
    }
    sum
}

/// In each lane the multiple for the digit of that window: of which number, by which windows, and of
/// which piece, `choice` tells.
#[inline(always)]
fn look_up<'a, L: Lanes>(
    window: usize,
    choice: impl Fn(usize) -> (&'a Digits, &'a Windows, usize),
) -> Affine<L> {
    let found = Affine::<L>::gather(|lane| {
        let (digits, windows, piece) = choice(lane);
        &windows[piece][usize::from(digits.halves[window][piece])]
    });
    let sign = L::from_fn(|lane| {
        let (digits, _, piece) = choice(lane);
        u64::from(digits.signs[window][piece])
    });
    let y = found.y.to_sum().negated_where(sign.equal(L::splat(1))).to_factor();
    Affine { x: found.x, y }
}
