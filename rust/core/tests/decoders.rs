//! The targets of rust/fuzz without a fuzzer: over the corpus and over alterations of it, which are
//! the same in every run.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

#[path = "../../fuzz/src/targets.rs"]
mod targets;

const ALTERATIONS: usize = 200;

#[test]
fn decoders_hold_what_they_promise_whatever_the_bytes_are() {
    for target in targets::TARGETS {
        let inputs = corpus(target.name);
        let mut chance = Chance(0x9e37_79b9_7f4a_7c15);
        for input in &inputs {
            (target.run)(input);
            for length in (0..input.len()).step_by(input.len() / 40 + 1) {
                (target.run)(&input[..length]);
            }
            for _ in 0..ALTERATIONS {
                (target.run)(&altered(input, &mut chance));
            }
        }
    }
}

/// Inputs that are valid, or that a fuzzer once found worth keeping; it adds what fails.
fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(name);
    let mut files: Vec<_> = fs::read_dir(&folder)
        .unwrap_or_else(|_| panic!("no corpus in {}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(!files.is_empty(), "an empty corpus in {}", folder.display());
    files.iter().map(|file| fs::read(file).unwrap()).collect()
}

fn altered(input: &[u8], chance: &mut Chance) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..=chance.below(3) {
        let at = chance.below(bytes.len() + 1);
        let value = [0, 1, 0x7f, 0x80, 0xff, chance.below(256) as u8][chance.below(6)];
        match chance.below(5) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, value),
            2 if at < bytes.len() => drop(bytes.remove(at)),
            3 if at < bytes.len() => bytes[at] = value,
            _ if at < bytes.len() => bytes[at] ^= 1 << chance.below(8),
            _ => bytes.push(value),
        }
    }
    bytes
}

/// xorshift64
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }
}
