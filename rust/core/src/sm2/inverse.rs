//! Inverses modulo p and n, in constant time, by the division steps of Bernstein and Yang
//! ("Fast constant-time gcd computation and modular inversion", 2019).
//!
//! One step takes (f, g), f odd, to (g, (g - f) / 2) or to (f, (g + (g mod 2) f) / 2); which of them
//! is decided by the parity of g and a counter. From (m, x) on, 590 steps lead to (±1, 0) for every
//! x below an m of 256 bits, given that the counter starts as it does here (P. Wuille's
//! `safegcd-bounds`); we make 600. Sixty of them depend on the lowest 60 bits alone, so that they
//! are made on words, and what they come to is then applied to the numbers as a matrix.

use core::hint::black_box;

use super::field::Arithmetic;
use super::limbs::Limbs;

/// Steps on one pair of words, whose coefficients are packed with them.
pub const STEPS: u32 = 20;
/// Such rounds before the numbers are touched: 60 bits.
const ROUNDS: usize = 3;
/// Bits of a digit: so many are shifted out at once.
const BITS: u32 = 60;
/// Rounds of 60 steps.
const BATCHES: usize = 10;
const MASK: i64 = (1 << BITS) - 1;

/// A number in base 2^60, least significant digit first; the highest digit has the sign.
type Digits = [i64; 5];

/// f and g after some steps are (u f + v g) / 2^steps and (q f + r g) / 2^steps.
#[derive(Clone, Copy)]
struct Matrix {
    u: i64,
    v: i64,
    q: i64,
    r: i64,
}

/// An odd number of 256 bits to invert by.
pub struct Modulus {
    digits: Digits,
    /// -1/m mod 2^60
    factor: i64,
    /// 1, 2, 4 and 8 m
    multiples: [[u64; 5]; 4],
}

impl Modulus {
    /// That modulus.
    pub const fn new(m: &Limbs) -> Self {
        // Each turn doubles the bits that are right, of which there are 3 at first.
        let mut inverse = m[0];
        let mut turn = 0;
        while turn < 5 {
            inverse = inverse.wrapping_mul(2u64.wrapping_sub(m[0].wrapping_mul(inverse)));
            turn += 1;
        }
        let mut multiples = [[m[0], m[1], m[2], m[3], 0]; 4];
        let mut i = 1;
        while i < 4 {
            let mut j = 0;
            while j < 5 {
                let below = if j == 0 { 0 } else { multiples[i - 1][j - 1] >> 63 };
                multiples[i][j] = multiples[i - 1][j] << 1 | below;
                j += 1;
            }
            i += 1;
        }
        Self { digits: digits_of(m), factor: inverse.wrapping_neg() as i64 & MASK, multiples }
    }

    /// `scale / x`, zero for x = 0; x and the scale are below m.
    #[must_use]
    pub fn divide<A: Arithmetic>(&self, scale: &Limbs, x: &Limbs) -> Limbs {
        let (mut f, mut g) = (self.digits, digits_of(x));
        // f = d x / scale and g = e x / scale, modulo m.
        let (mut d, mut e) = ([0; 5], digits_of(scale));
        let mut counter = -1;
        for _ in 0..BATCHES {
            let (low_f, low_g) = (f[0] | f[1] << BITS, g[0] | g[1] << BITS);
            let matrix = sixty_steps::<A>(&mut counter, low_f, low_g);
            (f, g) = matrix.apply(&f, &g);
            (d, e) = matrix.apply_modulo(&d, &e, self);
        }
        // f is 1 or -1, or m if x is zero, and then d is zero.
        self.reduce(&d, f[4] >> 63)
    }

    /// A number above -6 m and below 6 m, negated where the mask is ones, brought below m.
    fn reduce(&self, number: &Digits, negate: i64) -> Limbs {
        let negate = negate as u64;
        let words = words_of(number).map(|word| word ^ negate);
        // Knowing their words, a compiler would make branches of the carries.
        let multiples = black_box(&self.multiples);
        let [_, twice, four_times, _] = multiples;
        let mut value = sum(&[&words, twice, four_times], negate & 1);
        for multiple in multiples.iter().rev() {
            let less = sum(&[&value, &multiple.map(|word| !word)], 1);
            // Ones if that is negative.
            let keep = black_box(less[4] as i64 >> 63);
            for (word, less) in value.iter_mut().zip(less) {
                *word = less ^ (keep as u64 & (*word ^ less));
            }
        }
        [value[0], value[1], value[2], value[3]]
    }
}

/// The matrix of the next sixty steps, from the lowest 64 bits of f and g.
#[inline(always)]
fn sixty_steps<A: Arithmetic>(counter: &mut i64, f: i64, g: i64) -> Matrix {
    let (mut f, mut g) = (f, g);
    let mut all = Matrix { u: 1, v: 0, q: 0, r: 1 };
    for round in 0..ROUNDS {
        let some = twenty_steps::<A>(counter, f, g);
        all = if round == 0 { some } else { some.after(&all) };
        if round + 1 < ROUNDS {
            (f, g) = (some.row(some.u, some.v, f, g), some.row(some.q, some.r, f, g));
        }
    }
    all
}

/// Where u and q lie in a packed word.
const MIDDLE: u32 = 20;
/// Where v and r lie in a packed word.
const HIGH: u32 = 42;

/// The matrix of the next twenty steps, from the lowest 20 bits of f and g.
///
/// These bits, as signed numbers, and the coefficients times 2^20 lie in one word, so that one
/// addition and one shift serve all three. None of them ever exceeds 2^20 in magnitude, and they
/// are sums: a part that is negative takes one from that above it.
#[inline(always)]
fn twenty_steps<A: Arithmetic>(counter: &mut i64, f: i64, g: i64) -> Matrix {
    let low = |word: i64| word << (64 - STEPS) >> (64 - STEPS);
    let f = low(f).wrapping_add(1 << (STEPS + MIDDLE));
    let g = low(g).wrapping_add(1 << (STEPS + HIGH));
    let (f, g) = A::division_steps(counter, f, g);
    let ((u, v), (q, r)) = (coefficients(f), coefficients(g));
    Matrix { u, v, q, r }
}

/// [`STEPS`] steps on packed words.
#[inline(always)]
pub fn division_steps(counter: &mut i64, f: i64, g: i64) -> (i64, i64) {
    let (mut f, mut g) = (f, g);
    for _ in 0..STEPS {
        let odd = (g & 1).wrapping_neg();
        let negative = *counter >> 63;
        g = g.wrapping_add((f ^ negative).wrapping_sub(negative) & odd);
        let swap = negative & odd;
        *counter = (*counter ^ swap).wrapping_sub(1);
        f = f.wrapping_add(g & swap);
        g >>= 1;
    }
    (f, g)
}

/// The two upper parts of a packed word.
#[inline(always)]
fn coefficients(word: i64) -> (i64, i64) {
    let upper = word.wrapping_add(1 << (MIDDLE - 1)) >> MIDDLE;
    let width = HIGH - MIDDLE;
    let first = upper << (64 - width) >> (64 - width);
    (first, upper.wrapping_sub(first) >> width)
}

impl Matrix {
    /// The steps of `self` after those of `first`.
    #[inline(always)]
    fn after(&self, first: &Self) -> Self {
        let dot =
            |a: i64, b: i64, c: i64, d: i64| a.wrapping_mul(b).wrapping_add(c.wrapping_mul(d));
        Self {
            u: dot(self.u, first.u, self.v, first.q),
            v: dot(self.u, first.v, self.v, first.r),
            q: dot(self.q, first.u, self.r, first.q),
            r: dot(self.q, first.v, self.r, first.r),
        }
    }

    /// The lowest bits of `(a f + b g) / 2^20`.
    #[inline(always)]
    fn row(&self, a: i64, b: i64, f: i64, g: i64) -> i64 {
        a.wrapping_mul(f).wrapping_add(b.wrapping_mul(g)) >> STEPS
    }

    /// f and g after the steps.
    #[inline(always)]
    fn apply(&self, f: &Digits, g: &Digits) -> (Digits, Digits) {
        (combine(&[(self.u, f), (self.v, g)]), combine(&[(self.q, f), (self.r, g)]))
    }

    /// d and e after the steps, modulo m: a multiple of m, at most 2^59 m in magnitude, is added to
    /// make what is shifted out zero. They grow by m / 2 at most.
    #[inline(always)]
    fn apply_modulo(&self, d: &Digits, e: &Digits, modulus: &Modulus) -> (Digits, Digits) {
        let row = |a: i64, b: i64| {
            let lowest = a.wrapping_mul(d[0]).wrapping_add(b.wrapping_mul(e[0]));
            let spare = 64 - BITS;
            let factor = lowest.wrapping_mul(modulus.factor) << spare >> spare;
            combine(&[(a, d), (b, e), (factor, &modulus.digits)])
        };
        (row(self.u, self.v), row(self.q, self.r))
    }
}

/// The sum of multiples, which is one of 2^60, divided by 2^60.
#[inline(always)]
fn combine<const N: usize>(terms: &[(i64, &Digits); N]) -> Digits {
    let mut out = [0; 5];
    let mut sum = 0i128;
    for i in 0..5 {
        for (factor, digits) in terms {
            sum = sum.wrapping_add(wide(*factor, digits[i]));
        }
        if i > 0 {
            out[i - 1] = sum as i64 & MASK;
        }
        sum >>= BITS;
    }
    out[4] = sum as i64;
    out
}

#[inline(always)]
fn wide(a: i64, b: i64) -> i128 {
    i128::from(a).wrapping_mul(i128::from(b))
}

const fn digits_of(m: &Limbs) -> Digits {
    [
        m[0] as i64 & MASK,
        (m[0] >> 60 | m[1] << 4) as i64 & MASK,
        (m[1] >> 56 | m[2] << 8) as i64 & MASK,
        (m[2] >> 52 | m[3] << 12) as i64 & MASK,
        (m[3] >> 48) as i64,
    ]
}

/// The same number in two's complement.
#[inline(always)]
fn words_of(digits: &Digits) -> [u64; 5] {
    let [a, b, c, d, e] = digits.map(|digit| digit as u64);
    [a | b << 60, b >> 4 | c << 56, c >> 8 | d << 52, d >> 12 | e << 48, (digits[4] >> 16) as u64]
}

/// The sum of numbers in two's complement, and of a carry.
#[inline(always)]
fn sum<const N: usize>(numbers: &[&[u64; 5]; N], carry: u64) -> [u64; 5] {
    let mut sum = u128::from(carry);
    core::array::from_fn(|i| {
        for number in numbers {
            sum = sum.wrapping_add(u128::from(number[i]));
        }
        let word = sum as u64;
        sum >>= 64;
        word
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::field::{P, Portable};
    use super::super::limbs;
    use super::super::multiply::dispatch;
    use super::super::scalar::N;
    use super::*;

    const ONE: Limbs = [1, 0, 0, 0];

    /// a b mod m, bit by bit.
    fn product(a: &Limbs, b: &Limbs, m: &Limbs) -> Limbs {
        (0..256).rev().fold([0; 4], |sum, bit| {
            let sum = limbs::add_mod(&sum, &sum, m);
            if b[bit / 64] >> (bit % 64) & 1 == 1 { limbs::add_mod(&sum, a, m) } else { sum }
        })
    }

    /// By the back-end in use.
    fn divide(m: &Limbs, scale: &Limbs, x: &Limbs) -> Limbs {
        dispatch!(A => Modulus::new(m).divide::<A>(scale, x))
    }

    fn check(x: &Limbs, scale: &Limbs) {
        for m in [P, N] {
            let (x, scale) = (limbs::reduce_once(x, 0, &m), limbs::reduce_once(scale, 0, &m));
            let quotient = Modulus::new(&m).divide::<Portable>(&scale, &x);
            assert_eq!(divide(&m, &scale, &x), quotient, "{x:x?}");
            assert_eq!(limbs::is_less(&quotient, &m), u64::MAX, "{x:x?}");
            let expected = if x == [0; 4] { [0; 4] } else { scale };
            assert_eq!(product(&quotient, &x, &m), expected, "{x:x?}");
        }
    }

    #[test]
    fn numbers_at_the_edges_have_their_inverses() {
        for m in [P, N] {
            for near in 0..70u64 {
                check(&[near, 0, 0, 0], &ONE);
                check(&limbs::sub(&m, &[near, 0, 0, 0]).0, &ONE);
            }
        }
        for bit in 0..256 {
            let mut power = [0; 4];
            power[bit / 64] = 1 << (bit % 64);
            check(&power, &ONE);
            check(&limbs::sub(&power, &ONE).0, &limbs::sub(&P, &ONE).0);
        }
    }

    /// Steps that swap at each chance, and such that never do, take longest and shortest.
    #[test]
    fn quotients_of_fibonacci_numbers_are_right() {
        let (mut a, mut b) = (ONE, ONE);
        for _ in 0..360 {
            (a, b) = (b, limbs::add(&a, &b).0);
            check(&a, &b);
        }
    }

    proptest! {
        #[test]
        fn a_quotient_times_the_divisor_is_the_dividend(x: Limbs, scale: Limbs) {
            check(&x, &scale);
        }
    }
}
