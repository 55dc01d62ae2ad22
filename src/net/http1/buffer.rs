//! Takes bytes off a read buffer, without copying where they are many.

use bytes::{Buf, Bytes, BytesMut};

/// Fewer bytes are copied: a slice would keep the whole buffer in memory for as long as its reader takes.
const SLICE_BYTES_MIN: usize = 4 * 1024;

/// Takes the first `length` bytes off the front; there must be that many.
pub fn split_bytes(buffer: &mut BytesMut, length: usize) -> Bytes {
    if length >= SLICE_BYTES_MIN {
        return buffer.split_to(length).freeze();
    }
    let copy = Bytes::copy_from_slice(buffer.get(..length).unwrap_or_default());
    buffer.advance(length);
    copy
}

/// The lesser of `wanted` and `available`.
pub fn clamp_len(wanted: u64, available: usize) -> usize {
    usize::try_from(wanted).map_or(available, |wanted| wanted.min(available))
}
