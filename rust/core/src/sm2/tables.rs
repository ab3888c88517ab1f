//! Multiples of the base point, computed once per process, and of points that are met often.

use std::sync::OnceLock;

use super::field::{Arithmetic, Fe};
use super::point::{self, Affine, G, Jacobian};

/// Bits per window of the table for secret scalars.
pub const WIDTH: u32 = 6;
/// Windows that cover 256 bits.
pub const WINDOWS: usize = 43;
/// Odd multiples up to 2^WIDTH.
pub const MULTIPLES: usize = 1 << (WIDTH - 1);

/// `window[i][j]` = (2 j + 1) · 2^(6 i) · G as (x, y): 86 KiB.
pub type BaseWindows = [[[Fe; 2]; MULTIPLES]; WINDOWS];

/// The table for secret scalars, of which whole windows are read.
pub fn base_windows<A: Arithmetic>() -> &'static BaseWindows {
    static TABLE: OnceLock<Box<BaseWindows>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let mut points = odd_multiples_of_powers::<A, MULTIPLES>(&G, WINDOWS, WIDTH).into_iter();
        let mut table = Box::new([[[Fe::ZERO; 2]; MULTIPLES]; WINDOWS]);
        for (entry, point) in table.iter_mut().flatten().zip(&mut points) {
            *entry = [point.x, point.y];
        }
        table
    })
}

/// Pieces into which public scalars are cut, to be worked off side by side.
pub const PIECES: usize = 8;
/// Bits of a piece; together they hold the 257 digits of a scalar.
pub const SPAN: usize = 33;

/// `pieces[i][j]` = (2 j + 1) · 2^(33 i) · P.
pub type Pieces<const COUNT: usize> = [[Affine; COUNT]; PIECES];

/// Width of the sliding window over public multiples of G.
pub const BASE_WIDTH: u32 = 9;
/// The multiples of G that it takes: 64 KiB.
pub type BasePieces = Pieces<{ 1 << (BASE_WIDTH - 2) }>;

/// Width of the sliding window over public multiples of a point that is met often.
pub const POINT_WIDTH: u32 = 6;
/// The multiples of the point that it takes: 8 KiB, made at the cost of one or two verifications.
pub type Windows = Pieces<{ 1 << (POINT_WIDTH - 2) }>;

/// The table for public scalars.
pub fn base_pieces<A: Arithmetic>() -> &'static BasePieces {
    static TABLE: OnceLock<Box<BasePieces>> = OnceLock::new();
    TABLE.get_or_init(|| pieces_of::<A, _>(&G))
}

/// The table for public multiples of that point.
pub fn pieces_of<A: Arithmetic, const COUNT: usize>(point: &Affine) -> Box<Pieces<COUNT>> {
    let points = odd_multiples_of_powers::<A, COUNT>(point, PIECES, SPAN as u32);
    let mut table = Box::new([[*point; COUNT]; PIECES]);
    for (entry, point) in table.iter_mut().flatten().zip(points) {
        *entry = point;
    }
    table
}

/// P, 3 P, 5 P, … P is not infinity.
///
/// They are computed on the curve on which 2 P has Z = 1, which makes the additions cheaper: the
/// coefficients of the curve do not come into additions.
pub fn odd_multiples<A: Arithmetic, const COUNT: usize>(point: &Jacobian) -> [Jacobian; COUNT] {
    let mut double = *point;
    double.double::<A>();
    let scale = double.z;
    let scale_squared = A::sqr(&scale);
    let mut multiple = Jacobian {
        x: A::mul(&point.x, &scale_squared),
        y: A::mul(&point.y, &A::mul(&scale_squared, &scale)),
        z: point.z,
    };
    let step = Affine { x: double.x, y: double.y };
    let mut multiples = [*point; COUNT];
    for place in &mut multiples[1..] {
        multiple.add_affine_distinct::<A>(&step);
        *place = Jacobian { z: A::mul(&multiple.z, &scale), ..multiple };
    }
    multiples
}

/// P, 3 P, 5 P, …, then those of 2^width · P, and so on `powers` times.
pub fn odd_multiples_of_powers<A: Arithmetic, const COUNT: usize>(
    point: &Affine,
    powers: usize,
    width: u32,
) -> Vec<Affine> {
    let mut points = Vec::with_capacity(powers * COUNT);
    let mut power = point.to_jacobian();
    for _ in 0..powers {
        points.extend(odd_multiples::<A, COUNT>(&power));
        for _ in 0..width {
            power.double::<A>();
        }
    }
    point::to_affine_together::<A>(&points)
}
