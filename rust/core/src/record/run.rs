//! Runs: records of application data that stand one after the other, opened in one call.

use core::iter;
use core::ops::RangeInclusive;

use super::classic::HEADER_SIZE;

/// The content type of application data.
pub(super) const APPLICATION_DATA: u8 = 23;

/// Most content that one run may have: so much memory is taken before its first record is opened,
/// though never more than the peer has sent.
const MOST_CONTENT: usize = 1 << 20;

/// What became of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Run {
    /// Bytes of the stream that are used up.
    pub taken: usize,
    /// Bytes of content that came out.
    pub content: usize,
}

/// Opens records one after the other into `out`, until one is refused by `open`, which gets the
/// record and room for its content.
pub(super) fn open_each<'a>(
    records: impl Iterator<Item = &'a [u8]>,
    overhead: usize,
    out: &mut [u8],
    mut open: impl FnMut(&[u8], &mut [u8]) -> bool,
) -> Run {
    let mut run = Run::default();
    for record in records {
        let end = run.content + record.len() - overhead;
        let Some(content) = out.get_mut(run.content..end) else { break };
        if !open(record, content) {
            break;
        }
        run = Run { taken: run.taken + record.len(), content: end };
    }
    run
}

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
