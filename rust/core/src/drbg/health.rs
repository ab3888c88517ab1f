//! Continuous tests of the entropy source (SP 800-90B, 4.4; GM/T 0105-2021, annex D).
//!
//! Each byte is a sample credited with half a bit, far less than the kernel gives: the tests are
//! there for a source that is broken, not for one that is slightly weak. False alarm rate 2^-20.

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
    last: Option<u8>,
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
        samples.iter().try_for_each(|&sample| {
            self.count_repetitions(sample)?;
            self.count_proportion(sample)
        })
    }

    fn count_repetitions(&mut self, sample: u8) -> Result<(), Error> {
        self.repetitions = if self.last == Some(sample) { self.repetitions + 1 } else { 1 };
        self.last = Some(sample);
        if self.repetitions >= REPETITION_CUTOFF {
            return Err(Error::RandomnessFailure("the entropy source repeats itself"));
        }
        Ok(())
    }

    fn count_proportion(&mut self, sample: u8) -> Result<(), Error> {
        if self.seen == 0 {
            self.reference = sample;
            self.matches = 0;
        }
        self.matches += u32::from(sample == self.reference);
        self.seen = (self.seen + 1) % WINDOW;
        if self.matches >= PROPORTION_CUTOFF {
            return Err(Error::RandomnessFailure("the entropy source prefers one value"));
        }
        Ok(())
    }
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
