//! Counter with CBC-MAC (NIST SP 800-38C; RFC 3610).

use core::cmp::Reverse;

use zeroize::{Zeroize, Zeroizing};

use super::ctr::{Keystream, LengthField};
use super::{BLOCK_SIZE, Block, KEY_SIZE, Key};
use crate::ct;
use crate::error::Error;

/// A key for any number of messages, with the length of their tags.
#[derive(Clone)]
pub struct Ccm {
    key: Key,
    tag_length: usize,
}

impl Ccm {
    /// Expands a key.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] unless the tag is 4, 6, 8, 10, 12, 14 or 16 bytes long.
    pub fn new(key: &[u8; KEY_SIZE], tag_length: usize) -> Result<Self, Error> {
        if !(4..=16).contains(&tag_length) || !tag_length.is_multiple_of(2) {
            return Err(Error::InvalidInput("a CCM tag is 4, 6, 8, 10, 12, 14 or 16 bytes long"));
        }
        Ok(Self { key: Key::new(key), tag_length })
    }

    /// Bytes of a tag.
    #[must_use]
    pub fn tag_length(&self) -> usize {
        self.tag_length
    }

    /// Encrypts in place and gives the tag, of which [`Ccm::tag_length`] bytes count.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] for a nonce that is not 7 to 13 bytes long, or more data than the
    /// length field beside such a nonce can tell, and never 64 GiB.
    pub fn encrypt(&self, nonce: &[u8], aad: &[u8], data: &mut [u8]) -> Result<Block, Error> {
        let mut tag = [0; BLOCK_SIZE];
        let tags = core::slice::from_mut(&mut tag);
        self.encrypt_side_by_side(&mut [Message { nonce, aad, data }], tags)?;
        Ok(tag)
    }

    /// Decrypts in place and checks the tag.
    ///
    /// # Errors
    /// [`Error::InvalidTag`], the data being wiped, and as [`Ccm::encrypt`].
    pub fn decrypt(
        &self,
        nonce: &[u8],
        aad: &[u8],
        data: &mut [u8],
        tag: &[u8],
    ) -> Result<(), Error> {
        match self.decrypt_side_by_side(&mut [Message { nonce, aad, data }], &[tag])? {
            1 => Ok(()),
            _ => Err(Error::InvalidTag),
        }
    }

    /// Encrypts messages in place and gives their tags. Each takes as long as one alone, a MAC
    /// being a chain of blocks, so that many together are faster by far.
    ///
    /// # Errors
    /// As [`Ccm::encrypt`].
    pub(crate) fn encrypt_side_by_side(
        &self,
        messages: &mut [Message<'_>],
        tags: &mut [Block],
    ) -> Result<(), Error> {
        messages.iter().try_for_each(Message::check_lengths)?;
        self.macs(messages, tags);
        for (message, tag) in messages.iter_mut().zip(tags) {
            let (mask, mut keystream) = self.start(message.nonce, message.data.len());
            keystream.apply::<LengthField>(&self.key, message.data);
            *tag = add(tag, &mask);
        }
        Ok(())
    }

    /// Decrypts messages in place and tells how many in front have their tags right. The others
    /// are wiped.
    ///
    /// # Errors
    /// As [`Ccm::encrypt_side_by_side`].
    pub(crate) fn decrypt_side_by_side(
        &self,
        messages: &mut [Message<'_>],
        tags: &[&[u8]],
    ) -> Result<usize, Error> {
        messages.iter().try_for_each(Message::check_lengths)?;
        let mut masks = Zeroizing::new(vec![[0; BLOCK_SIZE]; messages.len()]);
        for (message, mask) in messages.iter_mut().zip(&mut masks[..]) {
            let (first, mut keystream) = self.start(message.nonce, message.data.len());
            keystream.apply::<LengthField>(&self.key, message.data);
            *mask = *first;
        }
        let mut expected = Zeroizing::new(vec![[0; BLOCK_SIZE]; messages.len()]);
        self.macs(messages, &mut expected);
        let right = |((mac, mask), tag): &((&Block, &Block), &&[u8])| {
            ct::equal(&add(mac, mask)[..self.tag_length], tag)
        };
        let good = expected.iter().zip(&masks[..]).zip(tags).take_while(right).count();
        for message in &mut messages[good..] {
            message.data.zeroize();
        }
        Ok(good)
    }

    /// The key stream of counter 0, which hides the MAC, and that from counter 1 on.
    fn start(&self, nonce: &[u8], expected: usize) -> (Zeroizing<Block>, Keystream) {
        let mut counter = [0; BLOCK_SIZE];
        counter[0] = length_size(nonce) as u8 - 1;
        counter[1..=nonce.len()].copy_from_slice(nonce);
        let mut keystream = Keystream::new(&counter);
        let mask = Zeroizing::new(keystream.take_block::<LengthField>(&self.key, expected));
        (mask, keystream)
    }

    /// CBC-MACs over B0, the additional data and the message (SP 800-38C, A.2).
    fn macs(&self, messages: &mut [Message<'_>], macs: &mut [Block]) {
        for (message, mac) in messages.iter().zip(&mut *macs) {
            *mac = self.mac_of_start(message);
        }
        let lanes = messages.iter_mut().map(|message| message.data.as_chunks_mut().0);
        let mut lanes: Vec<(&mut [Block], &mut Block)> = lanes.zip(&mut *macs).collect();
        lanes.sort_by_key(|(blocks, _)| Reverse(blocks.len()));
        let (mut streams, ends): (Vec<_>, Vec<_>) = lanes.into_iter().unzip();
        let mut chains = Zeroizing::new(ends.iter().map(|end| **end).collect::<Vec<_>>());
        self.key.encrypt_chains::<false>(&mut chains, &mut streams);
        ends.into_iter().zip(chains.iter()).for_each(|(end, chain)| *end = *chain);
        for (message, mac) in messages.iter().zip(macs) {
            let (_, rest) = message.data.as_chunks::<BLOCK_SIZE>();
            if !rest.is_empty() {
                mac.iter_mut().zip(rest).for_each(|(mac, byte)| *mac ^= byte);
                self.key.encrypt_block(mac);
            }
        }
    }

    fn mac_of_start(&self, message: &Message<'_>) -> Block {
        let (nonce, aad) = (message.nonce, message.aad);
        let size = length_size(nonce);
        let mut first = [0; BLOCK_SIZE];
        let has_aad = u8::from(!aad.is_empty());
        first[0] = has_aad << 6 | ((self.tag_length as u8 - 2) / 2) << 3 | (size as u8 - 1);
        first[1..=nonce.len()].copy_from_slice(nonce);
        let length = (message.data.len() as u128).to_be_bytes();
        first[BLOCK_SIZE - size..].copy_from_slice(&length[BLOCK_SIZE - size..]);
        let mut mac = CbcMac { key: &self.key, sum: [0; BLOCK_SIZE], filled: 0 };
        mac.update(&first);
        mac.update_length(aad.len());
        mac.update(aad);
        mac.pad();
        mac.sum
    }
}

/// A message to be worked on in place.
pub(crate) struct Message<'a> {
    pub nonce: &'a [u8],
    pub aad: &'a [u8],
    pub data: &'a mut [u8],
}

impl Message<'_> {
    fn check_lengths(&self) -> Result<(), Error> {
        if !(7..=13).contains(&self.nonce.len()) {
            return Err(Error::InvalidInput("a CCM nonce is 7 to 13 bytes long"));
        }
        let bits = (8 * length_size(self.nonce) as u32).min(MAX_BITS);
        if self.data.len() as u64 >> bits != 0 {
            return Err(Error::InvalidInput("too much data for a CCM nonce of this length"));
        }
        Ok(())
    }
}

/// q, the bytes of the length field beside a nonce.
fn length_size(nonce: &[u8]) -> usize {
    BLOCK_SIZE - 1 - nonce.len()
}

/// 2^32 blocks, so that no counter that starts at zero wraps its last 32 bits.
const MAX_BITS: u32 = 36;

fn add(a: &Block, b: &Block) -> Block {
    core::array::from_fn(|index| a[index] ^ b[index])
}

/// CBC-MAC over what is public.
struct CbcMac<'a> {
    key: &'a Key,
    sum: Block,
    filled: usize,
}

impl CbcMac<'_> {
    fn update(&mut self, mut data: &[u8]) {
        while !data.is_empty() {
            let (now, later) = data.split_at(data.len().min(BLOCK_SIZE - self.filled));
            self.sum[self.filled..].iter_mut().zip(now).for_each(|(sum, byte)| *sum ^= byte);
            self.filled += now.len();
            if self.filled == BLOCK_SIZE {
                self.pad();
            }
            data = later;
        }
    }

    /// The length of the additional data in the shortest of its three forms.
    fn update_length(&mut self, length: usize) {
        match length as u64 {
            0 => {}
            length @ ..0xff00 => self.update(&length.to_be_bytes()[6..]),
            length @ ..0x1_0000_0000 => {
                self.update(&[0xff, 0xfe]);
                self.update(&length.to_be_bytes()[4..]);
            }
            length => {
                self.update(&[0xff, 0xff]);
                self.update(&length.to_be_bytes());
            }
        }
    }

    fn pad(&mut self) {
        if self.filled > 0 {
            self.key.encrypt_block(&mut self.sum);
            self.filled = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::test_support::on_every_backend;

    fn ccm(key: &[u8; KEY_SIZE]) -> Ccm {
        Ccm::new(key, 16).unwrap_or_else(|_| panic!("a tag length"))
    }

    proptest! {
        #[test]
        fn messages_side_by_side_are_sealed_as_one_by_one(
            key in any::<[u8; KEY_SIZE]>(),
            lengths in proptest::collection::vec(0usize..130, 1..40),
            forged in any::<proptest::sample::Index>(),
        ) {
            on_every_backend(|| {
                let ccm = ccm(&key);
                let mut texts: Vec<_> = lengths.iter().map(|length| vec![7; *length]).collect();
                let mut expected = texts.clone();
                let nonces: Vec<_> = (0..lengths.len() as u8).map(|number| [number; 12]).collect();
                let one_by_one: Vec<_> = expected
                    .iter_mut()
                    .zip(&nonces)
                    .map(|(text, nonce)| ccm.encrypt(nonce, b"aad", text))
                    .collect();
                let mut tags = vec![[0; BLOCK_SIZE]; lengths.len()];
                let done = ccm.encrypt_side_by_side(&mut messages(&nonces, &mut texts), &mut tags);
                assert_eq!((done, &texts), (Ok(()), &expected));
                assert_eq!(tags.iter().map(|tag| Ok(*tag)).collect::<Vec<_>>(), one_by_one);

                let forged = forged.index(lengths.len());
                tags[forged][3] ^= 1;
                let tags: Vec<_> = tags.iter().map(|tag| &tag[..]).collect();
                let opened = ccm.decrypt_side_by_side(&mut messages(&nonces, &mut texts), &tags);
                assert_eq!(opened, Ok(forged));
                for (number, text) in texts.iter().enumerate() {
                    let expected = if number < forged { 7 } else { 0 };
                    assert!(text.iter().all(|byte| *byte == expected));
                }
            });
        }
    }

    fn messages<'a>(nonces: &'a [[u8; 12]], texts: &'a mut [Vec<u8>]) -> Vec<Message<'a>> {
        let parts = nonces.iter().zip(texts);
        parts.map(|(nonce, data)| Message { nonce, aad: b"aad", data }).collect()
    }
}
