//! Many signatures in one call.

use std::collections::HashMap;
use std::num::NonZero;
use std::panic::resume_unwind;
use std::thread;

use super::encoding::SignatureEncoding;
use super::key::{PrivateKey, PublicKey};
use super::multiply;
use super::sign::Signature;
use super::tables::Windows;
use crate::error::Error;

/// Signatures of one key in a batch for which it is worth to have a table of its multiples.
const WORTH_A_TABLE: usize = 32;
/// Signatures for which it is worth to trouble another core.
const WORTH_A_CORE: usize = 64;

/// A key, an encoded signature, and the message.
type Request<'a> = (&'a PublicKey, &'a [u8], &'a [u8]);
type Tables = HashMap<[u8; 65], Box<Windows>>;

/// Signs each message with its key.
///
/// # Errors
/// [`Error::RandomnessFailure`]; [`Error::InvalidInput`] for an identifier that is too long.
pub fn sign_batch(
    requests: &[(&PrivateKey, &[u8])],
    distinguishing_id: &[u8],
) -> Result<Vec<Signature>, Error> {
    requests.iter().map(|(key, message)| key.sign(message, distinguishing_id)).collect()
}

/// Which of the encoded signatures verify: key, signature, message. All cores verify; keys that
/// signed much of the batch get a table, which goes with the batch.
///
/// # Errors
/// [`Error::InvalidInput`] for an identifier that is too long.
pub fn verify_batch(
    requests: &[Request<'_>],
    distinguishing_id: &[u8],
    encoding: SignatureEncoding,
) -> Result<Vec<bool>, Error> {
    let tables = tables_for(requests);
    let verify = |some: &[Request<'_>]| verify_some(some, &tables, distinguishing_id, encoding);
    let (ours, others) = requests.split_at(share(requests.len()));
    if others.is_empty() {
        return verify(ours);
    }
    thread::scope(|scope| {
        let workers: Vec<_> =
            others.chunks(ours.len()).map(|some| scope.spawn(move || verify(some))).collect();
        let mut outcome = verify(ours)?;
        for worker in workers {
            outcome.extend(worker.join().unwrap_or_else(|panic| resume_unwind(panic))?);
        }
        Ok(outcome)
    })
}

/// How many of so many requests one core takes.
fn share(count: usize) -> usize {
    if count <= WORTH_A_CORE {
        return count;
    }
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    count.div_ceil(cores).max(WORTH_A_CORE)
}

fn tables_for(requests: &[Request<'_>]) -> Tables {
    let mut counts: HashMap<&[u8; 65], (usize, &PublicKey)> = HashMap::new();
    if requests.len() >= WORTH_A_TABLE {
        for (key, ..) in requests {
            counts.entry(key.coordinates()).or_insert((0, key)).0 += 1;
        }
    }
    counts.retain(|_, (count, _)| *count >= WORTH_A_TABLE);
    counts
        .into_iter()
        .map(|(bytes, (_, key))| (*bytes, multiply::windows_of(key.point())))
        .collect()
}

fn verify_some(
    requests: &[Request<'_>],
    tables: &Tables,
    distinguishing_id: &[u8],
    encoding: SignatureEncoding,
) -> Result<Vec<bool>, Error> {
    let verify = |(key, signature, message): &Request<'_>| {
        let signature = Signature::from_bytes(signature, encoding)?;
        let e = key.message_digest(message, distinguishing_id)?;
        let windows = tables.get(key.coordinates());
        key.verify_digest_by(&signature, &e, windows.map(|windows| &**windows))
    };
    requests
        .iter()
        .map(|request| match verify(request) {
            Ok(()) => Ok(true),
            Err(Error::InvalidSignature) => Ok(false),
            Err(error) => Err(error),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::key::DEFAULT_ID;
    use super::*;

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
