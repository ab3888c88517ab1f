//! Many messages at once: each lane of wide registers hashes one of them.
//!
//! Secret contents are fine; the lengths of the messages decide who is hashed when.

use zeroize::Zeroize;

use super::words::Words;
use super::{BLOCK_SIZE, DIGEST_SIZE, Digest, INITIAL, Sm3, arch, portable};

/// The digests of messages.
#[must_use]
pub fn digest_many(messages: &[&[u8]]) -> Vec<Digest> {
    let messages: Vec<_> =
        messages.iter().map(|body| Message { body, ..Message::default() }).collect();
    digest_all(&messages)
}

/// A message in two parts, of which the first is at most a block.
#[derive(Clone, Copy, Default)]
pub(crate) struct Message<'a> {
    /// The state to which a whole block in front of both parts has led.
    pub after: Option<&'a Digest>,
    pub prefix: &'a [u8],
    pub body: &'a [u8],
}

/// The digests of such messages.
#[must_use]
pub(crate) fn digest_all(messages: &[Message<'_>]) -> Vec<Digest> {
    arch::digest_all(messages).unwrap_or_else(|| messages.iter().map(digest_one).collect())
}

/// HMACs of messages in a part of at most a block and another. Both states are those to which the key has led,
/// of the inner hash and of the outer one.
#[must_use]
pub(crate) fn hmac_all(states: &[Digest; 2], messages: &[(&[u8], &[u8])]) -> Vec<Digest> {
    let [inner, outer] = states;
    let message = |(prefix, body)| Message { after: Some(inner), prefix, body };
    let digests = digest_all(&messages.iter().copied().map(message).collect::<Vec<_>>());
    let message = |digest| Message { after: Some(outer), prefix: digest, body: &[] };
    digest_all(&digests.iter().map(|digest| message(&digest[..])).collect::<Vec<_>>())
}

fn digest_one(message: &Message<'_>) -> Digest {
    let mut hash = message.after.map_or_else(Sm3::new, Sm3::after_block);
    hash.update(message.prefix);
    hash.update(message.body);
    hash.finalize()
}

/// States of `N` hashes, word by word.
pub type States<const N: usize> = [[u32; N]; 8];

/// The digests, by a function that compresses `N` strings of the same number of blocks at a time.
pub(super) fn schedule<const N: usize>(
    messages: &[Message<'_>],
    compress: impl Fn(&mut States<N>, &[&[u8]; N]),
) -> Vec<Digest> {
    let mut digests = vec![[0; DIGEST_SIZE]; messages.len()];
    let mut waiting = messages.iter().enumerate();
    let mut states = [[0; N]; 8];
    let mut lanes: [Option<Lane<'_>>; N] = core::array::from_fn(|_| None);
    loop {
        for (number, lane) in lanes.iter_mut().enumerate() {
            if lane.is_none()
                && let Some((place, message)) = waiting.next()
            {
                *lane = Some(Lane::new(place, message));
                let start = message.after.map_or(INITIAL, super::from_bytes);
                states.iter_mut().zip(start).for_each(|(row, word)| row[number] = word);
            }
        }
        let Some(blocks) = lanes.iter().flatten().map(|lane| lane.current().len()).min() else {
            return digests;
        };
        // Lanes without a message repeat what another does; nobody looks at their states.
        let spare = lanes.iter().flatten().next().map_or(&[][..], Lane::current);
        let strings = core::array::from_fn(|number| {
            &lanes[number].as_ref().map_or(spare, Lane::current)[..blocks]
        });
        compress(&mut states, &strings);
        for (number, slot) in lanes.iter_mut().enumerate() {
            let Some(lane) = slot else { continue };
            if lane.advance(blocks) {
                let state = states.each_mut().map(|row| core::mem::take(&mut row[number]));
                digests[lane.place] = super::to_bytes(state);
                *slot = None;
            }
        }
    }
}

/// A message under way.
struct Lane<'a> {
    place: usize,
    /// Prefix and what fills its block, if the message reaches so far.
    head: [u8; BLOCK_SIZE],
    /// Whole blocks of the body.
    body: &'a [u8],
    /// The last bytes with the padding.
    tail: [u8; 2 * BLOCK_SIZE],
    tail_length: usize,
    part: Part,
    done: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Head,
    Body,
    Tail,
}

impl<'a> Lane<'a> {
    fn new(place: usize, message: &Message<'a>) -> Self {
        let Message { after, prefix, mut body } = *message;
        let before = if after.is_some() { BLOCK_SIZE } else { 0 };
        let bits = 8 * (before as u64 + prefix.len() as u64 + body.len() as u64);
        let (mut head, mut tail) = ([0; BLOCK_SIZE], [0; 2 * BLOCK_SIZE]);
        let mut filled = prefix.len();
        let mut part = Part::Body;
        if filled > 0 && filled + body.len() >= BLOCK_SIZE {
            let (first, rest) = body.split_at(BLOCK_SIZE - filled);
            head[..filled].copy_from_slice(prefix);
            head[filled..].copy_from_slice(first);
            (body, filled, part) = (rest, 0, Part::Head);
        } else {
            tail[..filled].copy_from_slice(prefix);
        }
        let whole = if filled == 0 { body.len() - body.len() % BLOCK_SIZE } else { 0 };
        let (body, rest) = body.split_at(whole);
        tail[filled..filled + rest.len()].copy_from_slice(rest);
        filled += rest.len();
        tail[filled] = 0x80;
        let blocks = 1 + usize::from(filled >= BLOCK_SIZE - 8);
        let tail_length = blocks * BLOCK_SIZE;
        tail[tail_length - 8..tail_length].copy_from_slice(&bits.to_be_bytes());
        if part == Part::Body && body.is_empty() {
            part = Part::Tail;
        }
        Self { place, head, body, tail, tail_length, part, done: 0 }
    }

    /// What is to be compressed next: at least a block.
    fn current(&self) -> &[u8] {
        &self.whole()[self.done..]
    }

    fn whole(&self) -> &[u8] {
        match self.part {
            Part::Head => &self.head,
            Part::Body => self.body,
            Part::Tail => &self.tail[..self.tail_length],
        }
    }

    /// Notes that so many bytes were compressed; whether the message has ended.
    fn advance(&mut self, bytes: usize) -> bool {
        self.done += bytes;
        if self.done < self.whole().len() {
            return false;
        }
        self.done = 0;
        match self.part {
            Part::Head if !self.body.is_empty() => self.part = Part::Body,
            Part::Head | Part::Body => self.part = Part::Tail,
            Part::Tail => return true,
        }
        false
    }
}

impl Drop for Lane<'_> {
    fn drop(&mut self) {
        self.head.zeroize();
        self.tail.zeroize();
    }
}

/// One block of each lane (GB/T 32905-2016, 5.3): the words of the blocks, each in all lanes.
#[inline(always)]
pub(super) fn compress_block<W: Words>(state: &mut [W; 8], mut w: [W; 16]) {
    let before = *state;
    macro_rules! rounds {
        ($($j:literal)*) => { $(round::<W, $j>(state, &mut w);)* };
    }
    rounds!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31);
    rounds!(32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47);
    rounds!(48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63);
    for (word, before) in state.iter_mut().zip(before) {
        *word = word.xor(before);
    }
}

#[inline(always)]
fn round<W: Words, const J: usize>(state: &mut [W; 8], w: &mut [W; 16]) {
    if J >= 12 {
        let word = w[(J + 4) % 16].xor(w[(J + 11) % 16]);
        let word = word.xor(w[(J + 1) % 16].rotate::<15, 17>()).p1();
        let other = w[(J + 7) % 16].rotate::<7, 25>();
        w[(J + 4) % 16] = W::parity(word, other, w[(J + 14) % 16]);
    }
    let [a, b, c, d, e, f, g, h] = *state;
    let a12 = a.rotate::<12, 20>();
    let ss1 = a12.plus(W::splat(portable::T[J])).plus(e).rotate::<7, 25>();
    let (ff, gg) = if J < 16 {
        (W::parity(a, b, c), W::parity(e, f, g))
    } else {
        (W::majority(a, b, c), W::choose(e, f, g))
    };
    let tt1 = d.plus(w[J % 16].xor(w[(J + 4) % 16])).plus(ff).plus(ss1.xor(a12));
    let tt2 = h.plus(w[J % 16]).plus(gg).plus(ss1);
    *state = [tt1, a, b.rotate::<9, 23>(), c, tt2.p0(), e, f.rotate::<19, 13>(), g];
}

/// Whether sixteen lanes give what the portable code gives, for messages of 0 to 200 bytes.
pub(crate) fn sixteen_lanes_agree() -> bool {
    let bytes: [u8; 200] = core::array::from_fn(|i| (i * 41) as u8);
    let messages: Vec<_> = (0..bytes.len())
        .map(|length| Message {
            after: (length % 3 == 0).then_some(&[0x5a; DIGEST_SIZE]),
            prefix: &bytes[..length % 33],
            body: &bytes[length..],
        })
        .collect();
    arch::digest_by_sixteen(&messages)
        .is_some_and(|digests| messages.iter().map(portable_digest).eq(digests))
}

/// By the portable code, whatever back-end is in use.
fn portable_digest(message: &Message<'_>) -> Digest {
    let whole = [message.prefix, message.body].concat();
    let message = Message { after: message.after, prefix: &[], body: &whole };
    schedule::<1>(&[message], |states, [string]| {
        let mut state = states.map(|[word]| word);
        portable::compress(&mut state, string);
        *states = state.map(|word| [word]);
    })
    .pop()
    .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::test_support::on_every_backend;

    /// Lanes in plain Rust.
    impl Words for [u32; 4] {
        fn splat(value: u32) -> Self {
            [value; 4]
        }

        fn plus(self, other: Self) -> Self {
            core::array::from_fn(|lane| self[lane].wrapping_add(other[lane]))
        }

        fn xor(self, other: Self) -> Self {
            core::array::from_fn(|lane| self[lane] ^ other[lane])
        }

        fn rotate<const LEFT: u32, const RIGHT: u32>(self) -> Self {
            assert_eq!(LEFT + RIGHT, 32);
            self.map(|word| word << LEFT | word >> RIGHT)
        }

        fn parity(x: Self, y: Self, z: Self) -> Self {
            x.xor(y).xor(z)
        }

        fn majority(x: Self, y: Self, z: Self) -> Self {
            core::array::from_fn(|i| x[i] & y[i] | x[i] & z[i] | y[i] & z[i])
        }

        fn choose(x: Self, y: Self, z: Self) -> Self {
            core::array::from_fn(|i| x[i] & y[i] | !x[i] & z[i])
        }
    }

    fn compress_4(states: &mut States<4>, strings: &[&[u8]; 4]) {
        for start in (0..strings[0].len()).step_by(BLOCK_SIZE) {
            let words = core::array::from_fn(|i| {
                strings.map(|string| {
                    let place = start + 4 * i;
                    let bytes = string[place..place + 4].try_into();
                    u32::from_be_bytes(bytes.unwrap_or_else(|_| panic!("four bytes")))
                })
            });
            compress_block(states, words);
        }
    }

    proptest! {
        #[test]
        fn each_message_has_its_digest_on_every_path(
            messages in proptest::collection::vec(
                (proptest::option::of(any::<Digest>()),
                 proptest::collection::vec(any::<u8>(), 0..=64),
                 proptest::collection::vec(any::<u8>(), 0..300)),
                0..40,
            ),
        ) {
            let messages: Vec<_> = messages
                .iter()
                .map(|(after, prefix, body)| Message { after: after.as_ref(), prefix, body })
                .collect();
            let expected: Vec<_> = messages.iter().map(digest_one).collect();
            prop_assert_eq!(&on_every_backend(|| digest_all(&messages)), &expected);
            prop_assert_eq!(&schedule::<4>(&messages, compress_4), &expected);
            if let Some(digests) = arch::digest_by_eight(&messages) {
                prop_assert_eq!(&digests, &expected);
            }
            if let Some(digests) = arch::digest_by_sixteen(&messages) {
                prop_assert_eq!(&digests, &expected);
            }
        }
    }

    #[test]
    fn lengths_around_the_end_of_a_block_are_padded_right() {
        let bytes = [0xa5; 200];
        for prefix in [0, 1, 32, 63, 64] {
            let messages: Vec<_> = (0..136)
                .map(|length| Message {
                    after: None,
                    prefix: &bytes[..prefix],
                    body: &bytes[..length],
                })
                .collect();
            let expected: Vec<_> = messages.iter().map(digest_one).collect();
            assert_eq!(schedule::<4>(&messages, compress_4), expected);
            assert_eq!(on_every_backend(|| digest_all(&messages)), expected);
            assert!(messages.iter().map(portable_digest).eq(expected));
        }
    }
}
