//! Keys from secrets: the KDF of SM2, HKDF, PBKDF2 and the pseudorandom function of TLS 1.2.

use sha2::{Digest as _, Sha256};
use zeroize::{Zeroize, Zeroizing};

use crate::error::Error;
use crate::hmac::HmacSm3;
use crate::sm3::chain;
use crate::sm3::many::{self, Message};
use crate::sm3::{BLOCK_SIZE, DIGEST_SIZE, Digest, Sm3};

/// Most bytes that HKDF gives (RFC 5869, 2.3).
pub const HKDF_MAX_LENGTH: usize = 255 * DIGEST_SIZE;

/// KDF(Z, klen) of SM2 (GB/T 32918.3-2016, 5.4.3); Z is given in parts.
///
/// # Errors
/// [`Error::InvalidInput`] if more than 2^32 - 1 digests would be needed.
pub fn sm2_kdf(z: &[&[u8]], out: &mut [u8]) -> Result<(), Error> {
    if u32::try_from(out.len().div_ceil(DIGEST_SIZE)).is_err() {
        return Err(Error::InvalidInput("the SM2 KDF gives at most 2^32 - 1 digests"));
    }
    let z = Zeroizing::new(z.concat());
    // a): the counter starts at 1 and has 32 bits.
    let mut counter = 1u32;
    for chunk in out.chunks_mut(SIDE_BY_SIDE * DIGEST_SIZE) {
        let counters: [_; SIDE_BY_SIDE] =
            core::array::from_fn(|i| counter.wrapping_add(i as u32).to_be_bytes());
        counter = counter.wrapping_add(SIDE_BY_SIDE as u32);
        let blocks = chunk.chunks_mut(DIGEST_SIZE);
        let digests = kdf_digests(&z, &counters[..blocks.len()]);
        blocks.zip(digests.iter()).for_each(|(block, digest)| copy_and_wipe(block, *digest));
    }
    Ok(())
}

/// Digests of the KDF of SM2 that are computed in one go.
const SIDE_BY_SIDE: usize = 16;

/// SM3(Z, counter) for each counter.
fn kdf_digests(z: &[u8], counters: &[[u8; 4]]) -> Zeroizing<Vec<Digest>> {
    if counters.len() > 1 && z.len() <= BLOCK_SIZE {
        let message = |counter| Message { after: None, prefix: z, body: counter };
        let messages: Vec<_> = counters.iter().map(|counter| message(&counter[..])).collect();
        return Zeroizing::new(many::digest_all(&messages));
    }
    let mut shared = Sm3::new();
    shared.update(z);
    let digest = |counter: &[u8; 4]| {
        let mut hash = shared.clone();
        hash.update(counter);
        hash.finalize()
    };
    Zeroizing::new(counters.iter().map(digest).collect())
}

/// HKDF-Extract (RFC 5869, 2.2); an empty salt stands for 32 zeros.
#[must_use]
pub fn hkdf_extract(salt: &[u8], secret: &[u8]) -> Digest {
    HmacSm3::mac(salt, &[secret])
}

/// HKDF-Expand (RFC 5869, 2.3).
///
/// # Errors
/// [`Error::InvalidInput`] beyond [`HKDF_MAX_LENGTH`] bytes.
pub fn hkdf_expand(key: &[u8], info: &[u8], out: &mut [u8]) -> Result<(), Error> {
    hkdf_expand_keyed(&HmacSm3::new(key), &[info], out)
}

/// HKDF-Expand by an HMAC that has its key, of an info in parts.
pub(crate) fn hkdf_expand_keyed(
    keyed: &HmacSm3,
    info: &[&[u8]],
    out: &mut [u8],
) -> Result<(), Error> {
    if out.len() > HKDF_MAX_LENGTH {
        return Err(Error::InvalidInput("HKDF-SM3 gives at most 8160 bytes"));
    }
    let mut previous: Digest = [0; DIGEST_SIZE];
    let mut used = 0;
    for (block, counter) in out.chunks_mut(DIGEST_SIZE).zip(1..=255u8) {
        let mut mac = keyed.clone();
        mac.update(&previous[..used]);
        info.iter().for_each(|part| mac.update(part));
        previous = mac.mac_parts(&[&[counter]]);
        used = DIGEST_SIZE;
        block.copy_from_slice(&previous[..block.len()]);
    }
    previous.zeroize();
    Ok(())
}

/// PBKDF2 (RFC 8018, 5.2) with HMAC-SM3.
///
/// # Errors
/// [`Error::InvalidInput`] for no iterations or more than 2^32 - 1 blocks.
pub fn pbkdf2(password: &[u8], salt: &[u8], iterations: u32, out: &mut [u8]) -> Result<(), Error> {
    if iterations == 0 {
        return Err(Error::InvalidInput("PBKDF2 needs at least one iteration"));
    }
    let count = u32::try_from(out.len().div_ceil(DIGEST_SIZE))
        .map_err(|_| Error::InvalidInput("PBKDF2 gives at most 2^32 - 1 blocks"))?;
    let keyed = HmacSm3::new(password);
    let first = |number: u32| keyed.clone().mac_parts(&[salt, &number.to_be_bytes()]);
    let mut sums = Zeroizing::new((1..=count).map(first).collect::<Vec<_>>());
    chain::sum_iterations(&keyed.states(), iterations, &mut sums);
    for (block, sum) in out.chunks_mut(DIGEST_SIZE).zip(&sums[..]) {
        block.copy_from_slice(&sum[..block.len()]);
    }
    Ok(())
}

/// The hash under a PRF of TLS 1.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrfHash {
    /// SM3: TLCP, and the SM suites of TLS 1.2 but one.
    Sm3,
    /// SHA-256, by the `sha2` crate: the default of TLS 1.2, which ECDHE-SM2-WITH-SMS4-SM3 keeps.
    Sha256,
}

/// PRF(secret, label, seed) (RFC 5246, 5; GB/T 38636-2020); label and seed are given in parts.
pub fn tls12_prf(hash: PrfHash, secret: &[u8], label_and_seed: &[&[u8]], out: &mut [u8]) {
    match hash {
        PrfHash::Sm3 => {
            let keyed = HmacSm3::new(secret);
            p_hash(|parts| keyed.clone().mac_parts(parts), label_and_seed, out);
        }
        PrfHash::Sha256 => p_hash(|parts| hmac_sha256(secret, parts), label_and_seed, out),
    }
}

/// P_hash(secret, label + seed), with the HMAC under the secret given.
fn p_hash(hmac: impl Fn(&[&[u8]]) -> Digest, label_and_seed: &[&[u8]], out: &mut [u8]) {
    let mut a = hmac(label_and_seed); // A(1)
    for block in out.chunks_mut(DIGEST_SIZE) {
        let parts = [&[&a[..]], label_and_seed].concat();
        copy_and_wipe(block, hmac(&parts));
        let next = hmac(&[&a]); // A(i + 1)
        a.zeroize();
        a = next;
    }
    a.zeroize();
}

/// HMAC (RFC 2104) with SHA-256; a longer key than a block is hashed first.
fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> Digest {
    const BLOCK: usize = 64;
    let mut pad = Zeroizing::new([0u8; BLOCK]);
    if key.len() <= BLOCK {
        pad[..key.len()].copy_from_slice(key);
    } else {
        pad[..DIGEST_SIZE].copy_from_slice(&Sha256::digest(key));
    }
    let mut hash = Sha256::new();
    hash.update(pad.map(|byte| byte ^ 0x36));
    for part in parts {
        hash.update(part);
    }
    let mut inner = hash.finalize_reset();
    hash.update(pad.map(|byte| byte ^ 0x5c));
    hash.update(inner);
    inner.zeroize();
    hash.finalize().into()
}

fn copy_and_wipe(block: &mut [u8], mut digest: Digest) {
    block.copy_from_slice(&digest[..block.len()]);
    digest.zeroize();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::{hex, on_every_backend};

    #[test]
    fn prf_gives_a_master_secret_and_a_key_block() {
        // Self-made; the master secret agrees with OpenSSL 4.0.2's TLS1-PRF over SM3.
        let premaster: Vec<u8> = (0..0x30).collect();
        let (client, server) = ([0x11; 32], [0x22; 32]);
        let (master, block) = on_every_backend(|| {
            let mut master = [0; 48];
            tls12_prf(PrfHash::Sm3, &premaster, &[b"master secret", &client, &server], &mut master);
            let mut block = [0; 40];
            tls12_prf(PrfHash::Sm3, &master, &[b"key expansion", &server, &client], &mut block);
            (master, block)
        });
        assert_eq!(
            master.to_vec(),
            hex("596aaed60fdc425d3806e9dc1e4d7c9131553f22e55bb487f3b3b3ae6abd1382\
                 51856b34065e5c09947653bcd5d1162c")
        );
        assert_eq!(
            block.to_vec(),
            hex("5b8fb78ce51f2e572ccddb5ac6677203454a7060ba384f2f27e64363031e635202a4de2244ceb730")
        );
    }

    /// The widely used vector for the PRF of TLS 1.2 with SHA-256, from the mailing list of the TLS
    /// working group (P. Gutmann and others, 2009).
    #[test]
    fn the_prf_with_sha_256_gives_the_published_value() {
        let secret = hex("9bbe436ba940f017b17652849a71db35");
        let seed = hex("a0ba9f936cda311827a6f796ffd5198c");
        let mut out = [0; 100];
        tls12_prf(PrfHash::Sha256, &secret, &[b"test label", &seed], &mut out);
        assert_eq!(
            out.to_vec(),
            hex(concat!(
                "e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a6b301791e90d35c9",
                "c9a46b4e14baf9af0fa022f7077def17abfd3797c0564bab4fbc91666e9def9b97fce34f796789ba",
                "a48082d122ee42c5a72e5a5110fff70187347b66"
            ))
        );
    }

    #[test]
    fn the_kdf_of_sm2_counts_from_one_for_every_length() {
        let z: [u8; 100] = core::array::from_fn(|i| i as u8);
        for known in [0, 5, 64, 65, 100] {
            let parts = [&z[..known / 2], &z[known / 2..known]];
            let expected: Vec<u8> = (1..=40u32)
                .flat_map(|counter| Sm3::digest(&[&z[..known], &counter.to_be_bytes()].concat()))
                .collect();
            for length in [0, 1, 32, 33, 64, 511, 512, 513, 1200] {
                let out = on_every_backend(|| {
                    let mut out = vec![0; length];
                    assert!(sm2_kdf(&parts, &mut out).is_ok());
                    out
                });
                assert_eq!(out, expected[..length], "{known} {length}");
            }
        }
    }

    #[test]
    fn pbkdf2_is_what_its_definition_says_for_any_number_of_blocks() {
        let plainly = |iterations: u32, length: usize| {
            let mut out = Vec::new();
            for number in 1..=length.div_ceil(DIGEST_SIZE) as u32 {
                let mut u = HmacSm3::mac(b"password", &[b"salt", &number.to_be_bytes()]);
                let mut sum = u;
                for _ in 1..iterations {
                    u = HmacSm3::mac(b"password", &[&u]);
                    sum.iter_mut().zip(u).for_each(|(sum, byte)| *sum ^= byte);
                }
                out.extend(sum);
            }
            out.truncate(length);
            out
        };
        for iterations in [1, 2, 5] {
            // Blocks: one, some for one set of lanes, a set and one more, more than go together.
            for length in [1, 32, 33, 80, 96, 250, 289, 512, 513, 700] {
                let out = on_every_backend(|| {
                    let mut out = vec![0; length];
                    assert!(pbkdf2(b"password", b"salt", iterations, &mut out).is_ok());
                    out
                });
                assert_eq!(out, plainly(iterations, length), "{iterations} {length}");
            }
        }
    }

    #[test]
    fn limits_are_refused() {
        assert!(hkdf_expand(&[0; 32], b"", &mut [0; HKDF_MAX_LENGTH + 1]).is_err());
        assert!(hkdf_expand(&[0; 32], b"", &mut [0; HKDF_MAX_LENGTH]).is_ok());
        assert!(pbkdf2(b"password", b"salt", 0, &mut [0; 16]).is_err());
    }
}
