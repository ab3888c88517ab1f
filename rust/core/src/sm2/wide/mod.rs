//! Many scalar multiplications at once, one in each lane of wide registers; and one of the base point in
//! all lanes ([`spread`]).
//!
//! Written once over [`lanes::Lanes`]; what is inlined here becomes AVX-512 code in `sm2/arch/avx512.rs`.
//! A closure or an iterator's adaptor would be a function of its own, without those instructions: loops
//! stand where much is computed.

#![cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]

pub mod field;
mod known;
pub mod lanes;
mod multiply;
mod point;
pub mod spread;
mod table;

use lanes::Lanes;
use multiply::Scalars;

use super::limbs::Limbs;
use super::point::Affine;
use super::scalar::Scalar;
use super::tables::Windows;

pub use table::{BaseTable, make as make_base_table};

/// What is asked of the sum of a verification: whether x([s] G + [t] P) = x.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    /// s, not 0.
    pub s: Scalar,
    /// t, not 0.
    pub t: Scalar,
    /// P
    pub point: &'a Affine,
    /// x, below p.
    pub x: Limbs,
}

/// Each [k] G in constant time, for 0 < k < n.
#[inline(always)]
pub fn base_all<L: Lanes>(scalars: &[Scalar], table: &BaseTable) -> Vec<Affine> {
    let mut sums = Vec::with_capacity(scalars.len().div_ceil(L::COUNT));
    for group in scalars.chunks(L::COUNT) {
        let item = |lane: usize| &group[lane.min(group.len() - 1)];
        sums.push(multiply::base::<L>(&Scalars::gather(item), table));
    }
    affine_all(&sums, scalars.len())
}

/// Each [k] P in constant time, for 0 < k < n.
#[inline(always)]
pub fn variable_all<L: Lanes>(pairs: &[(&Scalar, &Affine)]) -> Vec<Affine> {
    let mut sums = Vec::with_capacity(pairs.len().div_ceil(L::COUNT));
    for group in pairs.chunks(L::COUNT) {
        let item = |lane: usize| group[lane.min(group.len() - 1)];
        let point = point::Affine::gather(|lane| item(lane).1);
        sums.push(multiply::variable::<L>(&Scalars::gather(|lane| item(lane).0), &point));
    }
    affine_all(&sums, pairs.len())
}

/// The answers. Public values only.
#[inline(always)]
pub fn answer_all<L: Lanes>(questions: &[Question<'_>], table: &BaseTable) -> Vec<bool> {
    let mut answers = Vec::with_capacity(questions.len() + L::COUNT);
    for group in questions.chunks(L::COUNT) {
        let item = |lane: usize| &group[lane.min(group.len() - 1)];
        let t = Scalars::<L>::gather(|lane| &item(lane).t);
        let of_point = multiply::variable(&t, &point::Affine::gather(|lane| item(lane).point));
        let of_base = multiply::base(&Scalars::gather(|lane| &item(lane).s), table);
        let x = field::Factor::gather_plain(|lane| &item(lane).x);
        let holds = multiply::has_x(&of_base.add_finite(&of_point), &x);
        let mut lanes = [0; lanes::MOST];
        L::select(holds, L::splat(1), L::splat(0)).store(&mut lanes[..L::COUNT]);
        answers.extend(lanes[..group.len()].iter().map(|&lane| lane == 1));
    }
    answers
}

/// The same by tables of the points; `None` where additions met what they cannot add, which happens
/// only to who looks for it: then the answer is to be had elsewhere.
#[inline(always)]
pub fn answer_all_by_tables<L: Lanes>(
    questions: &[(Question<'_>, &Windows)],
    table: &BaseTable,
) -> Vec<Option<bool>> {
    let mut answers = Vec::with_capacity(questions.len() + L::COUNT);
    for group in questions.chunks(L::COUNT) {
        let item = |lane: usize| &group[lane.min(group.len() - 1)];
        let t: [_; lanes::MOST] = core::array::from_fn(|lane| known::Digits::of(&item(lane).0.t));
        let of_point = known::multiple::<L>(&t, |lane| item(lane).1);
        let of_base = multiply::base(&Scalars::<L>::gather(|lane| &item(lane).0.s), table);
        let sum = of_base.add_finite(&of_point);
        let x = field::Factor::gather_plain(|lane| &item(lane).0.x);
        let (holds, failed) = (multiply::has_x(&sum, &x), of_point.is_infinity());
        let (no, yes) = (L::splat(0), L::splat(1));
        let mut lanes = [0; lanes::MOST];
        L::select(failed, L::splat(2), L::select(holds, yes, no)).store(&mut lanes[..L::COUNT]);
        answers.extend(lanes[..group.len()].iter().map(|&lane| (lane < 2).then_some(lane == 1)));
    }
    answers
}

#[inline(always)]
fn affine_all<L: Lanes>(sums: &[point::Jacobian<L>], count: usize) -> Vec<Affine> {
    let mut points = Vec::with_capacity(sums.len() * L::COUNT);
    for group in multiply::to_affine_together(sums) {
        multiply::scatter(&group, |point| points.push(point));
    }
    points.truncate(count);
    points
}

#[cfg(test)]
pub mod tests;
