//! Protection of records: keys, IVs and sequence numbers never leave these modules.

pub mod cbc;
pub mod classic;
pub mod run;
pub mod tls13;
mod tls13_ccm;
pub mod tls13_schedule;
