//! Neither keys nor plaintexts decide a branch or an address, outside of SM2 (which has a file of
//! its own): shown by memcheck, to which they are undefined.
//!
//! Run by tests/crypto/test_constant_time.py; without Valgrind there is nothing to see.

use core::hint::black_box;

use meterseal_lattice::{Code, PrivateKey};

use crate::arch::valgrind::{self, SECRET_SIZE, watch};
use crate::cpu::{self, Backend};
use crate::ct;
use crate::drbg::hash_drbg::HashDrbg;
use crate::drbg::{Clock, EntropySource, Generator, Purpose, Randomness};
use crate::error::Error;
use crate::hmac::HmacSm3;
use crate::kdf::{self, PrfHash};
use crate::memory;
use crate::record::cbc::CbcOpener;
use crate::record::classic::{GcmOpener, MasterSecret};
use crate::record::tls13::{Algorithm, Opener, Sealer};
use crate::record::tls13_schedule::{KeySchedule, Psk};
use crate::sm3::Sm3;
use crate::sm4::{Key, cbc, ccm::Ccm, gcm::Gcm, xts};

#[test]
fn no_branch_and_no_address_depends_on_a_secret() {
    if !valgrind::is_running() {
        return;
    }
    for backend in [Backend::Portable, Backend::X86_64Sse, Backend::X86_64] {
        cpu::force_under_valgrind(backend);
        let name = backend.name();
        watch_ciphers(name);
        watch_hashes(name);
        watch_records(name);
        watch_generator(name);
    }
    watch_lattice(Code::Portable);
    watch_lattice(Code::Best);
}

fn watch_ciphers(name: &str) {
    watch(&format!("SM4, {name}"), 0, |secret| {
        let key = Key::new(array(secret));
        let mut blocks: [[u8; 16]; 9] = core::array::from_fn(|_| *array(secret));
        key.encrypt_blocks(&mut blocks);
        key.decrypt_blocks(&mut blocks);
        black_box(blocks);
    });
    watch(&format!("SM4-CBC, {name}"), 0, |secret| {
        let key = Key::new(array(secret));
        black_box(cbc::decrypt(&key, &[4; 16], secret, false).is_ok());
        black_box(cbc::encrypt(&key, &[4; 16], secret, true).is_ok());
    });
    watch(&format!("SM4-GCM, {name}"), 0, |secret| {
        black_box(Gcm::new(array(secret)).encrypt(&[5; 12], b"aad", secret).is_ok());
    });
    watch(&format!("SM4-CCM, {name}"), 0, |secret| {
        let ccm = Ccm::new(array(secret), 16);
        black_box(ccm.and_then(|ccm| ccm.encrypt(&[5; 12], b"aad", secret)).is_ok());
    });
    // Whether the two halves of the key are alike: then it is refused.
    watch(&format!("SM4-XTS, {name}"), 1, |secret| {
        let Some(key) = secret.first_chunk::<32>().copied() else { return };
        let Ok(xts) = xts::Xts::new(&key, xts::Standard::Ieee) else { return };
        black_box(xts.encrypt(&[5; 16], secret).is_ok());
        black_box(xts.decrypt(&[5; 16], secret).is_ok());
    });
    // Whether the tag is right is public.
    watch(&format!("a tag that is refused, {name}"), 1, |secret| {
        Gcm::new(array(secret)).decrypt(&[5; 12], b"aad", &mut [6; 64], &[7; 16])
    });
}

fn watch_hashes(name: &str) {
    watch(&format!("SM3 and HMAC, {name}"), 0, |secret| {
        black_box(Sm3::digest(&secret[..]));
        black_box(HmacSm3::mac(&secret[..], &[&secret[..]]));
    });
    // The answer itself is public: it is looked at only after it was declared so.
    watch(&format!("comparison of MACs, {name}"), 0, |secret| {
        black_box(ct::mask_if_zero(u64::from(secret[0])));
    });
    watch(&format!("a MAC that is refused, {name}"), 1, |secret| {
        HmacSm3::new(&secret[..32]).verify(&secret[32..64])
    });
    watch(&format!("PRF, HKDF, PBKDF2 and the KDF of SM2, {name}"), 0, |secret| {
        let mut out = [0; 100];
        kdf::tls12_prf(PrfHash::Sm3, &secret[..48], &[b"label", &[1; 64]], &mut out);
        let key = kdf::hkdf_extract(b"salt", &secret[..]);
        black_box(kdf::hkdf_expand(&key, b"info", &mut out).is_ok());
        black_box(kdf::pbkdf2(&secret[..], b"salt", 3, &mut out).is_ok());
        black_box(kdf::sm2_kdf(&[&secret[..]], &mut out).is_ok());
        black_box(out);
    });
}

fn watch_records(name: &str) {
    watch(&format!("from the premaster secret to a refused GCM record, {name}"), 1, |secret| {
        let master = MasterSecret::derive(PrfHash::Sm3, &secret[..48], &[1; 32], &[2; 32]);
        black_box(master.verify_data(b"client finished", &[3; 32]));
        let mut opener = GcmOpener::new(master.gcm_protection(&[1; 32], &[2; 32]).0, 0x0303, 100);
        let open = |o: &mut GcmOpener| {
            memory::vector(50, |room| o.open(&record(23, 24 + 50), room)).is_ok()
        };
        opener.as_mut().is_ok_and(open)
    });
    // A plaintext of its own, so that the verdict is not the only thing seen.
    watch(&format!("opening of a CBC record, {name}"), 0, |secret| {
        black_box(cbc_opener(&[3; 48]).authenticate(23, &secret[..]));
    });
    watch(&format!("from the master secret to a refused CBC record, {name}"), 1, |secret| {
        let Some(master) = secret.first_chunk::<48>() else { return Err(Error::InvalidTag) };
        cbc_opener(master).open(&record(23, 16 + 96))
    });
    for algorithm in [Algorithm::Sm4Gcm, Algorithm::Sm4Ccm] {
        watch(&format!("the schedule of TLS 1.3, {algorithm:?}, {name}"), 0, |secret| {
            let mut schedule = KeySchedule::new(algorithm, psk(secret).as_ref());
            black_box(schedule.binder(&[1; 32]).is_ok());
            black_box(schedule.enter_handshake(&secret[..64], &[1; 32]).is_ok());
            black_box(schedule.verify_data(true, &[1; 32]).is_ok());
            black_box(schedule.enter_application(&[2; 32]).is_ok());
            black_box(schedule.exporter(&[2; 32]).is_ok());
            black_box(schedule.resumption(&[3; 32]).and_then(|r| r.psk(b"nonce")).is_ok());
            let Ok(traffic) = schedule.current() else { return };
            let Ok(mut sealer) = Sealer::new(traffic.client.clone(), 1000) else { return };
            let sealed = memory::vector(SECRET_SIZE + 22, |room| sealer.seal(23, secret, room));
            black_box(sealed.is_ok());
            black_box(sealer.update().is_ok());
        });
        watch(&format!("a refused record of TLS 1.3, {algorithm:?}, {name}"), 1, |secret| {
            let mut schedule = KeySchedule::new(algorithm, None);
            let traffic = schedule.enter_handshake(&secret[..32], &[1; 32]).cloned();
            let mut opener = traffic.and_then(|traffic| Opener::new(traffic.server, 1000));
            let open = |opener: &mut Opener| {
                memory::vector(53, |room| opener.open(&record(23, 70), room)).is_ok()
            };
            opener.as_mut().is_ok_and(open)
        });
    }
}

fn watch_generator(name: &str) {
    watch(&format!("the generator's state, {name}"), 0, |secret| {
        let mut drbg = HashDrbg::instantiate(&secret[..32], &secret[32..48], b"stamp");
        drbg.reseed(&secret[48..80], b"more");
        let mut out = [0; 32];
        drbg.generate(&mut out, &secret[80..120]);
        black_box(out);
        drbg
    });
    // The verdict of the two health tests, at the two seeds and at the call.
    watch(&format!("the generator and its health tests, {name}"), 6, |secret| {
        let source = Repeating(*secret);
        let mut out = [0; 32];
        let generator = Generator::new(source, Stopped);
        generator.and_then(|mut generator| generator.fill(Purpose::PrivateKey, &mut out))
    });
}

/// Of the long form of a key only the vector s and the value z for implicit rejection are secret.
fn watch_lattice(code: Code) {
    let seed = core::array::from_fn(|i| i as u8);
    let private = PrivateKey::from_seed(&seed, code);
    let encapsulated = meterseal_lattice::encapsulate(&private.public_bytes(), &[9; 32], code);
    let Some((ciphertext, _)) = encapsulated else { panic!("a good key refused") };
    for altered in [false, true] {
        let mut ciphertext = ciphertext;
        ciphertext[700] ^= u8::from(altered);
        let mut expanded = private.to_expanded();
        let (s, z) = (0..1152, 2368..2400);
        valgrind::make_bytes_secret(&mut expanded[s]);
        valgrind::make_bytes_secret(&mut expanded[z]);
        let before = valgrind::errors();
        let secret = PrivateKey::from_expanded(&expanded).decapsulate(&ciphertext, code);
        let seen = valgrind::errors() - before;
        core::mem::forget(secret);
        assert_eq!(seen, 0, "ML-KEM decapsulation, {code:?}, altered: {altered}");
    }
}

#[test]
fn a_planted_leak_is_seen() {
    if !valgrind::is_running() {
        return;
    }
    let before = valgrind::errors();
    let mut secret = [7u8; 16];
    valgrind::make_bytes_secret(&mut secret);
    if black_box(secret[3]) == 7 {
        black_box(secret[4]);
    }
    assert!(valgrind::errors() > before, "memcheck does not see a branch on a secret");
}

fn cbc_opener(master: &[u8; 48]) -> CbcOpener {
    let (protection, _) =
        MasterSecret::from_bytes(PrfHash::Sm3, master).cbc_protection(&[1; 32], &[2; 32]);
    CbcOpener::new(protection, 0x0303)
}

/// A record with that many bytes behind its header.
fn record(content_type: u8, length: u16) -> Vec<u8> {
    let mut record = vec![content_type, 3, 3];
    record.extend(length.to_be_bytes());
    record.resize(5 + usize::from(length), 0xa5);
    record
}

fn psk(secret: &[u8; SECRET_SIZE]) -> Option<Psk> {
    secret.first_chunk().map(Psk::from_bytes)
}

fn array(secret: &[u8; SECRET_SIZE]) -> &[u8; 16] {
    secret.first_chunk().unwrap_or(&[0; 16])
}

/// Entropy that is secret and passes the health tests.
struct Repeating([u8; SECRET_SIZE]);

impl EntropySource for Repeating {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), Error> {
        for chunk in out.chunks_mut(SECRET_SIZE) {
            chunk.copy_from_slice(&self.0[..chunk.len()]);
        }
        Ok(())
    }
}

struct Stopped;

impl Clock for Stopped {
    fn utc_nanoseconds(&mut self) -> Result<u64, Error> {
        Ok(0)
    }

    fn elapsed_nanoseconds(&mut self) -> Result<u64, Error> {
        Ok(0)
    }
}
