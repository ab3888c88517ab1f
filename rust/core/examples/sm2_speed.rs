//! What SM2 costs in the core alone, one thread: `cargo run --release --example sm2_speed`.
//!
//! For each back-end and operation the quickest of many short runs, which is what a machine with
//! other work to do shows best. `METERSEAL_BACKEND` has no say here.

#![allow(clippy::print_stdout)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use meterseal_core::cpu::{self, Backend};
use meterseal_core::error::Error;
use meterseal_core::sm2::{Layout, PrivateKey};

const RUNS: u32 = 400;
const RUN: Duration = Duration::from_micros(500);

fn main() -> Result<(), Error> {
    for backend in Backend::ALL {
        if cpu::force(backend).is_ok() {
            println!("SM2, {}", backend.name());
            show_all()?;
        }
    }
    Ok(())
}

fn show_all() -> Result<(), Error> {
    let key = PrivateKey::generate()?;
    let public = key.public_key();
    let e = [7; 32];
    let signature = key.sign_digest(&e)?;
    let ciphertext = public.encrypt(&[1; 32], Layout::Der)?;
    show("generate", || PrivateKey::generate().is_ok());
    show("sign", || key.sign_digest(black_box(&e)).is_ok());
    show("verify", || public.verify_digest(black_box(&signature), &e).is_ok());
    show("ECDH", || key.exchange_ecdh(black_box(public)).is_ok());
    show("encrypt 32 B", || public.encrypt(black_box(&[1; 32]), Layout::Der).is_ok());
    show("decrypt 32 B", || key.decrypt(black_box(&ciphertext), Layout::Der).is_ok());
    Ok(())
}

fn show(name: &str, mut act: impl FnMut() -> bool) {
    let mut best = f64::INFINITY;
    for _ in 0..RUNS {
        let (start, mut count) = (Instant::now(), 0u32);
        while start.elapsed() < RUN {
            assert!(act(), "{name} failed");
            count += 1;
        }
        best = best.min(start.elapsed().as_secs_f64() / f64::from(count));
    }
    println!("  {name:14} {:8.2} us {:10.0} /s", best * 1e6, 1.0 / best);
}
