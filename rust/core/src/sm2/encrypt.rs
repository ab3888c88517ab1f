//! Public-key encryption (GB/T 32918.4-2016).

use zeroize::Zeroizing;

use super::encoding::{self, DerReader};
use super::key::{PrivateKey, PublicKey};
use super::multiply;
use super::nonce::random_scalar;
use super::point::Affine;
use super::scalar::Scalar;
use crate::ct;
use crate::drbg::{Purpose, Randomness, System};
use crate::error::Error;
use crate::kdf::sm2_kdf;
use crate::sm3::Sm3;

/// Longest plaintext: 16 MiB. The standard would allow 128 GiB; longer data wants a symmetric key.
pub const MAX_PLAINTEXT: usize = 1 << 24;

/// How a ciphertext is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// SEQUENCE { INTEGER x1, INTEGER y1, OCTET STRING C3, OCTET STRING C2 } (GM/T 0009-2012, 7.2)
    Der,
    /// C1, C3, C2 (GB/T 32918.4-2016), C1 with or without its 04
    C1C3C2 {
        /// Whether C1 begins with 04.
        leading_04: bool,
    },
    /// C1, C2, C3 (the draft of 2010), C1 with or without its 04
    C1C2C3 {
        /// Whether C1 begins with 04.
        leading_04: bool,
    },
}

impl PublicKey {
    /// Encrypts 1 to 2^24 bytes.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] for another length; [`Error::RandomnessFailure`].
    pub fn encrypt(&self, plaintext: &[u8], layout: Layout) -> Result<Vec<u8>, Error> {
        self.encrypt_with(plaintext, layout, &mut System)
    }

    /// Encrypts with that randomness.
    ///
    /// # Errors
    /// As [`PublicKey::encrypt`].
    pub fn encrypt_with(
        &self,
        plaintext: &[u8],
        layout: Layout,
        randomness: &mut impl Randomness,
    ) -> Result<Vec<u8>, Error> {
        if plaintext.is_empty() {
            return Err(Error::InvalidInput("there is nothing to encrypt: the plaintext is empty"));
        }
        if plaintext.len() > MAX_PLAINTEXT {
            return Err(Error::InvalidInput("SM2 encrypts at most 16 MiB at once"));
        }
        loop {
            // A1: k
            let k = Zeroizing::new(random_scalar(Purpose::Encryption, randomness)?);
            if let Some(ciphertext) = self.encrypt_once(plaintext, &k) {
                return Ok(ciphertext.to_bytes(layout));
            }
        }
    }

    /// A2 to A8; `None` if the standard asks for another k.
    pub(super) fn encrypt_once(&self, plaintext: &[u8], k: &Scalar) -> Option<Ciphertext> {
        // A2, A4: C1 = [k] G, (x2, y2) = [k] P; A3 is void, as keys are valid and the cofactor is 1
        let (c1, shared) = multiply::base_and_secret(k, self.point())?;
        let (c1, shared) = (encoding::encode_point(&c1), encoding::coordinates(&shared));
        // A5, A6: C2 = M xor t for t = KDF(x2, y2, len), not all zeros
        let c2 = mask(&shared, plaintext)?;
        // A7: C3 = SM3(x2, M, y2)
        let c3 = check_value(&shared, plaintext);
        Some(Ciphertext { c1, c3, c2: c2.to_vec() })
    }
}

impl PrivateKey {
    /// Decrypts.
    ///
    /// # Errors
    /// [`Error::DecryptionFailed`], whatever the reason.
    pub fn decrypt(&self, ciphertext: &[u8], layout: Layout) -> Result<Zeroizing<Vec<u8>>, Error> {
        self.try_decrypt(ciphertext, layout).ok_or(Error::DecryptionFailed)
    }

    fn try_decrypt(&self, bytes: &[u8], layout: Layout) -> Option<Zeroizing<Vec<u8>>> {
        let ciphertext = Ciphertext::from_bytes(bytes, layout)?;
        // B1: C1 is on the curve; B2 is void, as the cofactor is 1
        let c1: Affine = encoding::decode_uncompressed(&ciphertext.c1[1..]).ok()?;
        // B3: (x2, y2) = [d] C1
        let shared = encoding::coordinates(&multiply::secret(self.scalar(), &c1)?);
        // B4, B5: M' = C2 xor t for t = KDF(x2, y2, len), not all zeros
        let plaintext = mask(&shared, &ciphertext.c2)?;
        // B6: u = SM3(x2, M', y2) is C3
        ct::equal(&check_value(&shared, &plaintext), &ciphertext.c3).then_some(plaintext)
    }
}

/// The data xored with the key stream; `None` if that is all zeros.
fn mask(shared: &[u8; 64], data: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut stream = Zeroizing::new(vec![0; data.len()]);
    sm2_kdf(&[shared], &mut stream).ok()?;
    let any = stream.iter().fold(0u8, |any, byte| any | byte);
    for (byte, input) in stream.iter_mut().zip(data) {
        *byte ^= input;
    }
    (ct::mask_if_zero(u64::from(any)) == 0).then_some(stream)
}

fn check_value(shared: &[u8; 64], plaintext: &[u8]) -> [u8; 32] {
    let mut hash = Sm3::new();
    hash.update(&shared[..32]);
    hash.update(plaintext);
    hash.update(&shared[32..]);
    hash.finalize()
}

/// The three parts of a ciphertext.
pub(super) struct Ciphertext {
    c1: [u8; 65],
    c3: [u8; 32],
    c2: Vec<u8>,
}

impl Ciphertext {
    pub(super) fn to_bytes(&self, layout: Layout) -> Vec<u8> {
        match layout {
            Layout::Der => self.to_der(),
            Layout::C1C3C2 { leading_04 } => [self.c1(leading_04), &self.c3, &self.c2].concat(),
            Layout::C1C2C3 { leading_04 } => [self.c1(leading_04), &self.c2, &self.c3].concat(),
        }
    }

    fn c1(&self, leading_04: bool) -> &[u8] {
        if leading_04 { &self.c1 } else { &self.c1[1..] }
    }

    fn to_der(&self) -> Vec<u8> {
        let (x, y) = self.c1[1..].split_at(32);
        let mut content = Vec::with_capacity(self.c2.len() + 128);
        encoding::put_integer(&mut content, x);
        encoding::put_integer(&mut content, y);
        encoding::put_octet_string(&mut content, &self.c3);
        encoding::put_octet_string(&mut content, &self.c2);
        encoding::sequence(&content)
    }

    /// The parts; the point is not yet checked. `None` is malformed.
    fn from_bytes(bytes: &[u8], layout: Layout) -> Option<Self> {
        let parts = match layout {
            Layout::Der => Self::from_der(bytes)?,
            Layout::C1C3C2 { leading_04 } => {
                let (c1, rest) = split_c1(bytes, leading_04)?;
                let (c3, c2) = rest.split_first_chunk()?;
                Self { c1, c3: *c3, c2: c2.to_vec() }
            }
            Layout::C1C2C3 { leading_04 } => {
                let (c1, rest) = split_c1(bytes, leading_04)?;
                let (c2, c3) = rest.split_last_chunk()?;
                Self { c1, c3: *c3, c2: c2.to_vec() }
            }
        };
        (1..=MAX_PLAINTEXT).contains(&parts.c2.len()).then_some(parts)
    }

    fn from_der(bytes: &[u8]) -> Option<Self> {
        let mut content = DerReader::sequence(bytes)?;
        let mut c1 = [4; 65];
        c1[1..33].copy_from_slice(&content.integer()?);
        c1[33..].copy_from_slice(&content.integer()?);
        let c3 = content.octet_string()?.try_into().ok()?;
        let c2 = content.octet_string()?.to_vec();
        content.is_at_end().then_some(Self { c1, c3, c2 })
    }
}

fn split_c1(bytes: &[u8], leading_04: bool) -> Option<([u8; 65], &[u8])> {
    let coordinates = if leading_04 { bytes.strip_prefix(&[4])? } else { bytes };
    let (coordinates, rest) = coordinates.split_at_checked(64)?;
    let mut c1 = [4; 65];
    c1[1..].copy_from_slice(coordinates);
    Some((c1, rest))
}
