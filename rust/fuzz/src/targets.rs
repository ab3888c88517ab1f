//! What is done with bytes from outside, each with what must hold whatever the bytes are.
//!
//! The fuzzer runs these functions, and so does rust/core/tests/decoders.rs over the corpus and
//! over alterations of it. Where there are two back-ends, both must decide alike.

use meterseal_core::cpu::{self, Backend};
use meterseal_core::hmac::HmacSm3;
use meterseal_core::kdf::PrfHash;
use meterseal_core::kdf::hkdf_expand;
use meterseal_core::memory;
use meterseal_core::mlkem;
use meterseal_core::record::cbc::CbcOpener;
use meterseal_core::record::classic::{GcmOpener, GcmSealer, Limits, MasterSecret};
use meterseal_core::record::tls13::{Algorithm, Opener};
use meterseal_core::record::tls13_schedule::{KeySchedule, TrafficSecret};
use meterseal_core::sm2::{Layout, PrivateKey, PublicKey, Signature, SignatureEncoding};
use meterseal_core::sm4::{self, cbc, ccm::Ccm, gcm, gcm::Gcm};

/// A decoder.
pub struct Target {
    pub name: &'static str,
    pub run: fn(&[u8]),
}

pub const TARGETS: [Target; 11] = [
    Target { name: "signature", run: signature },
    Target { name: "point", run: point },
    Target { name: "private-key", run: private_key },
    Target { name: "ciphertext", run: ciphertext },
    Target { name: "gcm-record", run: gcm_record },
    Target { name: "cbc-record", run: cbc_record },
    Target { name: "tls13-record", run: tls13_record },
    Target { name: "aead", run: aead },
    Target { name: "padding", run: padding },
    Target { name: "lattice-key", run: lattice_key },
    Target { name: "lattice-ciphertext", run: lattice_ciphertext },
];

// --- SM2 ----------------------------------------------------------------------------------------

fn key() -> PrivateKey {
    PrivateKey::from_bytes(&[7; 32]).expect("a good key")
}

/// What decodes encodes to the same bytes; verification decides alike on both back-ends.
fn signature(data: &[u8]) {
    for encoding in [SignatureEncoding::Der, SignatureEncoding::Raw] {
        let Ok(signature) = Signature::from_bytes(data, encoding) else { continue };
        assert_eq!(signature.to_bytes(encoding), data);
        let raw = signature.to_bytes(SignatureEncoding::Raw);
        assert!(Signature::from_bytes(&raw, SignatureEncoding::Raw).is_ok());
        alike(|| key().public_key().verify_digest(&signature, &[9; 32]).is_ok());
    }
}

/// A point encodes to the bytes it came from, and both ends of an exchange agree.
fn point(data: &[u8]) {
    let Some(point) = alike(|| PublicKey::from_bytes(data).ok()) else { return };
    match data.len() {
        65 => assert_eq!(point.to_bytes(), data),
        _ => assert_eq!(point.to_compressed_bytes(), data),
    }
    assert!(PublicKey::from_bytes(&point.to_bytes()).is_ok_and(|again| again == point));
    let shared = alike(|| key().exchange_ecdh(&point).map(|secret| *secret));
    assert!(shared.is_ok());
}

/// A private key is what it was made from, and its public key is valid.
fn private_key(data: &[u8]) {
    let Some(key) = alike(|| PrivateKey::from_bytes(data).ok()) else { return };
    assert_eq!(key.to_bytes()[..], *data);
    assert!(PublicKey::from_bytes(&key.public_key().to_bytes()).is_ok());
}

const LAYOUTS: [Layout; 5] = [
    Layout::Der,
    Layout::C1C3C2 { leading_04: true },
    Layout::C1C3C2 { leading_04: false },
    Layout::C1C2C3 { leading_04: true },
    Layout::C1C2C3 { leading_04: false },
];

/// Every layout is refused or gives a plaintext shorter than itself; as a plaintext, the bytes
/// come back from each.
fn ciphertext(data: &[u8]) {
    for layout in LAYOUTS {
        let opened = alike(|| key().decrypt(data, layout).map(|plain| plain.to_vec()));
        assert!(opened.is_err() || opened.is_ok_and(|plain| plain.len() + 96 <= data.len()));
    }
    let layout = LAYOUTS[data.len() % LAYOUTS.len()];
    match key().public_key().encrypt(data, layout) {
        Ok(sealed) => {
            assert!(key().decrypt(&sealed, layout).is_ok_and(|plain| *plain == data));
        }
        Err(_) => assert!(data.is_empty()),
    }
}

// --- records ------------------------------------------------------------------------------------

const RANDOMS: ([u8; 32], [u8; 32]) = ([1; 32], [2; 32]);

fn master() -> MasterSecret {
    MasterSecret::from_bytes(PrfHash::Sm3, &[3; 48])
}

/// The bytes as a record, and an authentic record of the bytes with one bit turned: refused.
fn gcm_record(data: &[u8]) {
    let open = |record: &[u8]| {
        let (protection, _) = master().gcm_protection(&RANDOMS.0, &RANDOMS.1);
        let mut opener = GcmOpener::new(protection, 0x0303, 1 << 14).expect("a good limit");
        let length = GcmOpener::opened_length(record.len());
        memory::vector(length, |room| opener.open(record, room)).map(|(plain, ())| plain)
    };
    assert!(alike(|| open(data)).is_err());
    let (protection, _) = master().gcm_protection(&RANDOMS.0, &RANDOMS.1);
    let mut sealer = GcmSealer::new(protection, 0x0303, Limits::default()).expect("good limits");
    let content = &data[..data.len().min(1 << 14)];
    let length = sealer.sealed_length(content.len()).expect("a length");
    let sealed = memory::vector(length, |room| sealer.seal(23, content, room));
    let (mut record, ()) = sealed.expect("a record");
    assert!(alike(|| open(&record)).is_ok_and(|plain| plain == content));
    turn_a_bit(&mut record, data);
    assert!(open(&record).is_err());
}

/// The first byte says how much of the rest is content; what follows stands where the padding
/// should. A plain reading of RFC 5246, 6.2.3.2 decides the same.
fn cbc_record(data: &[u8]) {
    let Some((&first, rest)) = data.split_first() else { return };
    let rest = &rest[..rest.len().min(2000)];
    let (content, padding) = rest.split_at(usize::from(first).min(rest.len()));
    let mut block = [0; 96];
    let seed = [&RANDOMS.1[..], &RANDOMS.0].concat();
    master().prf(b"key expansion", &seed, &mut block);
    let header = [&[0; 8][..], &[23, 1, 1], &(content.len() as u16).to_be_bytes()].concat();
    let mac = HmacSm3::mac(&block[..32], &[&header, content]);
    let plain = [content, &mac, padding].concat();
    let mut record =
        [&[23, 1, 1][..], &((plain.len() + 16) as u16).to_be_bytes(), &[9; 16]].concat();
    let key = sm4::Key::new(block[64..80].try_into().expect("16 bytes"));
    match cbc::encrypt(&key, &[9; 16], &plain, false) {
        Ok(sealed) => record.extend(sealed),
        Err(_) => record.extend(&plain), // no whole blocks
    }
    let opened = alike(|| {
        let (protection, _) = master().cbc_protection(&RANDOMS.0, &RANDOMS.1);
        CbcOpener::new(protection, 0x0101).open(&record).map(|plain| plain.to_vec())
    });
    let whole = plain.len().is_multiple_of(16);
    let padded = padding.split_last().is_some_and(|(&last, before)| {
        usize::from(last) == before.len() && before.iter().all(|&byte| byte == last)
    });
    match opened {
        Ok(opened) => assert!(whole && padded && opened == content),
        Err(_) => assert!(!(whole && padded)),
    }
}

/// The bytes as what stands inside a record, sealed as RFC 8446, 5.2 says: content, type, zeros.
fn tls13_record(data: &[u8]) {
    let inner = &data[..data.len().min(1 << 14)];
    let secret = traffic();
    let (mut key, mut iv) = ([0; 16], [0; 12]);
    hkdf_expand(secret.as_bytes(), b"\0\x10\x09tls13 key\0", &mut key).expect("a key");
    hkdf_expand(secret.as_bytes(), b"\0\x0c\x08tls13 iv\0", &mut iv).expect("an IV");
    let mut record = [&[23, 3, 3][..], &((inner.len() + 16) as u16).to_be_bytes()].concat();
    let (header, mut text) = (record.clone(), inner.to_vec());
    let tag = Gcm::new(&key).encrypt(&iv, &header, &mut text).expect("sealed");
    record.extend(text);
    record.extend(tag);
    let open = |record: &[u8]| {
        let mut opener = Opener::new(secret.clone(), 1 << 14).expect("a good limit");
        let length = Opener::opened_length(record.len());
        memory::vector(length, |room| opener.open(record, room))
            .map(|(content, kind)| (kind, content))
    };
    let opened = alike(|| open(&record));
    let end = inner.iter().rposition(|&byte| byte != 0);
    let expected = end.map_or((0, &[][..]), |end| (inner[end], &inner[..end]));
    match opened {
        Ok((kind, content)) => assert_eq!((kind, &content[..]), expected),
        Err(_) => assert!(inner.is_empty()), // no room for a type
    }
    turn_a_bit(&mut record, data);
    assert!(open(&record).is_err());
    assert!(alike(|| open(data)).is_err());
}

fn traffic() -> TrafficSecret {
    let mut schedule = KeySchedule::new(Algorithm::Sm4Gcm, None);
    let traffic = schedule.enter_handshake(&[4; 32], &[5; 32]);
    traffic.expect("the first stage").client.clone()
}

// --- SM4 ----------------------------------------------------------------------------------------

/// Nonce, additional data and tag lengths as the first bytes say: what was sealed opens, in one
/// piece and in two, and with a bit turned it does not; nor do the bytes themselves.
fn aead(data: &[u8]) {
    let Some((&[nonce, aad, tag], rest)) = data.split_first_chunk() else { return };
    let (nonce, rest) = rest.split_at(usize::from(nonce % 20).min(rest.len()));
    let (aad, text) = rest.split_at(usize::from(aad).min(rest.len()));
    let gcm = Gcm::new(&[8; 16]);
    let mut sealed = text.to_vec();
    let Ok(made) = alike(|| gcm.encrypt(nonce, aad, &mut text.to_vec())) else {
        assert!(nonce.is_empty());
        return;
    };
    gcm.encrypt(nonce, aad, &mut sealed).expect("as before");
    assert!(gcm.decrypt(nonce, aad, &mut sealed.clone(), &made).is_ok());
    let mut stream = gcm::Stream::new(gcm.clone(), nonce, aad, true).expect("a nonce");
    let (head, tail) = sealed.split_at(usize::from(tag).min(text.len()));
    let pieces = memory::vector(text.len(), |room| {
        stream.apply_to(head, room)?;
        stream.apply_to(tail, room)
    });
    assert!(stream.verify(&made).is_ok());
    assert_eq!(pieces, Ok((text.to_vec(), ())));
    let mut whole = [&sealed[..], &made].concat();
    turn_a_bit(&mut whole, data);
    let (altered, altered_tag) = whole.split_at_mut(sealed.len());
    assert!(gcm.decrypt(nonce, aad, altered, altered_tag).is_err());
    let Ok(ccm) = Ccm::new(&[8; 16], usize::from(tag)) else { return };
    let mut sealed = text.to_vec();
    if let Ok(made) = ccm.encrypt(nonce, aad, &mut sealed) {
        let tag = &made[..ccm.tag_length()];
        assert!(ccm.decrypt(nonce, aad, &mut sealed, tag).is_ok());
        assert_eq!(sealed, text);
    }
}

/// PKCS #7 padding, against a plain reading of it.
fn padding(data: &[u8]) {
    let key = sm4::Key::new(&[8; 16]);
    let Ok(sealed) = cbc::encrypt(&key, &[9; 16], data, false) else { return };
    let opened = alike(|| cbc::decrypt(&key, &[9; 16], &sealed, true).map(|p| p.to_vec()));
    let expected = data.last().and_then(|&last| {
        let start = data.len().checked_sub(usize::from(last))?;
        let good = (1..=16).contains(&last) && data[start..].iter().all(|&byte| byte == last);
        good.then(|| data[..start].to_vec())
    });
    assert_eq!(opened.ok(), expected);
}

// --- ML-KEM -------------------------------------------------------------------------------------

/// A key is taken if its length fits and each of its numbers of 12 bits is below 3329.
fn lattice_key(data: &[u8]) {
    let reduced = data.chunks_exact(3).take(384).all(|chunk| {
        let (a, b, c) = (u16::from(chunk[0]), u16::from(chunk[1]), u16::from(chunk[2]));
        (a | (b & 15) << 8) < 3329 && (b >> 4 | c << 4) < 3329
    });
    let taken = mlkem::encapsulate(data).is_ok();
    assert_eq!(taken, data.len() == mlkem::PUBLIC_SIZE && reduced);
}

/// Every ciphertext of the right length gives a secret, the same each time.
fn lattice_ciphertext(data: &[u8]) {
    let private = mlkem::PrivateKey::from_seed(&[6; 64]);
    match (private.decapsulate(data), private.decapsulate(data)) {
        (Ok(one), Ok(other)) => assert!(one == other && data.len() == mlkem::CIPHERTEXT_SIZE),
        (one, other) => assert!(one.is_err() && other.is_err() && data.len() != 1088),
    }
}

// --- what all share -----------------------------------------------------------------------------

/// The result on every back-end of this CPU, which must be the same.
fn alike<T: PartialEq + core::fmt::Debug>(act: impl Fn() -> T) -> T {
    let on = |backend| cpu::force(backend).ok().map(|()| act());
    let portable = on(Backend::Portable).expect("the portable back-end always runs");
    for other in Backend::ALL.into_iter().filter_map(on) {
        assert_eq!(portable, other);
    }
    portable
}

/// Turns one bit of `bytes`, at a place that `data` decides.
fn turn_a_bit(bytes: &mut [u8], data: &[u8]) {
    let place = data.iter().fold(0usize, |sum, &byte| sum.wrapping_mul(31) + usize::from(byte));
    let bit = place % (8 * bytes.len());
    bytes[bit / 8] ^= 1 << (bit % 8);
}
