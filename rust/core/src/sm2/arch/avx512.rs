//! Eight lanes in one 512-bit register: each operation of [`Lanes`] is one instruction or two, none of
//! which takes longer for some values than for others or touches memory but its operands.

use core::arch::x86_64::{
    __m512i, __mmask8, _mm_cvtsi32_si128, _mm512_add_epi64, _mm512_and_si512,
    _mm512_cmpeq_epi64_mask, _mm512_loadu_si512, _mm512_madd52hi_epu64, _mm512_madd52lo_epu64,
    _mm512_mask_blend_epi64, _mm512_or_si512, _mm512_permutex2var_epi64, _mm512_permutexvar_epi64,
    _mm512_set1_epi64, _mm512_sll_epi64, _mm512_slli_epi64, _mm512_sra_epi64, _mm512_srl_epi64,
    _mm512_srli_epi64, _mm512_storeu_si512, _mm512_sub_epi64, _mm512_test_epi64_mask,
};

use std::sync::OnceLock;

use crate::sm2::arch::x86_64::Adx;
use crate::sm2::field::Portable;
use crate::sm2::limbs::Limbs;
use crate::sm2::multiply;
use crate::sm2::point::{Affine, Extended};
use crate::sm2::scalar::Scalar;
use crate::sm2::tables::Windows;
use crate::sm2::wide::lanes::{Lanes, Twice};
use crate::sm2::wide::{self, BaseTable, Question, field, spread};

/// A register. Private, and met only below the functions of this file that enable its instructions:
/// this is why its operations may be called safe.
#[derive(Clone, Copy)]
struct Register(__m512i);

type Registers = Twice<Register>;

// Calls an intrinsic. The macro holds the one reason for all of them.
macro_rules! instruction {
    ($call:expr) => {
        // SAFETY: a `Register` is met only below functions that enable the instructions, which are
        // called only where the AVX-512 back-end is available.
        unsafe { $call }
    };
}

/// [`spread::base`].
///
/// # Safety
/// The AVX-512 back-end must be available.
#[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
pub fn base_one(k: &Scalar) -> Extended {
    spread::base::<Register>(k, spread_table())
}

/// [`spread::sum_with_known`].
///
/// # Safety
/// The AVX-512 back-end must be available.
#[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
pub fn sum_with_known(s: &Scalar, t: &Scalar, windows: &Windows) -> Extended {
    spread::sum_with_known::<Register>(s, t, windows, spread_table())
}

/// [`wide::base_all`].
///
/// # Safety
/// The AVX-512 back-end must be available.
#[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
pub fn base_all(scalars: &[Scalar]) -> Vec<Affine> {
    wide::base_all::<Registers>(scalars, base_table())
}

/// [`wide::variable_all`].
///
/// # Safety
/// The AVX-512 back-end must be available.
#[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
pub fn variable_all(pairs: &[(&Scalar, &Affine)]) -> Vec<Affine> {
    wide::variable_all::<Registers>(pairs)
}

/// [`wide::answer_all`].
///
/// # Safety
/// The AVX-512 back-end must be available.
#[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
pub fn answer_all(questions: &[Question<'_>]) -> Vec<bool> {
    wide::answer_all::<Registers>(questions, base_table())
}

/// [`wide::answer_all_by_tables`].
///
/// # Safety
/// The AVX-512 back-end must be available.
#[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
pub fn answer_all_by_tables(questions: &[(Question<'_>, &Windows)]) -> Vec<Option<bool>> {
    wide::answer_all_by_tables::<Registers>(questions, base_table())
}

/// Whether all six give what narrower back-ends give, for as many fixed inputs as there are lanes.
///
/// # Safety
/// The AVX-512 back-end must be available.
#[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
pub fn agrees() -> bool {
    let scalars: Vec<_> = (0..Registers::COUNT as u8)
        .map(|i| Scalar::reduced(&[i.wrapping_mul(151) + 3; 32]))
        .collect();
    let points = base_all(&scalars);
    let pairs: Vec<_> = scalars.iter().rev().zip(&points).collect();
    let multiples = variable_all(&pairs);
    let same = |one: &Affine, other: Option<Affine>| {
        other.is_some_and(|other| (one.x.0, one.y.0) == (other.x.0, other.y.0))
    };
    let questions: Vec<_> = scalars
        .iter()
        .zip(&pairs)
        .enumerate()
        .filter_map(|(number, (&s, &(&t, point)))| {
            let of_base = multiply::base_narrow(&s)?;
            let mut x = multiply::sum_with_multiple(&of_base, &t, point)?.x.to_limbs::<Portable>();
            x[0] ^= u64::from(number % 3 == 0);
            Some(Question { s, t, point, x })
        })
        .collect();
    let answers = answer_all(&questions);
    let tables: Vec<_> = pairs.iter().map(|(_, point)| multiply::windows_of(point)).collect();
    let known: Vec<_> =
        questions.iter().zip(&tables).map(|(question, table)| (*question, &**table)).collect();
    let by_tables = answer_all_by_tables(&known);
    let alone = known.iter().map(|(Question { s, t, .. }, windows)| {
        let sum = sum_with_known(s, t, windows).to_affine::<Portable>()?;
        Some(sum.x.to_limbs::<Portable>())
    });
    let right_alone = |(number, (x, question)): (usize, (Option<Limbs>, &Question<'_>))| {
        x.is_some_and(|x| (x == question.x) == (number % 3 != 0))
    };
    let right = |(number, answer): (usize, &bool)| *answer == (number % 3 != 0);
    let spread = |k: &Scalar| base_one(k).to_affine::<Portable>();
    points.len() == scalars.len()
        && points.iter().zip(&scalars).all(|(point, k)| same(point, multiply::base_narrow(k)))
        && points.iter().zip(&scalars).all(|(point, k)| same(point, spread(k)))
        && multiples.iter().zip(&pairs).all(|(found, (k, p))| same(found, multiply::secret(k, p)))
        && answers.len() == scalars.len()
        && answers.iter().enumerate().all(right)
        && answers.iter().map(|answer| Some(*answer)).eq(by_tables)
        && alone.zip(&questions).enumerate().all(right_alone)
}

fn spread_table() -> &'static spread::Table {
    static TABLE: OnceLock<Box<spread::Table>> = OnceLock::new();
    TABLE.get_or_init(spread::make_table::<Adx>)
}

fn base_table() -> &'static BaseTable {
    #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
    fn make() -> Box<BaseTable> {
        wide::make_base_table::<Registers>()
    }
    static TABLE: OnceLock<Box<BaseTable>> = OnceLock::new();
    // SAFETY: called only below the functions above, where the instructions are available.
    TABLE.get_or_init(|| unsafe { make() })
}

/// The product. A function of its own, so that the formulas stay in the cache of instructions: compilers
/// forget `inline(never)` where there is a `target_feature`, but cannot inline what has more features.
#[inline(never)]
fn product<L: Lanes>(a: &[L; 5], b: &[L; 5]) -> [L; 5] {
    #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
    fn compute<L: Lanes>(a: &[L; 5], b: &[L; 5]) -> [L; 5] {
        field::product(a, b)
    }
    instruction!(compute(a, b))
}

/// The square, in the same way.
#[inline(never)]
fn square<L: Lanes>(a: &[L; 5]) -> [L; 5] {
    #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
    fn compute<L: Lanes>(a: &[L; 5]) -> [L; 5] {
        field::square(a)
    }
    instruction!(compute(a))
}

impl Lanes for Register {
    type Mask = __mmask8;
    const COUNT: usize = 8;

    #[inline(always)]
    fn splat(value: u64) -> Self {
        Self(instruction!(_mm512_set1_epi64(value as i64)))
    }

    #[inline(always)]
    fn from_fn(value: impl FnMut(usize) -> u64) -> Self {
        let values: [u64; 8] = core::array::from_fn(value);
        // SAFETY: as above, and eight numbers are 64 bytes.
        Self(unsafe { _mm512_loadu_si512(values.as_ptr().cast()) })
    }

    #[inline(always)]
    fn store(self, out: &mut [u64]) {
        let mut values = [0u64; 8];
        // SAFETY: as above, and eight numbers are 64 bytes.
        unsafe { _mm512_storeu_si512(values.as_mut_ptr().cast(), self.0) };
        out.copy_from_slice(&values);
    }

    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        Self(instruction!(_mm512_add_epi64(self.0, other.0)))
    }

    #[inline(always)]
    fn minus(self, other: Self) -> Self {
        Self(instruction!(_mm512_sub_epi64(self.0, other.0)))
    }

    #[inline(always)]
    fn and(self, other: Self) -> Self {
        Self(instruction!(_mm512_and_si512(self.0, other.0)))
    }

    #[inline(always)]
    fn or(self, other: Self) -> Self {
        Self(instruction!(_mm512_or_si512(self.0, other.0)))
    }

    #[inline(always)]
    fn left<const BITS: u32>(self) -> Self {
        Self(instruction!(_mm512_slli_epi64::<BITS>(self.0)))
    }

    #[inline(always)]
    fn right<const BITS: u32>(self) -> Self {
        Self(instruction!(_mm512_srli_epi64::<BITS>(self.0)))
    }

    #[inline(always)]
    fn left_by(self, bits: u32) -> Self {
        Self(instruction!(_mm512_sll_epi64(self.0, _mm_cvtsi32_si128(bits as i32))))
    }

    #[inline(always)]
    fn right_by(self, bits: u32) -> Self {
        Self(instruction!(_mm512_srl_epi64(self.0, _mm_cvtsi32_si128(bits as i32))))
    }

    #[inline(always)]
    fn right_signed<const BITS: u32>(self) -> Self {
        Self(instruction!(_mm512_sra_epi64(self.0, _mm_cvtsi32_si128(BITS as i32))))
    }

    #[inline(always)]
    fn plus_low(self, a: Self, b: Self) -> Self {
        Self(instruction!(_mm512_madd52lo_epu64(self.0, a.0, b.0)))
    }

    #[inline(always)]
    fn plus_high(self, a: Self, b: Self) -> Self {
        Self(instruction!(_mm512_madd52hi_epu64(self.0, a.0, b.0)))
    }

    #[inline(always)]
    fn equal(self, other: Self) -> __mmask8 {
        instruction!(_mm512_cmpeq_epi64_mask(self.0, other.0))
    }

    #[inline(always)]
    fn select(mask: __mmask8, a: Self, b: Self) -> Self {
        Self(instruction!(_mm512_mask_blend_epi64(mask, b.0, a.0)))
    }

    #[inline(always)]
    fn swapped<const DISTANCE: usize>(self) -> Self {
        let partner = Self::from_fn(|lane| (lane ^ DISTANCE) as u64);
        Self(instruction!(_mm512_permutexvar_epi64(partner.0, self.0)))
    }

    #[inline(always)]
    fn pick(table: &[u64; 64], index: Self) -> Self {
        let (eights, _) = table.as_chunks::<8>();
        let sixteen = |first: usize| {
            let half = |number: usize| Self::from_fn(|lane| eights[number][lane]).0;
            let (low, high) = (half(2 * first), half(2 * first + 1));
            // Bits 0 to 3 of each index choose among sixteen.
            Self(instruction!(_mm512_permutex2var_epi64(low, index.0, high)))
        };
        let bit =
            |value: i64| instruction!(_mm512_test_epi64_mask(index.0, _mm512_set1_epi64(value)));
        let low = Self::select(bit(16), sixteen(1), sixteen(0));
        let high = Self::select(bit(16), sixteen(3), sixteen(2));
        Self::select(bit(32), high, low)
    }

    #[inline(always)]
    fn product(a: &[Self; 5], b: &[Self; 5]) -> [Self; 5] {
        product(a, b)
    }

    #[inline(always)]
    fn square(a: &[Self; 5]) -> [Self; 5] {
        square(a)
    }

    #[inline(always)]
    fn product_of_two(a: &[Registers; 5], b: &[Registers; 5]) -> [Registers; 5] {
        product(a, b)
    }

    #[inline(always)]
    fn square_of_two(a: &[Registers; 5]) -> [Registers; 5] {
        square(a)
    }
}
