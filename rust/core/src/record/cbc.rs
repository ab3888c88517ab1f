//! Records of the CBC suites: SM4-CBC over data, HMAC-SM3 and padding (RFC 5246, 6.2.3.2;
//! GB/T 38636-2020, 6.3.3.4).
//!
//! MAC-then-encrypt invites attacks by time: whether the padding was right, and how much of it
//! there was, must not show. Opening therefore does the same work for every content of a record of
//! the same length, and has one answer for all that is wrong.

use core::hint::black_box;

use zeroize::{Zeroize, Zeroizing};

use super::classic::{DEFAULT_RECORD_LIMIT, HEADER_SIZE, MAX_FRAGMENT, MasterSecret, RANDOM_SIZE};
use crate::ct;
use crate::drbg::{Purpose, System};
use crate::error::Error;
use crate::hmac::HmacSm3;
use crate::memory::Room;
use crate::sm3::{DIGEST_SIZE, Digest, many};
use crate::sm4::{self, BLOCK_SIZE, Block, KEY_SIZE, cbc};

const MAC_SIZE: usize = DIGEST_SIZE;
/// Most bytes of padding, its length byte left out.
const MAX_PADDING: usize = 255;
/// Fewest bytes behind the IV: MAC and one byte of padding, in whole blocks.
const LEAST_BODY: usize = (MAC_SIZE + 1).next_multiple_of(BLOCK_SIZE);

/// What protects one direction. Wiped when dropped.
#[derive(Clone)]
pub struct CbcProtection {
    key: sm4::Key,
    mac: HmacSm3,
}

impl MasterSecret {
    /// The protection of what the client writes and of what the server writes (RFC 5246, 6.3).
    #[must_use]
    pub fn cbc_protection(
        &self,
        client_random: &[u8; RANDOM_SIZE],
        server_random: &[u8; RANDOM_SIZE],
    ) -> (CbcProtection, CbcProtection) {
        let mut block = Zeroizing::new([0; 2 * (MAC_SIZE + KEY_SIZE)]);
        self.prf(b"key expansion", &[&server_random[..], client_random].concat(), &mut block[..]);
        // client_write_MAC_key, server_write_MAC_key, client_write_key, server_write_key
        let (macs, keys) = block.split_at(2 * MAC_SIZE);
        let (macs, keys) = (macs.as_chunks::<MAC_SIZE>().0, keys.as_chunks::<KEY_SIZE>().0);
        let protection =
            |i: usize| CbcProtection { key: sm4::Key::new(&keys[i]), mac: HmacSm3::new(&macs[i]) };
        (protection(0), protection(1))
    }
}

/// Makes protected records.
pub struct CbcSealer {
    protection: CbcProtection,
    version: [u8; 2],
    sequence: u64,
}

impl CbcSealer {
    /// Starts at sequence number 0; `version` stands in every header.
    #[must_use]
    pub fn new(protection: CbcProtection, version: u16) -> Self {
        Self { protection, version: version.to_be_bytes(), sequence: 0 }
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
        let whole = (data / MAX_FRAGMENT).checked_mul(record_length(MAX_FRAGMENT));
        let rest = match data % MAX_FRAGMENT {
            0 if data > 0 => 0,
            rest => record_length(rest),
        };
        whole
            .and_then(|whole| whole.checked_add(rest))
            .ok_or(Error::InvalidInput("too much data for one call"))
    }

    /// Seals the data into as many records as it needs, one if it is empty.
    ///
    /// # Errors
    /// [`Error::Exhausted`] if the key may not seal so many more records,
    /// [`Error::RandomnessFailure`] if there is no IV to be had, [`Error::InvalidInput`] if there
    /// is no room for [`CbcSealer::sealed_length`] bytes.
    pub fn seal(
        &mut self,
        content_type: u8,
        data: &[u8],
        room: &mut Room<'_>,
    ) -> Result<(), Error> {
        room.require(self.sealed_length(data.len())?)?;
        let count = data.len().div_ceil(MAX_FRAGMENT).max(1);
        if self.sequence + count as u64 > DEFAULT_RECORD_LIMIT {
            return Err(Error::Exhausted);
        }
        let fragments = data.chunks(MAX_FRAGMENT).chain(data.is_empty().then_some(data));
        let fragments: Vec<_> = fragments.collect();
        let macs = self.macs(content_type, &fragments);
        let (start, mut chains) = (room.written().len(), Vec::with_capacity(count));
        for (fragment, mac) in fragments.into_iter().zip(&macs) {
            chains.push(self.write_record(content_type, fragment, mac, room)?);
        }
        let records = room.written()[start..].chunks_mut(record_length(MAX_FRAGMENT));
        let blocks = records.map(|record| record[HEADER_SIZE + BLOCK_SIZE..].as_chunks_mut().0);
        // Side by side, as the MACs: one chain alone would be slower by far.
        let mut streams: Vec<_> = blocks.collect();
        self.protection.key.encrypt_chains::<true>(&mut chains, &mut streams);
        Ok(())
    }

    /// The MACs of the next records.
    fn macs(&self, content_type: u8, fragments: &[&[u8]]) -> Vec<Digest> {
        let header = |(sequence, fragment): (u64, &&[u8])| {
            mac_header(sequence, content_type, self.version, fragment.len())
        };
        let headers: Vec<_> = (self.sequence..).zip(fragments).map(header).collect();
        let messages = headers.iter().zip(fragments).map(|(header, body)| (&header[..], *body));
        many::hmac_all(&self.protection.mac.states(), &messages.collect::<Vec<_>>())
    }

    /// Writes a record as it is before encryption, and gives its IV.
    fn write_record(
        &mut self,
        content_type: u8,
        fragment: &[u8],
        mac: &Digest,
        room: &mut Room<'_>,
    ) -> Result<Block, Error> {
        let mut iv = [0; BLOCK_SIZE];
        System::fill_with(Purpose::General, b"record IV", &mut iv)?;
        let [first, second] = self.version;
        let body = record_length(fragment.len()) - HEADER_SIZE;
        let [high, low] = (body as u16).to_be_bytes();
        room.write(&[content_type, first, second, high, low])?;
        room.write(&iv)?;
        room.write(fragment)?;
        room.write(mac)?;
        let padding = body - BLOCK_SIZE - fragment.len() - MAC_SIZE;
        room.write(&[padding as u8 - 1; BLOCK_SIZE][..padding])?;
        self.sequence += 1;
        Ok(iv)
    }
}

/// Bytes of the record of a fragment: header, IV, fragment, MAC and padding to a whole block.
const fn record_length(fragment: usize) -> usize {
    HEADER_SIZE + BLOCK_SIZE + (fragment + MAC_SIZE + 1).next_multiple_of(BLOCK_SIZE)
}

/// Opens protected records.
pub struct CbcOpener {
    protection: CbcProtection,
    version: [u8; 2],
    sequence: u64,
    dead: bool,
}

impl CbcOpener {
    /// Starts at sequence number 0; every header must have `version`.
    #[must_use]
    pub fn new(protection: CbcProtection, version: u16) -> Self {
        Self { protection, version: version.to_be_bytes(), sequence: 0, dead: false }
    }

    /// The sequence number of the next record.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Opens one whole record, with its header. After any error the opener opens nothing more.
    ///
    /// # Errors
    /// [`Error::InvalidTag`] if the record is not what the peer sealed; [`Error::InvalidInput`] if
    /// an authentic plaintext is longer than allowed; [`Error::Exhausted`].
    pub fn open(&mut self, record: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        if self.dead {
            return Err(Error::InvalidTag);
        }
        let result = self.open_record(record);
        self.dead = result.is_err();
        result
    }

    fn open_record(&mut self, record: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        let next = self.sequence.checked_add(1).ok_or(Error::Exhausted)?;
        let (header, body) = record.split_at_checked(HEADER_SIZE).ok_or(Error::InvalidTag)?;
        let length = usize::from(u16::from_be_bytes([header[3], header[4]]));
        let (iv, ciphertext) = body.split_first_chunk().ok_or(Error::InvalidTag)?;
        let whole = ciphertext.len() >= LEAST_BODY && ciphertext.len() % BLOCK_SIZE == 0;
        if header[1..3] != self.version || length != body.len() || !whole {
            return Err(Error::InvalidTag);
        }
        let mut plain = cbc::decrypt(&self.protection.key, iv, ciphertext, false)?;
        let (fragment, good) = self.authenticate(header[0], &plain);
        // One decision, after all the work. From here on the length is as public as the record.
        if good == 0 {
            return Err(Error::InvalidTag);
        }
        if fragment > MAX_FRAGMENT {
            return Err(Error::InvalidInput("a record longer than its limit"));
        }
        plain.truncate(fragment);
        self.sequence = next;
        Ok(plain)
    }

    /// The length of the fragment, and all ones if padding and MAC are right. The time depends on
    /// the length of `plain` alone.
    pub(crate) fn authenticate(&self, content_type: u8, plain: &[u8]) -> (usize, u64) {
        let (padding, padding_good) = padding_length(plain);
        // Wrapping, because the check for an overflow that cannot be would branch on a secret.
        let fragment = (plain.len() - MAC_SIZE - 1).wrapping_sub(padding);
        let mac_header = mac_header(self.sequence, content_type, self.version, fragment);
        let mut expected = self.mac_hiding_length(&mac_header, plain, fragment);
        let mut received = mac_at(plain, fragment);
        let differs = expected.iter().zip(received).fold(0, |all, (a, b)| all | (a ^ b));
        expected.zeroize();
        received.zeroize();
        (fragment, padding_good & ct::mask_if_zero(u64::from(differs)))
    }

    fn mac_hiding_length(
        &self,
        header: &[u8; 13],
        plain: &[u8],
        fragment: usize,
    ) -> [u8; MAC_SIZE] {
        let most = plain.len() - MAC_SIZE - 1;
        let mut mac = self.protection.mac.clone();
        mac.update(header);
        mac.finalize_hiding_length(&plain[..most], fragment, most.saturating_sub(MAX_PADDING))
    }
}

/// The length of the padding, and all ones if it is right; 0 and zeros if it is not.
fn padding_length(plain: &[u8]) -> (usize, u64) {
    let last = black_box(u64::from(plain[plain.len() - 1]));
    let room = (plain.len() - MAC_SIZE - 1) as u64;
    // Bit 63 of a difference of small numbers is its sign.
    let mut wrong = room.wrapping_sub(last) >> 63;
    for (distance, byte) in plain.iter().rev().take(MAX_PADDING + 1).enumerate() {
        let inside = (last.wrapping_sub(distance as u64) >> 63).wrapping_sub(1);
        wrong |= inside & (u64::from(*byte) ^ last);
    }
    let good = ct::mask_if_zero(wrong);
    ((last & good) as usize, good)
}

/// The 32 bytes at a secret position, by reading every place where they could stand.
fn mac_at(plain: &[u8], position: usize) -> [u8; MAC_SIZE] {
    let start = plain.len().saturating_sub(MAC_SIZE + 1 + MAX_PADDING);
    let position = black_box(position.wrapping_sub(start) as u64);
    // Each byte goes to its place modulo 32; then the ring is turned by the secret offset.
    let mut ring = [0u8; MAC_SIZE];
    for (index, byte) in plain[start..].iter().enumerate() {
        let after = (index as u64).wrapping_sub(position); // below 32 for the bytes of the MAC
        let inside = ct::mask_if_zero(after >> 5) as u8;
        ring[index % MAC_SIZE] |= byte & inside;
    }
    for bit in 0..5 {
        // Behind the black box, or the compiler turns the mask back into a branch.
        let turn = black_box(((position >> bit) & 1).wrapping_neg());
        let turned: [u8; MAC_SIZE] = core::array::from_fn(|i| ring[(i + (1 << bit)) % MAC_SIZE]);
        for (byte, other) in ring.iter_mut().zip(turned) {
            *byte = ct::select(turn, u64::from(other), u64::from(*byte)) as u8;
        }
    }
    ring
}

/// seq_num, type, version, length of the fragment (RFC 5246, 6.2.3.1).
fn mac_header(sequence: u64, content_type: u8, version: [u8; 2], fragment: usize) -> [u8; 13] {
    let mut header = [0; 13];
    header[..8].copy_from_slice(&sequence.to_be_bytes());
    header[8] = content_type;
    header[9..11].copy_from_slice(&version);
    header[11..].copy_from_slice(&(fragment as u16).to_be_bytes());
    header
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kdf::PrfHash;
    use crate::memory;
    use crate::test_support::on_every_backend;

    const VERSION: u16 = 0x0101;

    fn protection() -> CbcProtection {
        let secret = MasterSecret::from_bytes(PrfHash::Sm3, &[3; 48]);
        secret.cbc_protection(&[1; 32], &[2; 32]).0
    }

    fn pair() -> (CbcSealer, CbcOpener) {
        (CbcSealer::new(protection(), VERSION), CbcOpener::new(protection(), VERSION))
    }

    /// A record with padding of our choice, otherwise as a sealer makes it.
    fn record_with(data: &[u8], padding: &[u8]) -> Vec<u8> {
        let CbcProtection { key, mut mac } = protection();
        mac.update(&mac_header(0, 23, VERSION.to_be_bytes(), data.len()));
        mac.update(data);
        let plain = [data, &mac.finalize(), padding].concat();
        let sealed = cbc::encrypt(&key, &[9; 16], &plain, false).unwrap_or_default();
        let length = (sealed.len() + 16) as u16;
        [&[23, 1, 1][..], &length.to_be_bytes(), &[9; 16], &sealed].concat()
    }

    fn seal(sealer: &mut CbcSealer, data: &[u8]) -> Vec<u8> {
        let length = sealer.sealed_length(data.len()).unwrap_or_default();
        let sealed = memory::vector(length, |room| sealer.seal(23, data, room));
        let (records, ()) = sealed.unwrap_or_default();
        assert_eq!(records.len(), length);
        records
    }

    fn open(record: &[u8]) -> Result<Vec<u8>, Error> {
        pair().1.open(record).map(|plain| plain.to_vec())
    }

    #[test]
    fn every_length_comes_back() {
        on_every_backend(|| {
            let (mut sealer, mut opener) = pair();
            for length in (0..100).chain([255, 256, 1000, MAX_FRAGMENT]) {
                let data = vec![0xa5; length];
                let record = seal(&mut sealer, &data);
                let opened = opener.open(&record).map(|plain| plain.to_vec());
                assert_eq!(opened, Ok(data));
            }
        });
    }

    #[test]
    fn data_beyond_a_fragment_makes_several_records() {
        let (mut sealer, mut opener) = pair();
        let data: Vec<u8> = (0..MAX_FRAGMENT + 5).map(|i| i as u8).collect();
        let records = seal(&mut sealer, &data);
        let first = HEADER_SIZE + usize::from(u16::from_be_bytes([records[3], records[4]]));
        let mut joined = opener.open(&records[..first]).map(|p| p.to_vec()).unwrap_or_default();
        joined.extend_from_slice(&opener.open(&records[first..]).unwrap_or_default());
        assert_eq!(joined, data);
    }

    #[test]
    fn records_sealed_side_by_side_open_one_by_one() {
        on_every_backend(|| {
            let (mut sealer, mut opener) = pair();
            let data: Vec<u8> = (0..9 * MAX_FRAGMENT + 100).map(|i| (i / 7) as u8).collect();
            let records = seal(&mut sealer, &data);
            let mut joined = Vec::new();
            for record in records.chunks(record_length(MAX_FRAGMENT)) {
                joined.extend_from_slice(&opener.open(record).unwrap_or_default());
            }
            assert!(joined == data);
            assert_eq!((sealer.sequence(), opener.sequence()), (10, 10));
        });
    }

    #[test]
    fn too_short_an_output_is_refused() {
        let (mut sealer, _) = pair();
        let sealed = memory::vector(68, |room| sealer.seal(23, b"data", room));
        assert!(matches!(sealed, Err(Error::InvalidInput(_))));
        assert_eq!(sealer.sequence(), 0);
    }

    #[test]
    fn every_legal_padding_is_taken() {
        for blocks in 0..16 {
            let padding = 11 + 16 * blocks; // 4 bytes of data, 32 of MAC, padding and its length
            let record = record_with(b"data", &vec![padding as u8; padding + 1]);
            assert_eq!(open(&record), Ok(b"data".to_vec()), "{padding}");
        }
    }

    #[test]
    fn every_wrong_padding_is_refused() {
        for position in 0..12 {
            let mut padding = [11u8; 12];
            padding[position] ^= 1;
            assert_eq!(open(&record_with(b"data", &padding)), Err(Error::InvalidTag));
        }
        // Longer than the record has room for, and so long that it would reach into the MAC.
        for claimed in [16, 43, 47, 48, 255] {
            let record = record_with(b"data", &[claimed; 12]);
            assert_eq!(open(&record), Err(Error::InvalidTag), "{claimed}");
        }
    }

    #[test]
    fn a_flipped_bit_kills_the_opener() {
        let (mut sealer, _) = pair();
        let record = seal(&mut sealer, b"42 kWh");
        for bit in 0..8 * record.len() {
            let (_, mut opener) = pair();
            let mut altered = record.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(opener.open(&altered).err(), Some(Error::InvalidTag), "bit {bit}");
            assert_eq!(opener.open(&record).err(), Some(Error::InvalidTag));
        }
    }

    #[test]
    fn replay_and_truncation_are_refused() {
        let (mut sealer, mut opener) = pair();
        let record = seal(&mut sealer, b"once");
        for length in 0..record.len() {
            assert_eq!(open(&record[..length]), Err(Error::InvalidTag));
        }
        assert!(opener.open(&record).is_ok());
        assert_eq!(opener.open(&record).err(), Some(Error::InvalidTag));
    }

    #[test]
    fn an_authentic_fragment_beyond_the_limit_is_too_long() {
        let record = record_with(&vec![0; MAX_FRAGMENT + 16], &[15; 16]);
        assert!(matches!(open(&record), Err(Error::InvalidInput(_))));
    }
}
