//! Records of TLS 1.3 with SM4-CCM, many side by side: each has to be worked through one block after
//! the other, all together take hardly longer than one.

use zeroize::Zeroizing;

use super::run::APPLICATION_DATA;
use super::tls13::{HEADER_SIZE, NONCE_SIZE};
use crate::error::Error;
use crate::memory::Room;
use crate::sm4::BLOCK_SIZE as TAG_SIZE;
use crate::sm4::ccm::{Ccm, Message};

/// Records worked on at once.
const SIDE_BY_SIDE: usize = 64;

/// Seals records of `size` bytes, the last perhaps shorter, in which header and inner plaintext
/// stand in their places.
pub fn seal(
    ccm: &Ccm,
    mut nonces: impl Iterator<Item = [u8; NONCE_SIZE]>,
    records: &mut [u8],
    size: usize,
) -> Result<(), Error> {
    for records in records.chunks_mut(SIDE_BY_SIDE * size) {
        let nonces: Vec<_> = nonces.by_ref().take(records.len().div_ceil(size)).collect();
        let mut tags = [[0; TAG_SIZE]; SIDE_BY_SIDE];
        let parts = records.chunks_mut(size).zip(&nonces).map(|(record, nonce)| {
            let (aad, body) = record.split_at_mut(HEADER_SIZE);
            let length = body.len() - TAG_SIZE;
            Message { nonce, aad, data: &mut body[..length] }
        });
        let mut messages: Vec<_> = parts.collect();
        ccm.encrypt_side_by_side(&mut messages, &mut tags[..nonces.len()])?;
        for (record, tag) in records.chunks_mut(size).zip(tags) {
            let start = record.len() - TAG_SIZE;
            record[start..].copy_from_slice(&tag);
        }
    }
    Ok(())
}

/// Writes the content of records of application data, up to the first that is something else or does
/// not open; gives how long those before it are, and their number.
pub fn open_run<'a>(
    ccm: &Ccm,
    mut nonces: impl Iterator<Item = [u8; NONCE_SIZE]>,
    mut records: impl Iterator<Item = &'a [u8]>,
    room: &mut Room<'_>,
) -> (usize, u64) {
    let (mut taken, mut count) = (0, 0);
    loop {
        let batch: Vec<_> = nonces.by_ref().zip(&mut records).take(SIDE_BY_SIDE).collect();
        let mut plain = Zeroizing::new(Vec::new());
        let bodies = batch.iter().map(|(_, record)| record.split_at(HEADER_SIZE).1);
        let (texts, tags): (Vec<_>, Vec<_>) =
            bodies.map(|body| body.split_at(body.len() - TAG_SIZE)).unzip();
        plain.reserve_exact(texts.iter().map(|text| text.len()).sum());
        texts.iter().for_each(|text| plain.extend_from_slice(text));
        let mut rest = &mut plain[..];
        let parts = batch.iter().zip(texts).map(|((nonce, record), text)| {
            let (data, later) = core::mem::take(&mut rest).split_at_mut(text.len());
            rest = later;
            Message { nonce, aad: &record[..HEADER_SIZE], data }
        });
        let mut messages: Vec<_> = parts.collect();
        let good = ccm.decrypt_side_by_side(&mut messages, &tags).unwrap_or(0);
        for (message, (_, record)) in messages.iter().zip(&batch).take(good) {
            let Some((&APPLICATION_DATA, content)) = message.data.split_last() else {
                return (taken, count);
            };
            if room.write(content).is_err() {
                return (taken, count);
            }
            taken += record.len();
            count += 1;
        }
        if good < SIDE_BY_SIDE {
            return (taken, count);
        }
    }
}
