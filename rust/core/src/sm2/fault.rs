//! Faults for tests: a bit of a value turns while a signature is computed.
//!
//! Outside of the tests of this crate nothing of it is compiled.

use super::limbs::Limbs;

/// Where a value may change under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// r, once it is computed.
    R,
    /// s, once it is computed.
    S,
    /// The digit of that window of the nonce.
    Digit(u32),
    /// X of the sum after that window.
    Sum(u32),
    /// The inverse that many points share.
    Inverse,
}

/// Nothing happens.
#[cfg(not(test))]
#[inline(always)]
pub fn strike(_: Place, _: &mut Limbs) {}

#[cfg(test)]
pub use planned::{strike, with_fault};

#[cfg(test)]
mod planned {
    use core::cell::Cell;

    use super::{Limbs, Place};

    thread_local! {
        static PLANNED: Cell<Option<(Place, usize)>> = const { Cell::new(None) };
    }

    /// Turns the bit planned for this place, once.
    pub fn strike(place: Place, value: &mut Limbs) {
        if let Some((planned, bit)) = PLANNED.get()
            && planned == place
        {
            PLANNED.set(None);
            value[bit / 64] ^= 1 << (bit % 64);
        }
    }

    /// Runs `act` while that bit turns at that place; panics if it never came there.
    pub fn with_fault<T>(place: Place, bit: usize, act: impl FnOnce() -> T) -> T {
        PLANNED.set(Some((place, bit)));
        let result = act();
        assert!(PLANNED.take().is_none(), "{place:?} was not passed");
        result
    }
}
