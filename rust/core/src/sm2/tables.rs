//! Multiples of the base point, computed once per process, and of points that are met often.

use std::sync::OnceLock;

use super::field::{Arithmetic, Fe};
use super::point::{self, Affine, G, Jacobian};

/// Bits per window of the table for secret scalars.
pub const WIDTH: u32 = 6;
/// Windows that cover 256 bits and the sign.
pub const WINDOWS: usize = 43;
/// Multiples per window.
pub const MULTIPLES: usize = 1 << (WIDTH - 1);
/// Width of the sliding window for public scalars.
pub const PUBLIC_WIDTH: u32 = 8;
/// Odd multiples that such a window needs.
pub const PUBLIC_MULTIPLES: usize = 1 << (PUBLIC_WIDTH - 2);

/// `window[i][j]` = (j + 1) · 2^(6 i) · G as (x, y).
pub type Windows = [[[Fe; 2]; MULTIPLES]; WINDOWS];

/// The table for secret scalars, read whole at each use.
pub fn base_windows<A: Arithmetic>() -> &'static Windows {
    static TABLE: OnceLock<Box<Windows>> = OnceLock::new();
    TABLE.get_or_init(|| windows_of::<A>(&G))
}

/// G, 3 G, 5 G, … for public scalars.
pub fn base_odd_multiples<A: Arithmetic>() -> &'static [Affine] {
    static TABLE: OnceLock<Vec<Affine>> = OnceLock::new();
    TABLE.get_or_init(|| {
        point::to_affine_together::<A>(&odd_multiples::<A, PUBLIC_MULTIPLES>(&G.to_jacobian()))
    })
}

/// P, 3 P, 5 P, …
pub fn odd_multiples<A: Arithmetic, const COUNT: usize>(point: &Jacobian) -> [Jacobian; COUNT] {
    let double = point.double::<A>();
    let mut multiples = [*point; COUNT];
    for i in 1..COUNT {
        multiples[i] = multiples[i - 1].add_public::<A>(&double);
    }
    multiples
}

/// `window[i][j]` = (j + 1) · 2^(6 i) · P: 86 KiB, made at the cost of some eight verifications.
pub fn windows_of<A: Arithmetic>(point: &Affine) -> Box<Windows> {
    let mut points = Vec::with_capacity(WINDOWS * MULTIPLES);
    let mut first = point.to_jacobian();
    for _ in 0..WINDOWS {
        let mut multiple = first;
        for _ in 0..MULTIPLES {
            points.push(multiple);
            multiple = multiple.add_public::<A>(&first);
        }
        for _ in 0..WIDTH {
            first = first.double::<A>();
        }
    }
    let affine = point::to_affine_together::<A>(&points);
    let mut table = Box::new([[[Fe::ZERO; 2]; MULTIPLES]; WINDOWS]);
    for (entry, point) in table.iter_mut().flatten().zip(affine) {
        *entry = [point.x, point.y];
    }
    table
}
