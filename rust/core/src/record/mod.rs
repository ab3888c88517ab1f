//! Protection of records: keys, IVs and sequence numbers never leave these modules.

pub mod classic;
