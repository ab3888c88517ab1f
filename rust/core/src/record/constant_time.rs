//! Neither keys nor plaintexts decide a branch or an address in SM4, GHASH, SM3 and the opening of
//! CBC records: shown by memcheck, to which they are undefined.
//!
//! Run by tests/crypto/test_constant_time.py; without Valgrind there is nothing to see.

use core::hint::black_box;

use super::cbc::{CbcOpener, CbcProtection};
use super::classic::MasterSecret;
use crate::arch::valgrind;
use crate::cpu::{self, Backend};
use crate::ct;
use crate::hmac::HmacSm3;
use crate::sm3::Sm3;
use crate::sm4::{Key, gcm::Gcm};

#[test]
fn no_branch_and_no_address_depends_on_key_or_plaintext() {
    if !valgrind::is_running() {
        return;
    }
    for backend in [Backend::Portable, Backend::X86_64] {
        cpu::force_under_valgrind(backend);
        let name = backend.name();
        watch(&format!("SM4, {name}"), |secret| {
            let key = Key::new(array(secret));
            let mut blocks: [[u8; 16]; 9] = core::array::from_fn(|_| *array(secret));
            key.encrypt_blocks(&mut blocks);
            key.decrypt_blocks(&mut blocks);
            black_box(blocks);
        });
        watch(&format!("SM4-GCM, {name}"), |secret| {
            let gcm = Gcm::new(array(secret));
            let mut text = secret.to_vec();
            black_box(gcm.encrypt(&[5; 12], b"aad", &mut text).is_ok());
        });
        watch(&format!("SM3 and HMAC, {name}"), |secret| {
            black_box(Sm3::digest(secret));
            black_box(HmacSm3::mac(secret, &[secret]));
        });
        watch(&format!("comparison of MACs, {name}"), |secret| {
            // The answer itself is public: it is looked at only after it was declared so.
            black_box(ct::mask_if_zero(u64::from(secret[0])));
        });
        watch(&format!("opening of a CBC record, {name}"), |secret| {
            black_box(opener().authenticate(23, secret));
        });
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

fn opener() -> CbcOpener {
    let (protection, _): (CbcProtection, _) =
        MasterSecret::from_bytes(&[3; 48]).cbc_protection(&[1; 32], &[2; 32]);
    CbcOpener::new(protection, 0x0101)
}

fn array(secret: &[u8]) -> &[u8; 16] {
    secret.first_chunk().unwrap_or(&[0; 16])
}

/// Runs `act` on 400 secret bytes and demands that memcheck sees nothing.
fn watch(name: &str, act: impl FnOnce(&[u8])) {
    let mut secret: Vec<u8> = (0..400u32).map(|i| (i * 31) as u8).collect();
    valgrind::make_bytes_secret(&mut secret);
    let before = valgrind::errors();
    act(&secret);
    let seen = valgrind::errors() - before;
    valgrind::make_bytes_public(&mut secret);
    assert!(seen == 0, "{name}: {seen} uses of a secret");
}
