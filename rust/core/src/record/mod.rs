//! Protection of records: keys, IVs and sequence numbers never leave these modules.

pub mod cbc;
pub mod classic;
pub mod tls13;
pub mod tls13_schedule;

#[cfg(all(test, target_arch = "x86_64"))]
mod constant_time;
