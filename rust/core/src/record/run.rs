//! Runs: records of application data that stand one after the other, opened in one call.

use core::iter;
use core::ops::RangeInclusive;

use super::classic::HEADER_SIZE;

/// The content type of application data.
pub(super) const APPLICATION_DATA: u8 = 23;

/// Most content that one run may have: so much memory is taken before its first record is opened,
/// though never more than the peer has sent.
const MOST_CONTENT: usize = 1 << 20;

/// The whole records at the front of a stream that may be a run: of application data by their
/// header, of the version, of a length within `lengths`, of which `overhead` is not content.
pub(super) fn records(
    stream: &[u8],
    version: [u8; 2],
    lengths: RangeInclusive<usize>,
    overhead: usize,
) -> impl Iterator<Item = &[u8]> {
    let (mut rest, mut room) = (stream, MOST_CONTENT);
    iter::from_fn(move || {
        let header = rest.first_chunk::<HEADER_SIZE>()?;
        let length = HEADER_SIZE + usize::from(u16::from_be_bytes([header[3], header[4]]));
        if header[0] != APPLICATION_DATA || header[1..3] != version || !lengths.contains(&length) {
            return None;
        }
        room = room.checked_sub(length - overhead)?;
        let (record, later) = rest.split_at_checked(length)?;
        rest = later;
        Some(record)
    })
}
