//! Pieces of what was read, taken without copying where they are long.

use bytes::{Buf, Bytes, BytesMut};

/// Shorter pieces are copied: a slice would hold the whole buffer for as long as its reader takes.
const SLICE_BYTES_MIN: usize = 4 * 1024;

/// The first `length` bytes; there must be that many.
pub fn take(buffer: &mut BytesMut, length: usize) -> Bytes {
    if length >= SLICE_BYTES_MIN {
        return buffer.split_to(length).freeze();
    }
    let copy = Bytes::copy_from_slice(buffer.get(..length).unwrap_or_default());
    buffer.advance(length);
    copy
}

/// As much of `wanted` as `available` has.
pub fn within(wanted: u64, available: usize) -> usize {
    usize::try_from(wanted).map_or(available, |wanted| wanted.min(available))
}
