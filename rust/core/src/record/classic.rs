//! Secrets and records of the protocols shaped like TLS 1.2: TLS 1.2 itself (RFC 5246, RFC 5288) and
//! TLCP 1.1 (GB/T 38636-2020).
//!
//! From the pre-master secret comes the master secret, from it the key block, from it one sealer
//! and one opener. Their nonce is 4 bytes of the key block and 8 bytes that each record carries.

use zeroize::{Zeroize, Zeroizing};

use super::run;
use crate::error::Error;
use crate::kdf::{PrfHash, tls12_prf};
use crate::memory::Room;
use crate::sm4::KEY_SIZE;
use crate::sm4::gcm::{Gcm, TAG_SIZE};

/// Bytes of a master secret.
pub const MASTER_SECRET_SIZE: usize = 48;
/// Bytes of a random.
pub const RANDOM_SIZE: usize = 32;
/// Bytes of a Finished.
pub const VERIFY_DATA_SIZE: usize = 12;
/// Bytes of a record header: type, version, length.
pub const HEADER_SIZE: usize = 5;
/// Bytes of the nonce that a record carries.
pub const EXPLICIT_NONCE_SIZE: usize = 8;
/// Most plaintext of one record (RFC 5246, 6.2.1).
pub const MAX_FRAGMENT: usize = 1 << 14;
/// Bytes that protection adds to a fragment, with the header.
pub const OVERHEAD: usize = HEADER_SIZE + EXPLICIT_NONCE_SIZE + TAG_SIZE;
/// Most records that one key seals unless told otherwise: 2^24.5, the bound of RFC 8446, 5.5, for
/// a GCM with blocks of 128 bits.
pub const DEFAULT_RECORD_LIMIT: u64 = 23_726_566;

const FIXED_NONCE_SIZE: usize = 4;

/// The master secret of a session, and the hash of its PRF. Wiped when dropped.
#[derive(Clone)]
pub struct MasterSecret {
    secret: Zeroizing<[u8; MASTER_SECRET_SIZE]>,
    hash: PrfHash,
}

impl MasterSecret {
    /// PRF(pre_master_secret, "master secret", client_random + server_random) (RFC 5246, 8.1).
    #[must_use]
    pub fn derive(
        hash: PrfHash,
        pre_master_secret: &[u8],
        client_random: &[u8; RANDOM_SIZE],
        server_random: &[u8; RANDOM_SIZE],
    ) -> Self {
        Self::from_prf(hash, pre_master_secret, &[b"master secret", client_random, server_random])
    }

    /// PRF(pre_master_secret, "extended master secret", session_hash) (RFC 7627, 4).
    #[must_use]
    pub fn derive_extended(hash: PrfHash, pre_master_secret: &[u8], session_hash: &[u8]) -> Self {
        Self::from_prf(hash, pre_master_secret, &[b"extended master secret", session_hash])
    }

    /// A secret kept from an earlier session.
    #[must_use]
    pub fn from_bytes(hash: PrfHash, bytes: &[u8; MASTER_SECRET_SIZE]) -> Self {
        Self { secret: Zeroizing::new(*bytes), hash }
    }

    /// For keeping a session: whoever has it can read the session.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; MASTER_SECRET_SIZE] {
        &self.secret
    }

    /// The content of a Finished (RFC 5246, 7.4.9).
    #[must_use]
    pub fn verify_data(&self, label: &[u8], transcript_hash: &[u8]) -> [u8; VERIFY_DATA_SIZE] {
        let mut out = [0; VERIFY_DATA_SIZE];
        self.prf(label, transcript_hash, &mut out);
        out
    }

    /// PRF(master_secret, label, seed).
    pub fn prf(&self, label: &[u8], seed: &[u8], out: &mut [u8]) {
        self.prf_parts(&[label, seed], out);
    }

    /// The protection of what the client writes and of what the server writes (RFC 5246, 6.3).
    #[must_use]
    pub fn gcm_protection(
        &self,
        client_random: &[u8; RANDOM_SIZE],
        server_random: &[u8; RANDOM_SIZE],
    ) -> (GcmProtection, GcmProtection) {
        let mut block = Zeroizing::new([0; 2 * (KEY_SIZE + FIXED_NONCE_SIZE)]);
        let seed = [b"key expansion", &server_random[..], client_random];
        self.prf_parts(&seed, &mut block[..]);
        // client_write_key, server_write_key, client_write_IV, server_write_IV
        let (keys, nonces) = block.split_at(2 * KEY_SIZE);
        let (keys, nonces) = (keys.as_chunks().0, nonces.as_chunks().0);
        (GcmProtection::new(&keys[0], nonces[0]), GcmProtection::new(&keys[1], nonces[1]))
    }

    /// PRF(master_secret, label, seed), label and seed in parts.
    fn prf_parts(&self, label_and_seed: &[&[u8]], out: &mut [u8]) {
        tls12_prf(self.hash, &self.secret[..], label_and_seed, out);
    }

    fn from_prf(hash: PrfHash, secret: &[u8], label_and_seed: &[&[u8]]) -> Self {
        let mut master = Zeroizing::new([0; MASTER_SECRET_SIZE]);
        tls12_prf(hash, secret, label_and_seed, &mut master[..]);
        Self { secret: master, hash }
    }
}

impl core::fmt::Debug for MasterSecret {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("MasterSecret { .. }")
    }
}

/// What protects one direction. Wiped when dropped.
pub struct GcmProtection {
    gcm: Gcm,
    fixed_nonce: [u8; FIXED_NONCE_SIZE],
}

impl GcmProtection {
    /// From a write key and a write IV.
    #[must_use]
    pub fn new(key: &[u8; KEY_SIZE], fixed_nonce: [u8; FIXED_NONCE_SIZE]) -> Self {
        Self { gcm: Gcm::new(key), fixed_nonce }
    }

    fn nonce(&self, explicit: &[u8]) -> [u8; 12] {
        let mut nonce = [0; 12];
        nonce[..FIXED_NONCE_SIZE].copy_from_slice(&self.fixed_nonce);
        nonce[FIXED_NONCE_SIZE..].copy_from_slice(explicit);
        nonce
    }
}

impl Drop for GcmProtection {
    fn drop(&mut self) {
        self.fixed_nonce.zeroize();
    }
}

/// What a sealer may do.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Most plaintext of one record, 1 to [`MAX_FRAGMENT`].
    pub fragment: usize,
    /// Most records.
    pub records: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { fragment: MAX_FRAGMENT, records: DEFAULT_RECORD_LIMIT }
    }
}

/// Makes protected records.
pub struct GcmSealer {
    protection: GcmProtection,
    version: [u8; 2],
    limits: Limits,
    sequence: u64,
}

impl GcmSealer {
    /// Starts at sequence number 0; `version` stands in every header.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] for a fragment length outside 1 to [`MAX_FRAGMENT`].
    pub fn new(protection: GcmProtection, version: u16, limits: Limits) -> Result<Self, Error> {
        if !(1..=MAX_FRAGMENT).contains(&limits.fragment) {
            return Err(Error::InvalidInput("a fragment has 1 to 16384 bytes"));
        }
        Ok(Self { protection, version: version.to_be_bytes(), limits, sequence: 0 })
    }

    /// The sequence number of the next record.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.sequence
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
    /// [`Error::InvalidInput`] if there is no room for [`GcmSealer::sealed_length`] bytes.
    pub fn seal(
        &mut self,
        content_type: u8,
        data: &[u8],
        room: &mut Room<'_>,
    ) -> Result<(), Error> {
        room.require(self.sealed_length(data.len())?)?;
        let count = self.count(data.len()) as u64;
        if self.sequence.checked_add(count).is_none_or(|end| end > self.limits.records) {
            return Err(Error::Exhausted);
        }
        let fragments = data.chunks(self.limits.fragment).chain(data.is_empty().then_some(data));
        for fragment in fragments {
            self.seal_record(content_type, fragment, room)?;
        }
        Ok(())
    }

    fn count(&self, data: usize) -> usize {
        data.div_ceil(self.limits.fragment).max(1)
    }

    fn seal_record(
        &mut self,
        content_type: u8,
        fragment: &[u8],
        room: &mut Room<'_>,
    ) -> Result<(), Error> {
        let [first, second] = self.version;
        let length = (EXPLICIT_NONCE_SIZE + fragment.len() + TAG_SIZE) as u16;
        let [high, low] = length.to_be_bytes();
        room.write(&[content_type, first, second, high, low])?;
        let explicit = self.sequence.to_be_bytes();
        room.write(&explicit)?;
        let aad = additional_data(self.sequence, content_type, self.version, fragment.len());
        let nonce = self.protection.nonce(&explicit);
        let tag = self.protection.gcm.encrypt_to(&nonce, &aad, &[fragment], room)?;
        room.write(&tag)?;
        self.sequence += 1;
        Ok(())
    }
}

/// Opens protected records.
pub struct GcmOpener {
    protection: GcmProtection,
    version: [u8; 2],
    max_fragment: usize,
    sequence: u64,
    dead: bool,
}

impl GcmOpener {
    /// Starts at sequence number 0; every header must have `version`.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] for a fragment length outside 1 to [`MAX_FRAGMENT`].
    pub fn new(
        protection: GcmProtection,
        version: u16,
        max_fragment: usize,
    ) -> Result<Self, Error> {
        if !(1..=MAX_FRAGMENT).contains(&max_fragment) {
            return Err(Error::InvalidInput("a fragment has 1 to 16384 bytes"));
        }
        let version = version.to_be_bytes();
        Ok(Self { protection, version, max_fragment, sequence: 0, dead: false })
    }

    /// The sequence number of the next record.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Bytes of plaintext in a whole record, by its size alone: none if it is too short.
    #[must_use]
    pub fn opened_length(record: usize) -> usize {
        record.saturating_sub(OVERHEAD)
    }

    /// Opens one whole record, with its header: [`GcmOpener::opened_length`] bytes.
    ///
    /// After any error the opener opens nothing more, and nothing has been written.
    ///
    /// # Errors
    /// [`Error::InvalidTag`] if the record is not what the peer sealed: too short, of another
    /// length than its header says, of another version, or forged. [`Error::InvalidInput`] if its
    /// plaintext would be longer than allowed or there is not so much room, [`Error::Exhausted`] if
    /// the sequence number ends.
    pub fn open(&mut self, record: &[u8], room: &mut Room<'_>) -> Result<(), Error> {
        if self.dead {
            return Err(Error::InvalidTag);
        }
        let result = self.open_record(record, room);
        self.dead = result.is_err();
        result
    }

    /// Bytes of content of the run at the front of a stream, if all of it opens.
    #[must_use]
    pub fn run_length(&self, stream: &[u8]) -> usize {
        self.run(stream).map(|record| record.len() - OVERHEAD).sum()
    }

    /// Opens the records of application data that stand whole at the front of `stream`, as far as
    /// there is room: [`GcmOpener::run_length`] bytes are enough. Gives how much of it they take.
    ///
    /// The first record that is empty or does not open ends the run and is left as it was found,
    /// for [`GcmOpener::open`] to say what is wrong with it.
    pub fn open_run(&mut self, stream: &[u8], room: &mut Room<'_>) -> usize {
        if self.dead {
            return 0;
        }
        let opened = self.run(stream).take_while(|record| self.open_record(record, room).is_ok());
        opened.map(<[u8]>::len).sum()
    }

    fn run<'a>(&self, stream: &'a [u8]) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let lengths = OVERHEAD + 1..=OVERHEAD + self.max_fragment;
        run::records(stream, self.version, lengths, OVERHEAD)
    }

    fn open_record(&mut self, record: &[u8], room: &mut Room<'_>) -> Result<(), Error> {
        let next = self.sequence.checked_add(1).ok_or(Error::Exhausted)?;
        let (header, body) = record.split_at_checked(HEADER_SIZE).ok_or(Error::InvalidTag)?;
        let length = usize::from(u16::from_be_bytes([header[3], header[4]]));
        if header[1..3] != self.version || length != body.len() || record.len() < OVERHEAD {
            return Err(Error::InvalidTag);
        }
        if record.len() - OVERHEAD > self.max_fragment {
            return Err(Error::InvalidInput("a record longer than its limit"));
        }
        let (explicit, body) = body.split_at(EXPLICIT_NONCE_SIZE);
        let (text, tag) = body.split_at(body.len() - TAG_SIZE);
        let aad = additional_data(self.sequence, header[0], self.version, text.len());
        let nonce = self.protection.nonce(explicit);
        self.protection.gcm.decrypt_to(&nonce, &aad, text, tag, room, &mut [])?;
        self.sequence = next;
        Ok(())
    }
}

/// seq_num, type, version, length of the plaintext (RFC 5246, 6.2.3.3).
fn additional_data(sequence: u64, content_type: u8, version: [u8; 2], length: usize) -> [u8; 13] {
    let mut aad = [0; 13];
    aad[..8].copy_from_slice(&sequence.to_be_bytes());
    aad[8] = content_type;
    aad[9..11].copy_from_slice(&version);
    aad[11..].copy_from_slice(&(length as u16).to_be_bytes());
    aad
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory;
    use crate::test_support::{hex, on_every_backend};

    const VERSION: u16 = 0x0303;

    fn pair(limits: Limits) -> (GcmSealer, GcmOpener) {
        let protection = || GcmProtection::new(&[7; KEY_SIZE], [1, 2, 3, 4]);
        let sealer = GcmSealer::new(protection(), VERSION, limits);
        let opener = GcmOpener::new(protection(), VERSION, limits.fragment);
        match (sealer, opener) {
            (Ok(sealer), Ok(opener)) => (sealer, opener),
            _ => panic!("limits not accepted"),
        }
    }

    fn seal(sealer: &mut GcmSealer, data: &[u8]) -> Result<Vec<u8>, Error> {
        let length = sealer.sealed_length(data.len())?;
        let (records, ()) = memory::vector(length, |room| sealer.seal(23, data, room))?;
        assert_eq!(records.len(), length);
        Ok(records)
    }

    fn open(opener: &mut GcmOpener, record: &[u8]) -> Result<Vec<u8>, Error> {
        let length = GcmOpener::opened_length(record.len());
        Ok(memory::vector(length, |room| opener.open(record, room))?.0)
    }

    /// How much of a stream a run takes, and its content.
    fn open_run(opener: &mut GcmOpener, stream: &[u8]) -> (usize, Vec<u8>) {
        let run =
            memory::vector(opener.run_length(stream), |room| Ok(opener.open_run(stream, room)));
        run.map(|(content, taken)| (taken, content)).unwrap_or_default()
    }

    #[test]
    fn the_recorded_finished_of_a_client_opens() {
        // A session of our own client with GmSSL 2.5.4.
        let secret = hex("94b8148e3f1db78761265b489af8ca3109c7071639dcba7d0787c7565351e06b\
                          fd6207b360fd0015b13628f9bfa42a57");
        let client_random: [u8; 32] = core::array::from_fn(|i| 0x80 + i as u8);
        let server_random = hex("26ae67bc48d9d69faa32b69fea33b48433298362aaae961f79a02477b4607b55");
        let record = hex("16030300280000000000000000105604c72175f9d903e8a7418aac55d52b6039\
                          5a30d660b3175dbd05ce5fbdfc");
        let plain = on_every_backend(|| {
            let master = secret
                .as_slice()
                .try_into()
                .map(|bytes| MasterSecret::from_bytes(PrfHash::Sm3, bytes));
            let (Ok(master), Ok(server)) = (master, server_random.as_slice().try_into()) else {
                panic!("lengths of the vector");
            };
            let (client, _) = master.gcm_protection(&client_random, server);
            let mut opener = GcmOpener::new(client, VERSION, MAX_FRAGMENT)?;
            open(&mut opener, &record)
        });
        let plain = plain.unwrap_or_default();
        assert_eq!((plain.len(), &plain[..4]), (16, &[0x14, 0, 0, 12][..]));
    }

    #[test]
    fn data_is_cut_into_fragments_and_an_empty_record_is_one() {
        let (mut sealer, mut opener) = pair(Limits { fragment: 10, ..Limits::default() });
        let records = seal(&mut sealer, &[5; 25]).unwrap_or_default();
        let lengths: Vec<_> = records.chunks(10 + OVERHEAD).map(<[u8]>::len).collect();
        assert_eq!(lengths, [39, 39, 34]);
        for (record, length) in records.chunks(39).zip([10, 10, 5]) {
            assert_eq!(open(&mut opener, record), Ok(vec![5; length]));
        }
        let empty = seal(&mut sealer, b"").unwrap_or_default();
        assert_eq!(empty.len(), OVERHEAD);
        assert_eq!(open(&mut opener, &empty), Ok(Vec::new()));
        assert_eq!((sealer.sequence(), opener.sequence()), (4, 4));
    }

    #[test]
    fn a_flipped_bit_kills_the_opener() {
        let (mut sealer, _) = pair(Limits::default());
        let record = seal(&mut sealer, b"42 kWh").unwrap_or_default();
        for bit in 0..8 * record.len() {
            let (_, mut opener) = pair(Limits::default());
            let mut altered = record.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(open(&mut opener, &altered), Err(Error::InvalidTag), "bit {bit}");
            assert_eq!(open(&mut opener, &record), Err(Error::InvalidTag));
        }
    }

    #[test]
    fn a_run_opens_as_its_records_do_one_by_one() {
        let limits = Limits { fragment: 10, ..Limits::default() };
        let records = on_every_backend(|| {
            let (mut sealer, mut opener) = pair(limits);
            let records = seal(&mut sealer, &[5; 25]).unwrap_or_default();
            assert_eq!(open_run(&mut opener, &records), (records.len(), vec![5; 25]));
            assert_eq!(opener.sequence(), 3);
            records
        });
        for cut in 0..records.len() {
            let (_, mut opener) = pair(limits);
            let whole = cut / 39;
            let run = open_run(&mut opener, &records[..cut]);
            assert_eq!(run, (39 * whole, vec![5; 10 * whole]));
        }
    }

    #[test]
    fn what_is_odd_is_left_by_a_run_as_it_was_found() {
        let limits = Limits { fragment: 10, ..Limits::default() };
        let (mut sealer, _) = pair(limits);
        let mut stream = seal(&mut sealer, &[5; 10]).unwrap_or_default();
        let good = stream.len();
        let empty = seal(&mut sealer, b"").unwrap_or_default();
        let mut altered = seal(&mut sealer, b"more").unwrap_or_default();
        altered[HEADER_SIZE + EXPLICIT_NONCE_SIZE] ^= 1;
        for odd in [&empty, &altered] {
            let (_, mut opener) = pair(limits);
            stream.truncate(good);
            stream.extend_from_slice(odd);
            assert_eq!(open_run(&mut opener, &stream), (good, vec![5; 10]));
            let after = if odd == &empty { Ok(Vec::new()) } else { Err(Error::InvalidTag) };
            assert_eq!(open(&mut opener, odd), after);
        }
        let (_, mut dead) = pair(limits);
        assert!(open(&mut dead, &altered).is_err());
        assert_eq!(open_run(&mut dead, &stream), (0, vec![]));
    }

    #[test]
    fn replay_and_truncation_are_refused() {
        let (mut sealer, mut opener) = pair(Limits::default());
        let record = seal(&mut sealer, b"once").unwrap_or_default();
        for length in 0..record.len() {
            let (_, mut opener) = pair(Limits::default());
            assert_eq!(open(&mut opener, &record[..length]), Err(Error::InvalidTag));
        }
        assert!(open(&mut opener, &record).is_ok());
        assert_eq!(open(&mut opener, &record), Err(Error::InvalidTag));
    }

    #[test]
    fn limits_hold() {
        let (mut sealer, _) = pair(Limits { fragment: 4, records: 3 });
        assert!(seal(&mut sealer, b"12345678").is_ok());
        assert_eq!(seal(&mut sealer, b"12345678"), Err(Error::Exhausted));
        assert!(seal(&mut sealer, b"1").is_ok());
        assert_eq!(seal(&mut sealer, b""), Err(Error::Exhausted));
        let (mut sealer, _) = pair(Limits::default());
        let long = seal(&mut sealer, &[0; 5]).unwrap_or_default();
        let (_, mut opener) = pair(Limits { fragment: 4, ..Limits::default() });
        assert!(matches!(open(&mut opener, &long), Err(Error::InvalidInput(_))));
        opener.dead = false;
        opener.sequence = u64::MAX;
        assert_eq!(open(&mut opener, &long), Err(Error::Exhausted));
        sealer.limits.records = u64::MAX;
        sealer.sequence = u64::MAX;
        assert_eq!(seal(&mut sealer, b""), Err(Error::Exhausted));
    }
}
