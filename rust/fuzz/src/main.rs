//! libFuzzer over one decoder, which `DECODER` names; `make fuzz` builds and runs it.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;

mod targets;

static TARGET: LazyLock<fn(&[u8])> = LazyLock::new(|| {
    let wanted = std::env::var("DECODER").unwrap_or_default();
    let found = targets::TARGETS.iter().find(|target| target.name == wanted);
    let names = targets::TARGETS.map(|target| target.name);
    found.unwrap_or_else(|| panic!("DECODER is {wanted:?}, not one of {names:?}")).run
});

fuzz_target!(|data: &[u8]| TARGET(data));
