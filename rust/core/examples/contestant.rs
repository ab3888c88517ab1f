//! The core without Python, as a contestant of `benchmarks/primitives.py`, which does what a call
//! from Python does: the same arguments, and a result in memory of its own. It reads `WORK SECONDS`,
//! answers with items in a second of CPU time, or `-` for work it does not know. `WORK COUNT` as
//! arguments do the work so often and end: for those who count instructions.

use std::hint::black_box;
use std::io::{BufRead, Write};
use std::time::Duration;

use meterseal_core::cpu;
use meterseal_core::memory;
use meterseal_core::sm2::{
    DEFAULT_ID as ID, Layout, PrivateKey, SignatureEncoding, exchange_ecdh_batch, generate_batch,
    sign_batch, verify_batch,
};
use meterseal_core::sm3::{Sm3, digest_many};
use meterseal_core::sm4::Key;
use meterseal_core::sm4::cbc;
use meterseal_core::sm4::ctr::Ctr;
use meterseal_core::sm4::gcm::Gcm;

type Work = Box<dyn FnMut()>;

/// Items of a call that takes many.
const BATCH: usize = 256;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [work, count] = arguments.as_slice() {
        #[cfg(feature = "valgrind")]
        force_wish();
        return repeat(work, count.parse().unwrap_or(0));
    }
    println!("meterseal core, {}", cpu::backend().name());
    let (mut out, mut current) = (std::io::stdout(), (String::new(), None));
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let (work, seconds) = line.split_once(' ').unwrap_or((&line, "0.1"));
        if current.0 != work {
            current = (work.to_owned(), named(work));
        }
        let spent = Duration::from_secs_f64(seconds.parse().unwrap_or(0.1));
        match &mut current.1 {
            Some(call) => println!("{}", calls_per_second(call, spent) * items(work)),
            None => println!("-"),
        }
        if out.flush().is_err() {
            return;
        }
    }
}

#[cfg(feature = "valgrind")]
fn force_wish() {
    let wish = std::env::var(cpu::ENVIRONMENT_VARIABLE).unwrap_or_default();
    if let Some(backend) = cpu::Backend::from_name(&wish) {
        cpu::force_under_valgrind(backend);
    }
}

fn repeat(work: &str, count: u32) {
    if let Some(mut call) = named(work) {
        (0..count).for_each(|_| call());
    }
}

fn calls_per_second(call: &mut Work, wanted: Duration) -> f64 {
    let mut count = 1_u32;
    loop {
        let start = spent_until_now();
        for _ in 0..count {
            call();
        }
        let spent = spent_until_now().saturating_sub(start);
        if spent * 2 >= wanted {
            return f64::from(count) / spent.as_secs_f64();
        }
        let factor = (wanted.as_secs_f64() / spent.as_secs_f64().max(1e-9)).clamp(1.5, 10.0);
        count = (f64::from(count) * factor) as u32 + 1;
    }
}

#[allow(unsafe_code)]
fn spent_until_now() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a timespec of ours.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn named(work: &str) -> Option<Work> {
    let (name, size) = work.split_once('/').unwrap_or((work, "0"));
    let size = size.parse().ok()?;
    of_sm2(name).or_else(|| of_many(name)).or_else(|| of_ciphers(name, vec![7_u8; size]))
}

/// How many items a call of this work does.
fn items(work: &str) -> f64 {
    if work.contains("-batch") || work.contains("-many") { BATCH as f64 } else { 1.0 }
}

fn of_sm2(name: &str) -> Option<Work> {
    let key = PrivateKey::generate().ok()?;
    let public = key.public_key().clone();
    let digest = [7_u8; 32];
    Some(match name {
        "sm2-keygen" => Box::new(|| drop(black_box(PrivateKey::generate()))),
        "sm2-sign" => Box::new(move || {
            let _ = black_box(key.sign_digest(&digest));
        }),
        "sm2-verify" => {
            let signature = key.sign_digest(&digest).ok()?;
            Box::new(move || assert!(public.verify_digest(&signature, &digest).is_ok()))
        }
        "sm2-verify-prepared" => {
            let signature = key.sign_digest(&digest).ok()?;
            public.prepare();
            Box::new(move || assert!(public.verify_digest(&signature, &digest).is_ok()))
        }
        "sm2-ecdh" => Box::new(move || drop(black_box(key.exchange_ecdh(&public)))),
        "sm2-encrypt" => Box::new(move || drop(black_box(public.encrypt(&digest, Layout::Der)))),
        "sm2-decrypt" => {
            let sealed = public.encrypt(&digest, Layout::Der).ok()?;
            Box::new(move || drop(black_box(key.decrypt(&sealed, Layout::Der))))
        }
        _ => return None,
    })
}

/// Of messages of 64 bytes, under one key or, for `-keys`, under one key each.
fn of_many(name: &str) -> Option<Work> {
    let keys = generate_batch(if name.ends_with("-keys") { BATCH } else { 1 }).ok()?;
    let messages: Vec<_> = (0..BATCH).map(|number| format!("{number:064}")).collect();
    let pairs: Vec<_> = keys
        .iter()
        .cycle()
        .zip(&messages)
        .map(|(key, message)| (key.clone(), message.clone().into_bytes()))
        .collect();
    Some(match name {
        "sm2-keygen-batch" => Box::new(|| drop(black_box(generate_batch(BATCH)))),
        "sm2-sign-batch" => Box::new(move || {
            let requests: Vec<_> = pairs.iter().map(|(key, m)| (key, &m[..])).collect();
            drop(black_box(sign_batch(&requests, ID)));
        }),
        "sm2-verify-batch" | "sm2-verify-batch-keys" => {
            let requests: Vec<_> = pairs.iter().map(|(key, m)| (key, &m[..])).collect();
            let made = sign_batch(&requests, ID).ok()?;
            let made: Vec<_> = made.iter().map(|s| s.to_bytes(SignatureEncoding::Der)).collect();
            Box::new(move || {
                let requests: Vec<_> = pairs
                    .iter()
                    .zip(&made)
                    .map(|((key, message), s)| (key.public_key(), &s[..], &message[..]))
                    .collect();
                let answers = verify_batch(&requests, ID, SignatureEncoding::Der);
                assert!(answers.is_ok_and(|answers| answers.iter().all(|holds| *holds)));
            })
        }
        "sm2-ecdh-batch" => Box::new(move || {
            let requests: Vec<_> = pairs.iter().map(|(key, _)| (key, key.public_key())).collect();
            drop(black_box(exchange_ecdh_batch(&requests)));
        }),
        _ => return None,
    })
}

fn of_ciphers(name: &str, data: Vec<u8>) -> Option<Work> {
    let key = [3_u8; 16];
    Some(match name {
        "sm3" => Box::new(move || {
            black_box(Sm3::digest(black_box(&data)));
        }),
        "sm3-many" => {
            let messages = vec![data; BATCH];
            Box::new(move || {
                let messages: Vec<_> = messages.iter().map(|message| &message[..]).collect();
                drop(black_box(digest_many(black_box(&messages))));
            })
        }
        "sm4-gcm" => {
            let gcm = Gcm::new(&key);
            Box::new(move || {
                let sealed = memory::vector(data.len() + 16, |room| {
                    let tag = gcm.encrypt_to(&[1; 12], &[2; 13], &[black_box(&data)], room)?;
                    room.write(&tag).map(|_| ())
                });
                let _ = black_box(sealed);
            })
        }
        "sm4-ctr" => Box::new(move || {
            let mut ctr = Ctr::new(Key::new(black_box(&key)), &[1; 16]);
            let _ = black_box(memory::vector(data.len(), |room| ctr.apply_to(&data, room)));
        }),
        "sm4-cbc-decrypt" => Box::new(move || {
            let key = Key::new(black_box(&key));
            let message = cbc::Message::new(&key, &[1; 16], &data, false);
            let _ = black_box(message.and_then(|message| {
                memory::vector(message.length(), |room| message.decrypt_to(room))
            }));
        }),
        _ => return None,
    })
}
