//! Randomness: an SM3 generator in the manner of GM/T 0105-2021, with UTC time mixed in.
//!
//! The seed comes from the operating system alone. Every call mixes in UTC time, a counter and 32
//! fresh bytes of the system as additional input: time is never counted as entropy and can only
//! help. Each thread has a generator of its own, so that no lock is ever held across a fork. Noise
//! for signatures is kept in reserve, so that most of them ask nothing of the system.

use core::sync::atomic::{AtomicU64, Ordering};
use std::cell::RefCell;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use zeroize::{Zeroize, Zeroizing};

use crate::error::Error;
use hash_drbg::{HashDrbg, MAX_OUTPUT};
use health::{HealthTests, START_UP_SAMPLES};
use reserve::Reserve;

mod arch;
pub mod hash_drbg;
pub mod health;
mod reserve;

pub use arch::unix::process_mark;
pub use reserve::{Noise, RESERVED};

/// Most calls between two seeds (level 2 of GM/T 0105-2021).
pub const RESEED_CALLS: u64 = 1 << 10;
/// Most nanoseconds between two seeds (level 2 of GM/T 0105-2021).
pub const RESEED_NANOSECONDS: u64 = 60_000_000_000;

/// Where entropy comes from.
pub trait EntropySource {
    /// Fills `out` with full entropy.
    ///
    /// # Errors
    /// [`Error::RandomnessFailure`] if it cannot.
    fn fill(&mut self, out: &mut [u8]) -> Result<(), Error>;
}

/// What time it is. Never counted as entropy.
pub trait Clock {
    /// UTC nanoseconds since 1970.
    ///
    /// # Errors
    /// [`Error::RandomnessFailure`] if the clock cannot be read.
    fn utc_nanoseconds(&mut self) -> Result<u64, Error>;

    /// Nanoseconds of a clock that is never set back.
    ///
    /// # Errors
    /// [`Error::RandomnessFailure`] if the clock cannot be read.
    fn elapsed_nanoseconds(&mut self) -> Result<u64, Error>;
}

/// What signing and key generation ask for.
pub trait Randomness {
    /// Fills `out`; different purposes give independent values.
    ///
    /// # Errors
    /// [`Error::RandomnessFailure`]; `out` is then zeros and must not be used.
    fn fill(&mut self, purpose: Purpose, out: &mut [u8]) -> Result<(), Error>;

    /// Noise for nonces that private key and digest hedge too: it may lie ready, and what was made
    /// together has been mixed with the system's bytes once.
    ///
    /// # Errors
    /// [`Error::RandomnessFailure`]; `out` is then zeros and must not be used.
    fn noise(&mut self, out: &mut [Noise]) -> Result<(), Error>;

    /// UTC time and a counter that no other call of this process has had.
    ///
    /// # Errors
    /// [`Error::RandomnessFailure`] if the clock cannot be read.
    fn stamp(&mut self) -> Result<[u8; STAMP_LENGTH], Error>;
}

/// Length of UTC nanoseconds and counter.
pub const STAMP_LENGTH: usize = 16;

/// What the bytes are for: it separates the domains of the generator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Purpose {
    /// Bytes for the application.
    General = 1,
    /// Private keys.
    PrivateKey = 2,
    /// Nonces of signatures.
    Signature = 3,
    /// Nonces of public-key encryption.
    Encryption = 4,
    /// Ephemeral keys of the key exchange.
    KeyExchange = 5,
}

/// A generator over a source and a clock.
pub struct Generator<S, C> {
    source: S,
    clock: C,
    health: HealthTests,
    drbg: HashDrbg,
    seeded_at: u64,
    process: (u64, u64),
    reserve: Reserve,
    failure: Option<Error>,
}

impl<S: EntropySource, C: Clock> Generator<S, C> {
    /// Tests the source with 1024 samples, then seeds from it.
    ///
    /// # Errors
    /// [`Error::RandomnessFailure`] if the source fails or does not pass.
    pub fn new(mut source: S, mut clock: C) -> Result<Self, Error> {
        let mut health = HealthTests::default();
        let mut samples = Zeroizing::new([0; START_UP_SAMPLES]);
        take(&mut source, &mut health, &mut samples[..])?;
        let mut seed = Zeroizing::new([0; 48]);
        take(&mut source, &mut health, &mut seed[..])?;
        let (entropy, nonce) = seed.split_at(32);
        let drbg = HashDrbg::instantiate(entropy, nonce, &stamp(&mut clock)?);
        let seeded_at = clock.elapsed_nanoseconds()?;
        let process = process_mark();
        let reserve = Reserve::new();
        Ok(Self { source, clock, health, drbg, seeded_at, process, reserve, failure: None })
    }

    /// Fills `out`, with more to mix in: it can be anything and need not be secret.
    ///
    /// # Errors
    /// [`Error::RandomnessFailure`], from then on at every call.
    pub fn fill_with(
        &mut self,
        purpose: Purpose,
        extra: &[u8],
        out: &mut [u8],
    ) -> Result<(), Error> {
        self.attempt(|generator| generator.try_fill(purpose, extra, out))
            .inspect_err(|_| out.zeroize())
    }

    /// Seeds anew at once.
    ///
    /// # Errors
    /// [`Error::RandomnessFailure`], from then on at every call.
    pub fn reseed(&mut self) -> Result<(), Error> {
        self.attempt(Self::take_seed)
    }

    /// What fails once fails for good.
    fn attempt(&mut self, act: impl FnOnce(&mut Self) -> Result<(), Error>) -> Result<(), Error> {
        self.failure.map_or(Ok(()), Err)?;
        act(self).inspect_err(|&error| {
            self.failure = Some(error);
            self.reserve.clear();
        })
    }

    fn take_seed(&mut self) -> Result<(), Error> {
        self.reserve.clear();
        let mut entropy = Zeroizing::new([0; 32]);
        take(&mut self.source, &mut self.health, &mut entropy[..])?;
        self.process = process_mark();
        let mut additional = stamp(&mut self.clock)?.to_vec();
        additional.extend(std::process::id().to_be_bytes());
        self.drbg.reseed(&entropy[..], &additional);
        self.seeded_at = self.clock.elapsed_nanoseconds()?;
        Ok(())
    }

    fn try_fill(&mut self, purpose: Purpose, extra: &[u8], out: &mut [u8]) -> Result<(), Error> {
        // Room for all that follows: growing would leave copies behind that nobody wipes.
        let mut additional = Zeroizing::new(Vec::with_capacity(33 + extra.len() + STAMP_LENGTH));
        additional.resize(32, 0);
        take(&mut self.source, &mut self.health, &mut additional)?;
        additional.push(purpose as u8);
        additional.extend(extra);
        for chunk in out.chunks_mut(MAX_OUTPUT) {
            if self.is_seed_old()? {
                self.take_seed()?;
            }
            additional.extend(stamp(&mut self.clock)?);
            self.drbg.generate(chunk, &additional);
            additional.zeroize();
        }
        Ok(())
    }

    fn try_noise(&mut self, out: &mut [Noise]) -> Result<(), Error> {
        if self.reserve.left() < out.len() || self.is_seed_old()? {
            let mut key = Zeroizing::new([0; 32]);
            self.try_fill(Purpose::Signature, b"", &mut key[..])?;
            if out.len() > RESERVED {
                return reserve::expand(&key, out);
            }
            self.reserve.fill(&key)?;
        }
        self.reserve.take(out);
        Ok(())
    }

    fn is_seed_old(&mut self) -> Result<bool, Error> {
        let age = self.clock.elapsed_nanoseconds()?.saturating_sub(self.seeded_at);
        Ok(self.drbg.calls() >= RESEED_CALLS
            || age >= RESEED_NANOSECONDS
            || self.process != process_mark())
    }
}

impl<S: EntropySource, C: Clock> Randomness for Generator<S, C> {
    fn fill(&mut self, purpose: Purpose, out: &mut [u8]) -> Result<(), Error> {
        self.fill_with(purpose, b"", out)
    }

    fn noise(&mut self, out: &mut [Noise]) -> Result<(), Error> {
        self.attempt(|generator| generator.try_noise(out))
            .inspect_err(|_| out.as_flattened_mut().zeroize())
    }

    fn stamp(&mut self) -> Result<[u8; STAMP_LENGTH], Error> {
        stamp(&mut self.clock)
    }
}

/// The generator of the calling thread, over the operating system's entropy and clocks.
pub struct System;

impl System {
    /// Fills `out`, with more to mix in.
    ///
    /// # Errors
    /// [`Error::RandomnessFailure`], from then on at every call of this thread.
    pub fn fill_with(purpose: Purpose, extra: &[u8], out: &mut [u8]) -> Result<(), Error> {
        with_thread_generator(|generator| generator.fill_with(purpose, extra, out))
    }
}

impl Randomness for System {
    fn fill(&mut self, purpose: Purpose, out: &mut [u8]) -> Result<(), Error> {
        Self::fill_with(purpose, b"", out)
    }

    fn noise(&mut self, out: &mut [Noise]) -> Result<(), Error> {
        with_thread_generator(|generator| generator.noise(out))
    }

    fn stamp(&mut self) -> Result<[u8; STAMP_LENGTH], Error> {
        stamp(&mut SystemClock)
    }
}

type SystemGenerator = Generator<SystemEntropy, SystemClock>;

thread_local! {
    static GENERATOR: RefCell<Option<Result<SystemGenerator, Error>>> = const { RefCell::new(None) };
}

fn with_thread_generator<T>(
    act: impl FnOnce(&mut SystemGenerator) -> Result<T, Error>,
) -> Result<T, Error> {
    let unavailable = |_| Error::RandomnessFailure("the thread is ending");
    GENERATOR
        .try_with(|cell| {
            let mut slot = cell.borrow_mut();
            let generator = slot.get_or_insert_with(|| Generator::new(SystemEntropy, SystemClock));
            generator.as_mut().map_err(|error| *error).and_then(act)
        })
        .unwrap_or_else(|error| Err(unavailable(error)))
}

/// The kernel's generator.
pub struct SystemEntropy;

impl EntropySource for SystemEntropy {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), Error> {
        arch::unix::system_entropy(out)
    }
}

/// The system's clocks.
pub struct SystemClock;

impl Clock for SystemClock {
    fn utc_nanoseconds(&mut self) -> Result<u64, Error> {
        // A clock before 1970 is wrong, yet harmless: time is not entropy.
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(since.as_nanos() as u64)
    }

    fn elapsed_nanoseconds(&mut self) -> Result<u64, Error> {
        thread_local! {
            static START: Instant = Instant::now();
        }
        START
            .try_with(|start| start.elapsed().as_nanos() as u64)
            .map_err(|_| Error::RandomnessFailure("the thread is ending"))
    }
}

/// UTC time and the next value of the process-wide counter.
fn stamp(clock: &mut impl Clock) -> Result<[u8; STAMP_LENGTH], Error> {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let mut stamp = [0; STAMP_LENGTH];
    stamp[..8].copy_from_slice(&clock.utc_nanoseconds()?.to_be_bytes());
    stamp[8..].copy_from_slice(&COUNTER.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    Ok(stamp)
}

fn take(
    source: &mut impl EntropySource,
    health: &mut HealthTests,
    out: &mut [u8],
) -> Result<(), Error> {
    source.fill(out)?;
    health.feed(out)
}
