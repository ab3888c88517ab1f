//! Many signatures, verifications, keys and agreements in one call.
//!
//! What can be computed side by side is: hashes in the lanes of wide registers, multiplications too on
//! the AVX-512 back-end, and the rest on all cores.

use std::collections::HashMap;
use std::num::NonZero;
use std::panic::resume_unwind;
use std::thread;

use zeroize::Zeroizing;

use super::arch;
use super::encoding::{self, SignatureEncoding};
use super::key::{PrivateKey, PublicKey};
use super::multiply;
use super::nonce;
use super::scalar::Scalar;
use super::sign::{Commitment, Signature};
use super::tables::Windows;
use crate::cpu;
use crate::drbg::{Purpose, System};
use crate::error::Error;

/// Signatures of one key in a batch for which it is worth to have a table of its multiples.
const WORTH_A_TABLE: usize = 4;
/// The same where registers are wide, and a verification without a table is cheap.
const WORTH_A_TABLE_IN_LANES: usize = 16;
/// Operations for which it is worth to trouble another core.
const WORTH_A_CORE: usize = 64;
/// Signatures whose nonces come from one call of the generator.
const TOGETHER: usize = 256;

/// A key, an encoded signature, and the message.
type Request<'a> = (&'a PublicKey, &'a [u8], &'a [u8]);
type Tables = HashMap<[u8; 65], Box<Windows>>;

/// Signs each message with its key. All cores sign.
///
/// # Errors
/// [`Error::RandomnessFailure`]; [`Error::InvalidInput`] for an identifier that is too long;
/// [`Error::FaultDetected`].
pub fn sign_batch(
    requests: &[(&PrivateKey, &[u8])],
    distinguishing_id: &[u8],
) -> Result<Vec<Signature>, Error> {
    on_all_cores(requests, |some| {
        let messages: Vec<_> = some.iter().map(|(key, m)| (key.public_key(), *m)).collect();
        let digests = PublicKey::message_digests(&messages, distinguishing_id)?;
        let pairs: Vec<_> = some.iter().map(|(key, _)| *key).zip(&digests).collect();
        let mut signatures = Vec::with_capacity(some.len());
        for pairs in pairs.chunks(TOGETHER) {
            sign_together(pairs, &mut signatures)?;
        }
        Ok(signatures)
    })
}

/// The steps of [`PrivateKey::sign_digest`], each for all.
fn sign_together(
    pairs: &[(&PrivateKey, &[u8; 32])],
    signatures: &mut Vec<Signature>,
) -> Result<(), Error> {
    let scalars: Vec<_> = pairs.iter().map(|(key, e)| (key.scalar(), *e)).collect();
    let nonces = nonce::hedged_together(&scalars, &mut System)?;
    for ((key, e), commitment) in pairs.iter().zip(Commitment::together(&nonces)) {
        signatures.push(match key.answer(&commitment, e)? {
            Some(signature) => signature,
            None => key.sign_digest(e)?,
        });
    }
    Ok(())
}

/// That many fresh keys. All cores compute.
///
/// # Errors
/// [`Error::RandomnessFailure`].
pub fn generate_batch(count: usize) -> Result<Vec<PrivateKey>, Error> {
    on_all_cores(&vec![(); count], |some| {
        let scalars = nonce::random_scalars(Purpose::PrivateKey, some.len(), &mut System)?;
        // n - 1 comes with probability 2^-256, and is no private key: then one by one.
        let is_key = |d: &Scalar| d.add(&Scalar::ONE).is_zero() == 0;
        if !scalars.iter().all(is_key) {
            return some.iter().map(|()| PrivateKey::generate()).collect();
        }
        let points = multiply::base_together(&scalars);
        Ok(scalars.iter().zip(points).map(|(d, p)| PrivateKey::from_pair(d, p)).collect())
    })
}

/// The x coordinate of each `d P`, as [`PrivateKey::exchange_ecdh`] gives it. All cores compute.
///
/// # Errors
/// None now: no pair of keys gives infinity.
pub fn exchange_ecdh_batch(
    pairs: &[(&PrivateKey, &PublicKey)],
) -> Result<Vec<Zeroizing<[u8; 32]>>, Error> {
    on_all_cores(pairs, |some| {
        let operands: Vec<_> =
            some.iter().map(|(key, peer)| (key.scalar(), peer.point())).collect();
        let points = multiply::secret_together(&operands);
        Ok(points.iter().map(|p| Zeroizing::new(encoding::field_bytes(&p.x))).collect())
    })
}

/// Which of the encoded signatures verify: key, signature, message. All cores verify.
///
/// # Errors
/// [`Error::InvalidInput`] for an identifier that is too long.
pub fn verify_batch(
    requests: &[Request<'_>],
    distinguishing_id: &[u8],
    encoding: SignatureEncoding,
) -> Result<Vec<bool>, Error> {
    let tables = tables_for(requests)?;
    on_all_cores(requests, |some| {
        let messages: Vec<_> = some.iter().map(|(key, _, message)| (*key, *message)).collect();
        let digests = PublicKey::message_digests(&messages, distinguishing_id)?;
        let signatures: Vec<_> =
            some.iter().map(|(_, s, _)| Signature::from_bytes(s, encoding).ok()).collect();
        let known = some.iter().zip(&signatures).zip(&digests);
        let claims: Vec<_> = known
            .filter_map(|(((key, ..), signature), e)| Some((*key, signature.as_ref()?, e)))
            .collect();
        let mut answers = verify_together(&claims, &tables).into_iter();
        Ok(signatures.iter().map(|s| s.is_some() && answers.next().unwrap_or(false)).collect())
    })
}

/// A key, a signature, and e.
type Claim<'a> = (&'a PublicKey, &'a Signature, &'a [u8; 32]);

/// Whether each holds: side by side where registers are wide, what is left one after the other.
fn verify_together(claims: &[Claim<'_>], tables: &Tables) -> Vec<bool> {
    let mut answers = vec![None; claims.len()];
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for (place, (key, signature, e)) in claims.iter().enumerate() {
        let Some(question) = key.question(signature, e) else { continue };
        match windows_of(key, tables) {
            Some(windows) => known.push((place, (question, windows))),
            None => unknown.push((place, question)),
        }
    }
    let (places, questions): (Vec<_>, Vec<_>) = known.into_iter().unzip();
    for (place, answer) in
        places.iter().zip(arch::answer_all_by_tables(&questions).unwrap_or_default())
    {
        answers[*place] = answer;
    }
    let (places, questions): (Vec<_>, Vec<_>) = unknown.into_iter().unzip();
    for (place, answer) in places.iter().zip(arch::answer_all(&questions).unwrap_or_default()) {
        answers[*place] = Some(answer);
    }
    let alone = |(key, signature, e): &Claim<'_>| {
        key.verify_digest_by(signature, e, windows_of(key, tables)).is_ok()
    };
    let answer = |(answer, claim): (Option<bool>, _)| answer.unwrap_or_else(|| alone(claim));
    answers.into_iter().zip(claims).map(answer).collect()
}

/// The windows of a key, where the batch or the key has some.
fn windows_of<'a>(key: &'a PublicKey, tables: &'a Tables) -> Option<&'a Windows> {
    tables.get(key.coordinates()).map(|windows| &**windows).or_else(|| key.windows())
}

/// What `act` gives for all, the items shared out among the cores.
fn on_all_cores<T: Sync, R: Send>(
    items: &[T],
    act: impl Fn(&[T]) -> Result<Vec<R>, Error> + Sync,
) -> Result<Vec<R>, Error> {
    let (ours, others) = items.split_at(share(items.len()));
    if others.is_empty() {
        return act(ours);
    }
    let act = &act;
    thread::scope(|scope| {
        let workers: Vec<_> =
            others.chunks(ours.len()).map(|some| scope.spawn(move || act(some))).collect();
        let mut outcome = act(ours)?;
        for worker in workers {
            outcome.extend(worker.join().unwrap_or_else(|panic| resume_unwind(panic))?);
        }
        Ok(outcome)
    })
}

/// How many of so many items one core takes.
fn share(count: usize) -> usize {
    if count <= WORTH_A_CORE {
        return count;
    }
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    count.div_ceil(cores).max(WORTH_A_CORE)
}

/// Tables of the keys that sign much and have none. All cores compute.
fn tables_for(requests: &[Request<'_>]) -> Result<Tables, Error> {
    let mut counts: HashMap<&[u8; 65], (usize, &PublicKey)> = HashMap::new();
    let least = if cpu::is_avx512() { WORTH_A_TABLE_IN_LANES } else { WORTH_A_TABLE };
    if requests.len() >= least {
        for (key, ..) in requests.iter().filter(|(key, ..)| key.windows().is_none()) {
            counts.entry(key.coordinates()).or_insert((0, key)).0 += 1;
        }
    }
    let keys: Vec<_> =
        counts.into_values().filter_map(|(count, key)| (count >= least).then_some(key)).collect();
    let table = |key: &&PublicKey| (*key.coordinates(), multiply::windows_of(key.point()));
    Ok(on_all_cores(&keys, |some| Ok(some.iter().map(table).collect()))?.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::super::key::DEFAULT_ID;
    use super::*;
    use crate::test_support::on_every_backend;

    const RAW: SignatureEncoding = SignatureEncoding::Raw;

    /// Signatures of two keys: one of them signs so much that it gets a table, and the whole is
    /// worth more than one core.
    fn signed() -> Vec<(PublicKey, Vec<u8>, Vec<u8>)> {
        let keys = [[7; 32], [9; 32]]
            .map(|bytes| PrivateKey::from_bytes(&bytes).unwrap_or_else(|_| panic!("a good key")));
        (0..4 * WORTH_A_CORE)
            .map(|number| {
                let key = &keys[usize::from(number % 16 == 0)];
                let message = number.to_be_bytes().to_vec();
                let signature = key.sign(&message, DEFAULT_ID).unwrap_or_else(|_| panic!("signed"));
                (key.public_key().clone(), signature.to_bytes(RAW), message)
            })
            .collect()
    }

    fn verify(signed: &[(PublicKey, Vec<u8>, Vec<u8>)]) -> Vec<bool> {
        let requests: Vec<_> = signed.iter().map(|(key, s, m)| (key, &**s, &**m)).collect();
        verify_batch(&requests, DEFAULT_ID, RAW).unwrap_or_else(|_| panic!("a good identifier"))
    }

    #[test]
    fn a_batch_is_answered_in_its_order_whatever_is_wrong_in_it() {
        let mut signed = signed();
        for (number, (_, signature, _)) in signed.iter_mut().enumerate() {
            if number % 5 == 0 {
                signature[number % 64] ^= 1;
            }
        }
        let right: Vec<bool> = (0..signed.len()).map(|number| number % 5 != 0).collect();
        assert_eq!(verify(&signed), right);
    }

    #[test]
    fn one_bad_signature_is_found_at_each_place() {
        let signed: Vec<_> = signed().into_iter().take(19).collect();
        for bad in 0..signed.len() {
            let mut signed = signed.clone();
            signed[bad].1[40] ^= 1;
            let answers = on_every_backend(|| verify(&signed));
            assert!((0..signed.len()).all(|number| answers[number] == (number != bad)), "{bad}");
        }
    }

    #[test]
    fn a_batch_of_signatures_verifies_whatever_its_length() {
        let keys: Vec<_> = generate_batch(19).unwrap_or_else(|_| panic!("no randomness"));
        for count in [0, 1, 2, 7, 8, 9, 17, 19, 300] {
            let messages: Vec<_> = (0..count).map(|i: usize| vec![i as u8; i]).collect();
            on_every_backend(|| {
                let requests: Vec<_> =
                    messages.iter().zip(keys.iter().cycle()).map(|(m, key)| (key, &**m)).collect();
                let signatures =
                    sign_batch(&requests, b"meter").unwrap_or_else(|_| panic!("signed"));
                assert_eq!(signatures.len(), count);
                for ((key, message), signature) in requests.iter().zip(&signatures) {
                    assert_eq!(key.public_key().verify(signature, message, b"meter"), Ok(()));
                }
            });
        }
    }

    #[test]
    fn keys_and_agreements_of_a_batch_are_those_made_alone() {
        on_every_backend(|| {
            let keys = generate_batch(70).unwrap_or_else(|_| panic!("no randomness"));
            for key in &keys {
                let again = PrivateKey::from_bytes(&key.to_bytes()[..]);
                assert!(again.is_ok_and(|again| again.public_key() == key.public_key()));
            }
            let pairs: Vec<_> =
                keys.iter().zip(keys.iter().rev().map(PrivateKey::public_key)).collect();
            let alone: Vec<_> =
                pairs.iter().filter_map(|(key, peer)| key.exchange_ecdh(peer).ok()).collect();
            assert!(exchange_ecdh_batch(&pairs).is_ok_and(|shared| shared == alone));
        });
    }

    /// e and a key for which t = r + s, or a sum on the way, is what must not be.
    #[test]
    fn r_and_s_at_the_ends_of_their_range_are_answered_alike() {
        let key = PrivateKey::from_bytes(&[7; 32]).unwrap_or_else(|_| panic!("a good key"));
        let zero = Scalar::ONE.sub(&Scalar::ONE);
        let ends = [Scalar::ONE, Scalar([2, 0, 0, 0]), zero.sub(&Scalar::ONE)];
        let pairs: Vec<_> = ends.iter().flat_map(|r| ends.iter().map(move |s| (*r, *s))).collect();
        let requests: Vec<_> = pairs
            .iter()
            .map(|(r, s)| Signature { r: *r, s: *s }.to_bytes(RAW))
            .map(|signature| (key.public_key().clone(), signature, b"message".to_vec()))
            .collect();
        assert_eq!(on_every_backend(|| verify(&requests)), vec![false; requests.len()]);
    }

    #[test]
    fn a_table_answers_for_its_own_key_only() {
        let mut signed = signed();
        let (first, second) = (signed[0].0.clone(), signed[1].0.clone());
        for (key, ..) in &mut signed {
            *key = if *key == first { second.clone() } else { first.clone() };
        }
        assert_eq!(verify(&signed), vec![false; signed.len()]);
    }

    #[test]
    fn a_key_of_no_more_than_one_signature_needs_no_table() {
        assert_eq!(verify(&signed()[..1]), [true]);
        assert!(verify(&[]).is_empty());
    }
}
