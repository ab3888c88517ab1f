//! Continuous tests of the entropy source (SP 800-90B, 4.4; GM/T 0105-2021, annex D).
//!
//! Each byte is a sample credited with half a bit, far less than the kernel gives: the tests are
//! there for a source that is broken, not for one that is slightly weak. False alarm rate 2^-20.
//!
//! Samples become keys: nothing branches on them but the verdict over all that was fed. Hence the
//! wrapping arithmetic: the check for an overflow that cannot be would branch too.

use crate::ct;
use crate::error::Error;

/// Samples that must pass before the first use.
pub const START_UP_SAMPLES: usize = 1024;
/// 1 + ceil(20 / 0.5)
const REPETITION_CUTOFF: u32 = 41;
const WINDOW: u32 = 512;
/// The binomial quantile for a probability of 2^-0.5 in a window of 512.
const PROPORTION_CUTOFF: u32 = 410;

/// The state of both tests; it goes on over all input.
#[derive(Default)]
pub struct HealthTests {
    last: u8,
    /// Whether there was a last one: 0 or 1.
    fed: u32,
    repetitions: u32,
    reference: u8,
    seen: u32,
    matches: u32,
}

impl HealthTests {
    /// Feeds samples to both tests.
    ///
    /// # Errors
    /// [`Error::RandomnessFailure`] if either test fails.
    pub fn feed(&mut self, samples: &[u8]) -> Result<(), Error> {
        let (mut repeats, mut prefers) = (0, 0);
        for &sample in samples {
            repeats |= self.count_repetitions(sample);
            prefers |= self.count_proportion(sample);
        }
        if repeats != 0 {
            return Err(Error::RandomnessFailure("the entropy source repeats itself"));
        }
        if prefers != 0 {
            return Err(Error::RandomnessFailure("the entropy source prefers one value"));
        }
        Ok(())
    }

    /// 1 if there are now too many alike in a row.
    fn count_repetitions(&mut self, sample: u8) -> u32 {
        let alike = self.fed & is_equal(self.last, sample);
        self.repetitions = self.repetitions.wrapping_mul(alike).wrapping_add(1);
        self.last = sample;
        self.fed = 1;
        is_at_least(self.repetitions, REPETITION_CUTOFF)
    }

    /// 1 if there are now too many alike in the window.
    fn count_proportion(&mut self, sample: u8) -> u32 {
        if self.seen == 0 {
            self.reference = sample;
            self.matches = 0;
        }
        self.matches = self.matches.wrapping_add(is_equal(self.reference, sample));
        self.seen = (self.seen + 1) % WINDOW;
        is_at_least(self.matches, PROPORTION_CUTOFF)
    }
}

/// 1 or 0, without a branch.
fn is_equal(a: u8, b: u8) -> u32 {
    (ct::mask_if_equal(u64::from(a), u64::from(b)) & 1) as u32
}

/// 1 or 0, without a branch; for numbers below 2^31.
fn is_at_least(number: u32, limit: u32) -> u32 {
    1 ^ (number.wrapping_sub(limit) >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varied_samples_pass() {
        let samples: Vec<u8> =
            (0..4096u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        assert!(HealthTests::default().feed(&samples).is_ok());
    }

    #[test]
    fn forty_repetitions_pass_and_forty_one_fail() {
        assert!(HealthTests::default().feed(&[5; 40]).is_ok());
        let mut tests = HealthTests::default();
        assert!(tests.feed(&[5; 40]).is_ok());
        assert!(matches!(tests.feed(&[5]), Err(Error::RandomnessFailure(_))));
    }

    #[test]
    fn a_preferred_value_fails_at_its_cutoff() {
        // Four of five samples are alike, never more than four in a row: 410 of the first 512.
        let samples: Vec<u8> =
            (0..512u32).map(|i| if i % 5 == 4 { i as u8 | 1 } else { 0 }).collect();
        let last_needed = samples
            .iter()
            .scan(0, |n, &s| {
                *n += u32::from(s == 0);
                Some(*n)
            })
            .position(|n| n == PROPORTION_CUTOFF);
        let cut = last_needed.map_or(0, |index| index);
        let mut tests = HealthTests::default();
        assert!(tests.feed(&samples[..cut]).is_ok());
        assert!(matches!(tests.feed(&samples[cut..]), Err(Error::RandomnessFailure(_))));
    }
}
