//! Encodings: points (GB/T 32918.1-2016, 4.2), signatures and ciphertexts (GM/T 0009-2012, 7).
//!
//! Strict: each value has one encoding, and nothing follows it.

use super::field::{Arithmetic, Fe};
use super::limbs::Limbs;
use super::multiply::dispatch;
use super::point::Affine;
use super::scalar::Scalar;
use super::sign::Signature;
use crate::error::Error;

/// How a signature is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignatureEncoding {
    /// SEQUENCE { INTEGER r, INTEGER s }
    Der,
    /// r, s: 64 bytes
    Raw,
}

/// a, b, xG, yG: the middle of what Z hashes.
pub const CURVE: [u8; 128] = [
    0xff, 0xff, 0xff, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfc,
    0x28, 0xe9, 0xfa, 0x9e, 0x9d, 0x9f, 0x5e, 0x34, 0x4d, 0x5a, 0x9e, 0x4b, 0xcf, 0x65, 0x09, 0xa7,
    0xf3, 0x97, 0x89, 0xf5, 0x15, 0xab, 0x8f, 0x92, 0xdd, 0xbc, 0xbd, 0x41, 0x4d, 0x94, 0x0e, 0x93,
    0x32, 0xc4, 0xae, 0x2c, 0x1f, 0x19, 0x81, 0x19, 0x5f, 0x99, 0x04, 0x46, 0x6a, 0x39, 0xc9, 0x94,
    0x8f, 0xe3, 0x0b, 0xbf, 0xf2, 0x66, 0x0b, 0xe1, 0x71, 0x5a, 0x45, 0x89, 0x33, 0x4c, 0x74, 0xc7,
    0xbc, 0x37, 0x36, 0xa2, 0xf4, 0xf6, 0x77, 0x9c, 0x59, 0xbd, 0xce, 0xe3, 0x6b, 0x69, 0x21, 0x53,
    0xd0, 0xa9, 0x87, 0x7c, 0xc6, 0x2a, 0x47, 0x40, 0x02, 0xdf, 0x32, 0xe5, 0x21, 0x39, 0xf0, 0xa0,
];

/// A point from 65 or 33 bytes.
pub(super) fn decode_point(bytes: &[u8]) -> Result<Affine, Error> {
    match (bytes.first(), bytes.len()) {
        (Some(4), 65) => decode_uncompressed(&bytes[1..]),
        (Some(&tag @ (2 | 3)), 33) => decode_compressed(tag == 3, &bytes[1..]),
        (Some(6 | 7), _) => Err(Error::InvalidKey("the hybrid form of a point is not accepted")),
        _ => Err(Error::InvalidKey("a point has 65 bytes with 04 or 33 bytes with 02 or 03")),
    }
}

/// A point from x and y.
pub(super) fn decode_uncompressed(coordinates: &[u8]) -> Result<Affine, Error> {
    let (x, y) = coordinates.split_at_checked(32).ok_or(BAD_LENGTH)?;
    let x: &[u8; 32] = x.try_into().map_err(|_| BAD_LENGTH)?;
    let y: &[u8; 32] = y.try_into().map_err(|_| BAD_LENGTH)?;
    dispatch!(A => point_from::<A>(x, y))
}

fn point_from<A: Arithmetic>(x: &[u8; 32], y: &[u8; 32]) -> Result<Affine, Error> {
    let x = Fe::from_bytes::<A>(x).ok_or(TOO_LARGE)?;
    let y = Fe::from_bytes::<A>(y).ok_or(TOO_LARGE)?;
    Some(Affine { x, y }).filter(|point| point.is_on_curve::<A>() != 0).ok_or(OFF_CURVE)
}

fn decode_compressed(odd: bool, x: &[u8]) -> Result<Affine, Error> {
    let x: &[u8; 32] = x.try_into().map_err(|_| BAD_LENGTH)?;
    dispatch!(A => {
        let x = Fe::from_bytes::<A>(x).ok_or(TOO_LARGE)?;
        Affine::from_x::<A>(x, odd).ok_or(OFF_CURVE)
    })
}

const BAD_LENGTH: Error = Error::InvalidKey("a coordinate has 32 bytes");
const TOO_LARGE: Error = Error::InvalidKey("a coordinate is not below p");
const OFF_CURVE: Error = Error::InvalidKey("the point is not on the curve");

/// 04, x, y
pub(super) fn encode_point(point: &Affine) -> [u8; 65] {
    let mut bytes = [4; 65];
    bytes[1..33].copy_from_slice(&field_bytes(&point.x));
    bytes[33..].copy_from_slice(&field_bytes(&point.y));
    bytes
}

/// A coordinate as a number below p.
pub(super) fn field_limbs(value: &Fe) -> Limbs {
    dispatch!(A => value.to_limbs::<A>())
}

/// A coordinate as 32 bytes.
pub(super) fn field_bytes(value: &Fe) -> [u8; 32] {
    dispatch!(A => value.to_bytes::<A>())
}

pub(super) fn decode_signature(
    bytes: &[u8],
    encoding: SignatureEncoding,
) -> Result<Signature, Error> {
    let (r, s) = match encoding {
        SignatureEncoding::Raw => bytes.split_at_checked(32).and_then(|(r, s)| {
            Some((<[u8; 32]>::try_from(r).ok()?, <[u8; 32]>::try_from(s).ok()?))
        }),
        SignatureEncoding::Der => two_integers(bytes),
    }
    .ok_or(Error::InvalidSignature)?;
    let in_range = |bytes| Scalar::from_bytes(bytes).filter(|number| number.is_zero() == 0);
    match (in_range(&r), in_range(&s)) {
        (Some(r), Some(s)) => Ok(Signature { r, s }),
        _ => Err(Error::InvalidSignature),
    }
}

fn two_integers(bytes: &[u8]) -> Option<([u8; 32], [u8; 32])> {
    let mut content = DerReader::sequence(bytes)?;
    let numbers = (content.integer()?, content.integer()?);
    content.is_at_end().then_some(numbers)
}

pub(super) fn encode_signature(signature: &Signature, encoding: SignatureEncoding) -> Vec<u8> {
    let (r, s) = (signature.r.to_bytes(), signature.s.to_bytes());
    match encoding {
        SignatureEncoding::Raw => [r, s].concat(),
        SignatureEncoding::Der => {
            let mut content = Vec::with_capacity(70);
            put_integer(&mut content, &r);
            put_integer(&mut content, &s);
            sequence(&content)
        }
    }
}

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;

/// A DER SEQUENCE of that content.
pub(super) fn sequence(content: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len() + 10);
    put_head(&mut out, SEQUENCE, content.len());
    out.extend(content);
    out
}

/// Appends a DER INTEGER, not negative.
pub(super) fn put_integer(out: &mut Vec<u8>, number: &[u8]) {
    let zeros =
        number.iter().take(number.len().saturating_sub(1)).take_while(|&&byte| byte == 0).count();
    let minimal = &number[zeros..];
    let sign: &[u8] = if minimal[0] < 0x80 { &[] } else { &[0] };
    put_head(out, INTEGER, sign.len() + minimal.len());
    out.extend(sign);
    out.extend(minimal);
}

/// Appends a DER OCTET STRING.
pub(super) fn put_octet_string(out: &mut Vec<u8>, content: &[u8]) {
    put_head(out, OCTET_STRING, content.len());
    out.extend(content);
}

fn put_head(out: &mut Vec<u8>, tag: u8, length: usize) {
    out.push(tag);
    if length < 0x80 {
        out.push(length as u8);
        return;
    }
    let length = length.to_be_bytes();
    let significant = &length[length.iter().take_while(|&&byte| byte == 0).count()..];
    out.push(0x80 | significant.len() as u8);
    out.extend(significant);
}

/// A strict reader of the few DER types needed here. `None` is malformed.
pub(super) struct DerReader<'a> {
    rest: &'a [u8],
}

impl<'a> DerReader<'a> {
    /// The content of the one SEQUENCE that `bytes` is.
    pub(super) fn sequence(bytes: &'a [u8]) -> Option<Self> {
        let mut outer = Self { rest: bytes };
        let content = outer.element(SEQUENCE)?;
        outer.is_at_end().then_some(Self { rest: content })
    }

    /// A minimal INTEGER of 0 to 2^256 - 1.
    pub(super) fn integer(&mut self) -> Option<[u8; 32]> {
        let content = self.element(INTEGER)?;
        let digits = match content {
            [] | [0x80..=0xff, ..] | [0, 0..=0x7f, ..] => return None,
            [0, digits @ ..] if !digits.is_empty() => digits,
            digits => digits,
        };
        let mut number = [0; 32];
        let start = number.len().checked_sub(digits.len())?;
        number[start..].copy_from_slice(digits);
        Some(number)
    }

    /// An OCTET STRING.
    pub(super) fn octet_string(&mut self) -> Option<&'a [u8]> {
        self.element(OCTET_STRING)
    }

    /// Whether nothing is left.
    pub(super) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    fn element(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (&[found, first], rest) = self.rest.split_first_chunk()?;
        if found != tag {
            return None;
        }
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            0x81..=0x84 => long_length(usize::from(first & 0x7f), rest)?,
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.rest = rest;
        Some(content)
    }
}

/// A length of `count` bytes, which must need them all.
fn long_length(count: usize, bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (digits, rest) = bytes.split_at_checked(count)?;
    let length = digits.iter().fold(0usize, |length, &digit| (length << 8) | usize::from(digit));
    (digits[0] != 0 && length >= 0x80).then_some((length, rest))
}

/// x and y of a point as fresh copies, for hashing.
pub(super) fn coordinates(point: &Affine) -> zeroize::Zeroizing<[u8; 64]> {
    let mut bytes = zeroize::Zeroizing::new([0; 64]);
    bytes[..32].copy_from_slice(&field_bytes(&point.x));
    bytes[32..].copy_from_slice(&field_bytes(&point.y));
    bytes
}
