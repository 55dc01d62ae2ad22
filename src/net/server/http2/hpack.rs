//! A strict HPACK decoder for callers' header blocks (RFC 7541), and an encoder without compression.

use std::collections::VecDeque;

use super::huffman;

/// Size of the dynamic table, in bytes as RFC 7541 section 4.1 counts them (RFC 9113 section 6.5.2: the default).
const TABLE_BYTES_MAX: usize = 4096;
/// What an entry counts besides its name and value, in bytes (RFC 7541 section 4.1).
const ENTRY_BYTES: usize = 32;
/// Most bytes after an integer's first: enough for 28 bits.
const INTEGER_BYTES_MAX: u32 = 4;

/// The bytes are no header block, or refer to an entry that the table does not hold. Nothing that follows on the connection
/// can be decoded (RFC 9113 section 4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HpackError;

/// The decoder of one connection, with its dynamic table.
pub struct HpackDecoder {
    /// The newest first.
    entries: VecDeque<TableEntry>,
    bytes: usize,
    bytes_max: usize,
    name: Vec<u8>,
    value: Vec<u8>,
}

struct TableEntry {
    name_length: usize,
    /// Name and value.
    text: Box<[u8]>,
}

impl TableEntry {
    fn split(&self) -> (&[u8], &[u8]) {
        self.text
            .split_at_checked(self.name_length)
            .unwrap_or_default()
    }

    fn bytes(&self) -> usize {
        self.text.len() + ENTRY_BYTES
    }
}

impl Default for HpackDecoder {
    fn default() -> Self {
        Self {
            entries: VecDeque::new(),
            bytes: 0,
            bytes_max: TABLE_BYTES_MAX,
            name: Vec::new(),
            value: Vec::new(),
        }
    }
}

impl HpackDecoder {
    /// Decodes a block; hands its fields to `take`, name and value, in order.
    ///
    /// # Errors
    /// See [`HpackError`].
    pub fn decode(
        &mut self,
        block: &[u8],
        mut take: impl FnMut(&[u8], &[u8]),
    ) -> Result<(), HpackError> {
        let mut rest = block;
        let mut is_first = true;
        while let Some(first) = rest.first().copied() {
            if first & 0x80 != 0 {
                let index = read_integer(&mut rest, 7)?;
                let (name, value) = self.lookup(index)?;
                take(name, value);
            } else if first & 0xe0 == 0x20 {
                // RFC 7541 section 4.2: before the first field of a block.
                let size = read_integer(&mut rest, 5)?;
                if !is_first || size > TABLE_BYTES_MAX {
                    return Err(HpackError);
                }
                self.bytes_max = size;
                self.evict_to_fit(0);
                continue;
            } else {
                let is_kept = first & 0xc0 == 0x40;
                self.read_literal(&mut rest, if is_kept { 6 } else { 4 })?;
                take(&self.name, &self.value);
                if is_kept {
                    self.insert();
                }
            }
            is_first = false;
        }
        self.name = Vec::new();
        self.value = Vec::new();
        Ok(())
    }

    /// Reads a literal field into `name` and `value`; its name may be indexed.
    fn read_literal(&mut self, rest: &mut &[u8], prefix: u32) -> Result<(), HpackError> {
        let index = read_integer(rest, prefix)?;
        let mut name = std::mem::take(&mut self.name);
        name.clear();
        if index == 0 {
            read_string(rest, &mut name)?;
        } else {
            name.extend_from_slice(self.lookup(index)?.0);
        }
        self.name = name;
        self.value.clear();
        read_string(rest, &mut self.value)
    }

    fn lookup(&self, index: usize) -> Result<(&[u8], &[u8]), HpackError> {
        let index = index.checked_sub(1).ok_or(HpackError)?;
        if let Some((name, value)) = STATIC_TABLE.get(index) {
            return Ok((name.as_bytes(), value.as_bytes()));
        }
        let entry = self
            .entries
            .get(index - STATIC_TABLE.len())
            .ok_or(HpackError)?;
        Ok(entry.split())
    }

    /// Adds an entry. One that is longer than the table empties it (RFC 7541 section 4.4).
    fn insert(&mut self) {
        let bytes = self.name.len() + self.value.len() + ENTRY_BYTES;
        self.evict_to_fit(bytes);
        if bytes <= self.bytes_max {
            let text = [self.name.as_slice(), self.value.as_slice()].concat();
            self.bytes += bytes;
            self.entries.push_front(TableEntry {
                name_length: self.name.len(),
                text: text.into(),
            });
        }
    }

    /// Evicts the oldest entries until there is room for `more` bytes.
    fn evict_to_fit(&mut self, more: usize) {
        while self.bytes + more > self.bytes_max
            && let Some(oldest) = self.entries.pop_back()
        {
            self.bytes -= oldest.bytes();
        }
    }
}

/// Reads an integer (RFC 7541 section 5.1).
fn read_integer(rest: &mut &[u8], prefix: u32) -> Result<usize, HpackError> {
    let mut next = || {
        let (first, after) = rest.split_first().ok_or(HpackError)?;
        *rest = after;
        Ok(usize::from(*first))
    };
    let prefix_max = (1 << prefix) - 1;
    let mut value = next()? & prefix_max;
    if value < prefix_max {
        return Ok(value);
    }
    for index in 0..INTEGER_BYTES_MAX {
        let byte = next()?;
        value += (byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(HpackError)
}

/// Reads a string (RFC 7541 section 5.2).
fn read_string(rest: &mut &[u8], into: &mut Vec<u8>) -> Result<(), HpackError> {
    let is_huffman = rest.first().is_some_and(|first| first & 0x80 != 0);
    let length = read_integer(rest, 7)?;
    let (text, after) = rest.split_at_checked(length).ok_or(HpackError)?;
    *rest = after;
    if is_huffman {
        return huffman::decode(text, into).map_err(|_| HpackError);
    }
    into.extend_from_slice(text);
    Ok(())
}

/// Appends a field as a literal without indexing and without Huffman code: no table is involved.
pub fn encode_field(name: &[u8], value: &[u8], block: &mut Vec<u8>) {
    block.push(0);
    for text in [name, value] {
        encode_length(text.len(), block);
        block.extend_from_slice(text);
    }
}

fn encode_length(length: usize, block: &mut Vec<u8>) {
    const MOST: usize = 0x7f;
    let low = |value: usize| (value & MOST).to_le_bytes()[0];
    let Some(mut rest) = length.checked_sub(MOST) else {
        block.push(low(length));
        return;
    };
    block.push(low(MOST));
    while rest > MOST {
        block.push(low(rest) | 0x80);
        rest >>= 7;
    }
    block.push(low(rest));
}

/// The static table (RFC 7541 appendix A).
const STATIC_TABLE: [(&str, &str); 61] = [
    (":authority", ""),
    (":method", "GET"),
    (":method", "POST"),
    (":path", "/"),
    (":path", "/index.html"),
    (":scheme", "http"),
    (":scheme", "https"),
    (":status", "200"),
    (":status", "204"),
    (":status", "206"),
    (":status", "304"),
    (":status", "400"),
    (":status", "404"),
    (":status", "500"),
    ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"),
    ("accept-language", ""),
    ("accept-ranges", ""),
    ("accept", ""),
    ("access-control-allow-origin", ""),
    ("age", ""),
    ("allow", ""),
    ("authorization", ""),
    ("cache-control", ""),
    ("content-disposition", ""),
    ("content-encoding", ""),
    ("content-language", ""),
    ("content-length", ""),
    ("content-location", ""),
    ("content-range", ""),
    ("content-type", ""),
    ("cookie", ""),
    ("date", ""),
    ("etag", ""),
    ("expect", ""),
    ("expires", ""),
    ("from", ""),
    ("host", ""),
    ("if-match", ""),
    ("if-modified-since", ""),
    ("if-none-match", ""),
    ("if-range", ""),
    ("if-unmodified-since", ""),
    ("last-modified", ""),
    ("link", ""),
    ("location", ""),
    ("max-forwards", ""),
    ("proxy-authenticate", ""),
    ("proxy-authorization", ""),
    ("range", ""),
    ("referer", ""),
    ("refresh", ""),
    ("retry-after", ""),
    ("server", ""),
    ("set-cookie", ""),
    ("strict-transport-security", ""),
    ("transfer-encoding", ""),
    ("user-agent", ""),
    ("vary", ""),
    ("via", ""),
    ("www-authenticate", ""),
];
