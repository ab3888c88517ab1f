//! Records of TLS 1.3 (RFC 8446, 5) with SM4-GCM or SM4-CCM (RFC 8998, 3.2).
//!
//! A sealer and an opener each start from a traffic secret and can go to its next generation.

use zeroize::{Zeroize, Zeroizing};

use super::run::{self, APPLICATION_DATA};
use super::tls13_ccm;
use super::tls13_schedule::TrafficSecret;
use crate::ct;
use crate::error::Error;
use crate::memory::Room;
use crate::sm4::KEY_SIZE;
use crate::sm4::ccm::Ccm;
use crate::sm4::gcm::{Gcm, TAG_SIZE};

/// Bytes of a record header: type, version, length.
pub const HEADER_SIZE: usize = 5;
/// Most content of one record (RFC 8446, 5.1).
pub const MAX_FRAGMENT: usize = 1 << 14;
/// Bytes that protection adds to a fragment: header, content type, tag.
pub const OVERHEAD: usize = HEADER_SIZE + 1 + TAG_SIZE;

/// Bytes of the nonce of a record.
pub(super) const NONCE_SIZE: usize = 12;
/// The outer content type and version of every protected record (RFC 8446, 5.2).
const OUTER: [u8; 3] = [23, 3, 3];

/// The algorithm of a suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// Of TLS_SM4_GCM_SM3.
    Sm4Gcm,
    /// Of TLS_SM4_CCM_SM3.
    Sm4Ccm,
}

impl Algorithm {
    /// Most records that one key seals: 2^24.5 for GCM (RFC 8446, 5.5), 2^23 for CCM (RFC 9147,
    /// 4.5.3).
    #[must_use]
    pub fn record_limit(self) -> u64 {
        match self {
            Self::Sm4Gcm => 23_726_566,
            Self::Sm4Ccm => 1 << 23,
        }
    }

    fn aead(self, key: &[u8; KEY_SIZE]) -> Result<Aead, Error> {
        Ok(match self {
            Self::Sm4Gcm => Aead::Gcm(Box::new(Gcm::new(key))),
            Self::Sm4Ccm => Aead::Ccm(Box::new(Ccm::new(key, TAG_SIZE)?)),
        })
    }
}

enum Aead {
    Gcm(Box<Gcm>),
    Ccm(Box<Ccm>),
}

impl Aead {
    fn decrypt_to(
        &self,
        nonce: &[u8],
        aad: &[u8],
        data: &[u8],
        tag: &[u8],
        room: &mut Room<'_>,
        last: &mut [u8; 1],
    ) -> Result<(), Error> {
        let ccm = match self {
            Self::Gcm(gcm) => return gcm.decrypt_to(nonce, aad, data, tag, room, last),
            Self::Ccm(ccm) => ccm,
        };
        let mut plain = Zeroizing::new(data.to_vec());
        ccm.decrypt(nonce, aad, &mut plain, tag)?;
        if let Some((content, end)) = plain.split_last_chunk() {
            room.write(content)?;
            *last = *end;
        }
        Ok(())
    }
}

/// What protects one direction for one generation. Wiped when dropped.
struct Protection {
    secret: TrafficSecret,
    aead: Aead,
    iv: [u8; NONCE_SIZE],
    sequence: u64,
}

impl Protection {
    /// write_key and write_iv of a traffic secret (RFC 8446, 7.3).
    fn new(secret: TrafficSecret) -> Result<Self, Error> {
        let mut key = Zeroizing::new([0; KEY_SIZE]);
        let mut iv = [0; NONCE_SIZE];
        let secrets = secret.expander();
        secrets.expand(b"key", b"", &mut key[..])?;
        secrets.expand(b"iv", b"", &mut iv)?;
        let aead = secret.algorithm().aead(&key)?;
        Ok(Self { secret, aead, iv, sequence: 0 })
    }

    fn next_generation(&self) -> Result<Self, Error> {
        Self::new(self.secret.next_generation()?)
    }

    /// The nonce of the next record.
    fn nonce(&self) -> [u8; NONCE_SIZE] {
        self.nonce_of(self.sequence)
    }

    /// The per-record nonce (RFC 8446, 5.3).
    fn nonce_of(&self, sequence: u64) -> [u8; NONCE_SIZE] {
        let mut nonce = self.iv;
        let sequence = sequence.to_be_bytes();
        nonce[NONCE_SIZE - 8..].iter_mut().zip(sequence).for_each(|(n, s)| *n ^= s);
        nonce
    }

    /// The nonces from the next record on, as far as sequence numbers go.
    fn nonces(&self) -> impl Iterator<Item = [u8; NONCE_SIZE]> {
        (self.sequence..u64::MAX).map(|sequence| self.nonce_of(sequence))
    }
}

impl Drop for Protection {
    fn drop(&mut self) {
        self.iv.zeroize();
    }
}

/// Makes protected records.
pub struct Sealer {
    protection: Protection,
    fragment: usize,
    limit: u64,
}

impl Sealer {
    /// Starts at sequence number 0; `fragment` is the most content of one record.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] for a fragment length outside 1 to [`MAX_FRAGMENT`].
    pub fn new(secret: TrafficSecret, fragment: usize) -> Result<Self, Error> {
        if !(1..=MAX_FRAGMENT).contains(&fragment) {
            return Err(Error::InvalidInput("a fragment has 1 to 16384 bytes"));
        }
        let limit = secret.algorithm().record_limit();
        Ok(Self { protection: Protection::new(secret)?, fragment, limit })
    }

    /// The sequence number of the next record.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.protection.sequence
    }

    /// Whether half of what the key may seal is used up: time for a KeyUpdate.
    #[must_use]
    pub fn is_worn(&self) -> bool {
        self.sequence() >= self.limit / 2
    }

    /// Lets this and every later key seal fewer records than the algorithm would allow.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] for none, or more than [`Algorithm::record_limit`].
    pub fn limit_records(&mut self, limit: u64) -> Result<(), Error> {
        if !(1..=self.protection.secret.algorithm().record_limit()).contains(&limit) {
            return Err(Error::InvalidInput("a record limit within that of the algorithm"));
        }
        self.limit = limit;
        Ok(())
    }

    /// Takes the keys that follow these; what was sealed before stays sealed (RFC 8446, 7.2).
    ///
    /// # Errors
    /// None that happens: the lengths are fixed.
    pub fn update(&mut self) -> Result<(), Error> {
        self.protection = self.protection.next_generation()?;
        Ok(())
    }

    /// Bytes of all records that so much data makes.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] for more data than the machine's addresses can count.
    pub fn sealed_length(&self, data: usize) -> Result<usize, Error> {
        self.count(data)
            .checked_mul(OVERHEAD)
            .and_then(|overhead| overhead.checked_add(data))
            .ok_or(Error::InvalidInput("too much data for one call"))
    }

    /// Seals the data into as many records as it needs, one if it is empty.
    ///
    /// # Errors
    /// [`Error::Exhausted`] if the key may not seal so many more records (nothing is sealed),
    /// [`Error::InvalidInput`] if there is no room for [`Sealer::sealed_length`] bytes.
    pub fn seal(
        &mut self,
        content_type: u8,
        data: &[u8],
        room: &mut Room<'_>,
    ) -> Result<(), Error> {
        room.require(self.sealed_length(data.len())?)?;
        let count = self.count(data.len()) as u64;
        if self.sequence().checked_add(count).is_none_or(|end| end > self.limit) {
            return Err(Error::Exhausted);
        }
        let start = room.written().len();
        for fragment in data.chunks(self.fragment).chain(data.is_empty().then_some(data)) {
            self.begin_record(content_type, fragment, room)?;
        }
        if let Aead::Ccm(ccm) = &self.protection.aead {
            let (nonces, records) = (self.protection.nonces(), &mut room.written()[start..]);
            tls13_ccm::seal(ccm, nonces, records, self.fragment + OVERHEAD)?;
            self.protection.sequence += count;
        }
        Ok(())
    }

    fn count(&self, data: usize) -> usize {
        data.div_ceil(self.fragment).max(1)
    }

    /// Writes a record: with GCM sealed, with CCM as it will be sealed together with others.
    fn begin_record(
        &mut self,
        content_type: u8,
        fragment: &[u8],
        room: &mut Room<'_>,
    ) -> Result<(), Error> {
        let length = (fragment.len() + 1 + TAG_SIZE) as u16;
        let mut header = [0; HEADER_SIZE];
        header[..3].copy_from_slice(&OUTER);
        header[3..].copy_from_slice(&length.to_be_bytes());
        room.write(&header)?;
        let parts = [fragment, &[content_type]];
        if let Aead::Gcm(gcm) = &self.protection.aead {
            let tag = gcm.encrypt_to(&self.protection.nonce(), &header, &parts, room)?;
            room.write(&tag)?;
            self.protection.sequence += 1;
        } else {
            parts.into_iter().try_for_each(|part| room.write(part).map(drop))?;
            room.write(&[0; TAG_SIZE])?;
        }
        Ok(())
    }
}

/// Opens protected records.
pub struct Opener {
    protection: Protection,
    fragment: usize,
    dead: bool,
}

impl Opener {
    /// Starts at sequence number 0; `fragment` is the most content of one record.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] for a fragment length outside 1 to [`MAX_FRAGMENT`].
    pub fn new(secret: TrafficSecret, fragment: usize) -> Result<Self, Error> {
        if !(1..=MAX_FRAGMENT).contains(&fragment) {
            return Err(Error::InvalidInput("a fragment has 1 to 16384 bytes"));
        }
        Ok(Self { protection: Protection::new(secret)?, fragment, dead: false })
    }

    /// The sequence number of the next record.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.protection.sequence
    }

    /// Takes the keys that follow these.
    ///
    /// # Errors
    /// [`Error::InvalidTag`] if the opener is dead.
    pub fn update(&mut self) -> Result<(), Error> {
        if self.dead {
            return Err(Error::InvalidTag);
        }
        self.protection = self.protection.next_generation()?;
        Ok(())
    }

    /// Most bytes of content in a whole record, by its size alone: none if it is too short.
    #[must_use]
    pub fn opened_length(record: usize) -> usize {
        record.saturating_sub(OVERHEAD)
    }

    /// Opens one whole record, with its header: writes the content and gives its inner type.
    ///
    /// The content type is 0 for a record of nothing but padding. After any error the opener opens
    /// nothing more, and nothing has been written.
    ///
    /// # Errors
    /// [`Error::InvalidTag`] if the record is not what the peer sealed: too short, of another
    /// length than its header says, of another outer type or version, or forged.
    /// [`Error::InvalidInput`] if content and padding are longer than allowed or there is no room
    /// for [`Opener::opened_length`] bytes, [`Error::Exhausted`] if the sequence number ends.
    pub fn open(&mut self, record: &[u8], room: &mut Room<'_>) -> Result<u8, Error> {
        if self.dead {
            return Err(Error::InvalidTag);
        }
        self.dead = true;
        let content_type = self.open_record(record, room)?;
        self.dead = false;
        Ok(content_type)
    }

    /// Bytes of content of the run at the front of a stream, if all of it opens.
    #[must_use]
    pub fn run_length(&self, stream: &[u8]) -> usize {
        self.run(stream).map(|record| record.len() - OVERHEAD).sum()
    }

    /// Opens the records of application data that stand whole at the front of `stream`, as far as
    /// there is room: [`Opener::run_length`] bytes are enough. Gives how much of it they take.
    ///
    /// The first record that is empty, carries something else or padding, or does not open, ends the
    /// run and is left as it was found, for [`Opener::open`].
    pub fn open_run(&mut self, stream: &[u8], room: &mut Room<'_>) -> usize {
        if self.dead {
            return 0;
        }
        let (records, protection) = (self.run(stream), &mut self.protection);
        let gcm = match &protection.aead {
            Aead::Gcm(gcm) => gcm,
            Aead::Ccm(ccm) => {
                let (taken, count) = tls13_ccm::open_run(ccm, protection.nonces(), records, room);
                protection.sequence += count;
                return taken;
            }
        };
        let (mut taken, mut count) = (0, 0);
        for (record, nonce) in records.zip(protection.nonces()) {
            let (header, body) = record.split_at(HEADER_SIZE);
            let (text, tag) = body.split_at(body.len() - TAG_SIZE);
            let (start, mut last) = (room.written().len(), [0]);
            let opened = gcm.decrypt_to(&nonce, header, text, tag, room, &mut last);
            if opened.is_err() || last != [APPLICATION_DATA] {
                room.take_back(start);
                break;
            }
            taken += record.len();
            count += 1;
        }
        protection.sequence += count;
        taken
    }

    fn run<'a>(&self, stream: &'a [u8]) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let lengths = OVERHEAD + 1..=OVERHEAD + self.fragment;
        run::records(stream, [OUTER[1], OUTER[2]], lengths, OVERHEAD)
    }

    fn open_record(&mut self, record: &[u8], room: &mut Room<'_>) -> Result<u8, Error> {
        let next = self.sequence().checked_add(1).ok_or(Error::Exhausted)?;
        let (header, body) = record.split_at_checked(HEADER_SIZE).ok_or(Error::InvalidTag)?;
        let length = usize::from(u16::from_be_bytes([header[3], header[4]]));
        if header[..3] != OUTER || length != body.len() || record.len() < OVERHEAD {
            return Err(Error::InvalidTag);
        }
        if record.len() - OVERHEAD > self.fragment {
            return Err(Error::InvalidInput("a record longer than its limit"));
        }
        let (text, tag) = body.split_at(body.len() - TAG_SIZE);
        let (nonce, start, mut last) = (self.protection.nonce(), room.written().len(), [0]);
        self.protection.aead.decrypt_to(&nonce, header, text, tag, room, &mut last)?;
        self.protection.sequence = next;
        if last != [0] {
            return Ok(last[0]);
        }
        let length = start + length_without_padding(&room.written()[start..]);
        let content_type = if length > start { room.written()[length - 1] } else { 0 };
        room.take_back(length.saturating_sub(1).max(start));
        Ok(content_type)
    }
}

/// The length up to the last byte that is not zero (RFC 8446, 5.4).
///
/// Whether a record is padded shows in the time, how much of it is padding does not.
fn length_without_padding(plain: &[u8]) -> usize {
    let length = plain.iter().zip(1u64..).fold(0, |length, (byte, position)| {
        ct::select(ct::mask_if_zero(u64::from(*byte)), length, position)
    });
    length as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory;
    use crate::record::tls13_schedule::SECRET_SIZE;
    use crate::test_support::on_every_backend;

    const ALGORITHMS: [Algorithm; 2] = [Algorithm::Sm4Gcm, Algorithm::Sm4Ccm];

    fn pair(algorithm: Algorithm, fragment: usize) -> (Sealer, Opener) {
        let secret = || TrafficSecret::new(algorithm, Zeroizing::new([7; SECRET_SIZE]));
        match (Sealer::new(secret(), fragment), Opener::new(secret(), fragment)) {
            (Ok(sealer), Ok(opener)) => (sealer, opener),
            _ => panic!("fragment length not accepted"),
        }
    }

    fn seal(sealer: &mut Sealer, content_type: u8, data: &[u8]) -> Result<Vec<u8>, Error> {
        let length = sealer.sealed_length(data.len())?;
        let (records, ()) = memory::vector(length, |room| sealer.seal(content_type, data, room))?;
        assert_eq!(records.len(), length);
        Ok(records)
    }

    fn open(opener: &mut Opener, record: &[u8]) -> Result<(u8, Vec<u8>), Error> {
        let length = Opener::opened_length(record.len());
        memory::vector(length, |room| opener.open(record, room))
            .map(|(content, content_type)| (content_type, content))
    }

    /// How much of a stream a run takes, and its content.
    fn open_run(opener: &mut Opener, stream: &[u8]) -> (usize, Vec<u8>) {
        let run =
            memory::vector(opener.run_length(stream), |room| Ok(opener.open_run(stream, room)));
        run.map(|(content, taken)| (taken, content)).unwrap_or_default()
    }

    /// Seals an inner plaintext as it stands.
    fn seal_inner(sealer: &mut Sealer, inner: &[u8]) -> Vec<u8> {
        let (last, rest) = inner.split_last().unwrap_or((&0, &[]));
        seal(sealer, *last, rest).unwrap_or_default()
    }

    #[test]
    fn data_is_cut_into_fragments_and_an_empty_record_is_one() {
        for algorithm in ALGORITHMS {
            let records = on_every_backend(|| {
                let (mut sealer, _) = pair(algorithm, 10);
                let mut records = seal(&mut sealer, 23, &[5; 25]).unwrap_or_default();
                records.extend(seal(&mut sealer, 22, b"").unwrap_or_default());
                records
            });
            let (_, mut opener) = pair(algorithm, 10);
            let mut rest = &records[..];
            for (content_type, length) in [(23, 10), (23, 10), (23, 5), (22, 0)] {
                let (record, following) = rest.split_at(length + OVERHEAD);
                assert_eq!(record[..3], OUTER);
                assert_eq!(open(&mut opener, record), Ok((content_type, vec![5; length])));
                rest = following;
            }
            assert!(rest.is_empty());
            assert_eq!(opener.sequence(), 4);
        }
    }

    #[test]
    fn padding_is_stripped_and_nothing_but_padding_has_no_type() {
        let (mut sealer, mut opener) = pair(Algorithm::Sm4Gcm, MAX_FRAGMENT);
        for (inner, expected) in [
            (&[1, 2, 0, 22, 0, 0, 0][..], (22, vec![1, 2, 0])),
            (&[21, 0][..], (21, vec![])),
            (&[0, 0, 0][..], (0, vec![])),
            (&[0][..], (0, vec![])),
        ] {
            let record = seal_inner(&mut sealer, inner);
            assert_eq!(open(&mut opener, &record), Ok(expected));
        }
    }

    #[test]
    fn a_run_opens_as_its_records_do_one_by_one() {
        for algorithm in ALGORITHMS {
            let length = 10 + OVERHEAD;
            let records = on_every_backend(|| {
                let (mut sealer, mut opener) = pair(algorithm, 10);
                let records = seal(&mut sealer, 23, &[5; 25]).unwrap_or_default();
                assert_eq!(open_run(&mut opener, &records), (records.len(), vec![5; 25]));
                assert_eq!(opener.sequence(), 3);
                records
            });
            for cut in 0..records.len() {
                let (_, mut opener) = pair(algorithm, 10);
                let whole = cut / length;
                let run = open_run(&mut opener, &records[..cut]);
                assert_eq!(run, (length * whole, vec![5; 10 * whole]));
            }
        }
    }

    #[test]
    fn many_records_are_sealed_and_opened_as_few() {
        for algorithm in ALGORITHMS {
            let data: Vec<u8> = (0..1505).map(|i| i as u8).collect();
            let records = on_every_backend(|| {
                let (mut sealer, mut opener) = pair(algorithm, 10);
                let records = seal(&mut sealer, 23, &data).unwrap_or_default();
                assert_eq!(open_run(&mut opener, &records), (records.len(), data.clone()));
                assert_eq!((opener.sequence(), sealer.sequence()), (151, 151));
                records
            });
            let (mut one_by_one, _) = pair(algorithm, 10);
            let pieces = data
                .chunks(10)
                .flat_map(|piece| seal(&mut one_by_one, 23, piece).unwrap_or_default());
            assert_eq!(records, pieces.collect::<Vec<_>>());
            // The hundredth record does not open, those before it do.
            let mut forged = records.clone();
            forged[99 * (10 + OVERHEAD) + 9] ^= 1;
            let (_, mut opener) = pair(algorithm, 10);
            let run = open_run(&mut opener, &forged);
            assert_eq!(run, (99 * (10 + OVERHEAD), data[..990].to_vec()));
            assert_eq!(opener.sequence(), 99);
        }
    }

    #[test]
    fn what_is_odd_is_left_by_a_run_as_it_was_found() {
        for algorithm in ALGORITHMS {
            let (mut sealer, _) = pair(algorithm, MAX_FRAGMENT);
            let first = seal(&mut sealer, 23, &[5; 10]).unwrap_or_default();
            let odd = [
                (seal_inner(&mut sealer_after_one(algorithm), b"\x05\x17\0"), Ok((23, vec![5]))),
                (seal_inner(&mut sealer_after_one(algorithm), &[23]), Ok((23, vec![]))),
                (seal_inner(&mut sealer_after_one(algorithm), &[24, 22]), Ok((22, vec![24]))),
                (first.clone(), Err(Error::InvalidTag)),
            ];
            for (record, after) in odd {
                let (_, mut opener) = pair(algorithm, MAX_FRAGMENT);
                let stream = [&first[..], &record].concat();
                assert_eq!(open_run(&mut opener, &stream), (first.len(), vec![5; 10]));
                assert_eq!(open(&mut opener, &record), after);
            }
            let (_, mut dead) = pair(algorithm, MAX_FRAGMENT);
            assert!(open(&mut dead, &first[1..]).is_err());
            assert_eq!(open_run(&mut dead, &first), (0, vec![]));
        }
    }

    /// A sealer that has sealed one record.
    fn sealer_after_one(algorithm: Algorithm) -> Sealer {
        let (mut sealer, _) = pair(algorithm, MAX_FRAGMENT);
        assert!(seal(&mut sealer, 23, b"first").is_ok());
        sealer
    }

    #[test]
    fn a_run_takes_no_more_memory_than_it_may() {
        let (mut sealer, mut opener) = pair(Algorithm::Sm4Gcm, MAX_FRAGMENT);
        let stream = seal(&mut sealer, 23, &[5; 66 * MAX_FRAGMENT]).unwrap_or_default();
        assert_eq!(opener.run_length(&stream), 64 * MAX_FRAGMENT);
        let (taken, content) = open_run(&mut opener, &stream);
        assert_eq!(content.len(), 64 * MAX_FRAGMENT);
        assert_eq!(opener.run_length(&stream[taken..]), 2 * MAX_FRAGMENT);
    }

    #[test]
    fn a_flipped_bit_kills_the_opener() {
        for algorithm in ALGORITHMS {
            let (mut sealer, _) = pair(algorithm, MAX_FRAGMENT);
            let record = seal(&mut sealer, 23, b"42 kWh").unwrap_or_default();
            for bit in 0..8 * record.len() {
                let (_, mut opener) = pair(algorithm, MAX_FRAGMENT);
                let mut altered = record.clone();
                altered[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(open(&mut opener, &altered), Err(Error::InvalidTag), "bit {bit}");
                assert_eq!(open(&mut opener, &record), Err(Error::InvalidTag));
                assert_eq!(opener.update(), Err(Error::InvalidTag));
            }
        }
    }

    #[test]
    fn replay_and_truncation_are_refused() {
        let (mut sealer, mut opener) = pair(Algorithm::Sm4Ccm, MAX_FRAGMENT);
        let record = seal(&mut sealer, 23, b"once").unwrap_or_default();
        for length in 0..record.len() {
            let (_, mut opener) = pair(Algorithm::Sm4Ccm, MAX_FRAGMENT);
            assert_eq!(open(&mut opener, &record[..length]), Err(Error::InvalidTag));
        }
        assert!(open(&mut opener, &record).is_ok());
        assert_eq!(open(&mut opener, &record), Err(Error::InvalidTag));
    }

    #[test]
    fn keys_change_on_both_sides_together() {
        let (mut sealer, mut opener) = pair(Algorithm::Sm4Gcm, MAX_FRAGMENT);
        let first = seal(&mut sealer, 23, b"same").unwrap_or_default();
        assert!(open(&mut opener, &first).is_ok());
        assert_eq!((sealer.update(), opener.update()), (Ok(()), Ok(())));
        let second = seal(&mut sealer, 23, b"same").unwrap_or_default();
        assert_ne!(first, second);
        assert_eq!((sealer.sequence(), opener.sequence()), (1, 0));
        assert_eq!(open(&mut opener, &second), Ok((23, b"same".to_vec())));
        assert_eq!(open(&mut opener, &first), Err(Error::InvalidTag));
    }

    #[test]
    fn limits_hold() {
        let (mut sealer, _) = pair(Algorithm::Sm4Gcm, 4);
        assert!(sealer.limit_records(0).is_err());
        assert!(sealer.limit_records(1 << 40).is_err());
        assert_eq!(sealer.limit_records(3), Ok(()));
        assert!(!sealer.is_worn());
        assert!(seal(&mut sealer, 23, b"12345678").is_ok());
        assert!(sealer.is_worn());
        assert_eq!(seal(&mut sealer, 23, b"12345678"), Err(Error::Exhausted));
        assert!(seal(&mut sealer, 23, b"1").is_ok());
        assert_eq!(seal(&mut sealer, 23, b""), Err(Error::Exhausted));
        assert_eq!(sealer.update(), Ok(()));
        assert!(seal(&mut sealer, 23, b"123456789abc").is_ok());
        let (mut long, _) = pair(Algorithm::Sm4Gcm, 5);
        let (_, mut opener) = pair(Algorithm::Sm4Gcm, 4);
        let record = seal(&mut long, 23, &[0; 5]).unwrap_or_default();
        assert!(matches!(open(&mut opener, &record), Err(Error::InvalidInput(_))));
        let (_, mut opener) = pair(Algorithm::Sm4Gcm, 5);
        opener.protection.sequence = u64::MAX;
        assert_eq!(open(&mut opener, &record), Err(Error::Exhausted));
        for fragment in [0, MAX_FRAGMENT + 1] {
            let secret = || TrafficSecret::new(Algorithm::Sm4Gcm, Zeroizing::new([7; SECRET_SIZE]));
            assert!(Sealer::new(secret(), fragment).is_err());
            assert!(Opener::new(secret(), fragment).is_err());
        }
    }
}
