//! A decoder for the Huffman code of HTTP/2's header fields (RFC 7541 appendix B). The code is canonical: codes of one length
//! follow each other in the order of their symbols, so the lengths define it.

/// The end-of-string symbol, which no string may contain (RFC 7541 section 5.2).
const END_OF_STRING: u16 = 256;
const LENGTH_MAX: usize = 30;
/// Codes up to this many bits are looked up in a table; they are nearly all of a string.
const SHORT_CODE_BITS: usize = 8;

/// The length of each byte's code in bits, and of the end-of-string symbol's.
const LENGTHS: [u8; 257] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28,
    28, 28, 28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5,
    5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6,
    6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22,
    23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22,
    21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20,
    22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19,
    21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22,
    22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
];

/// The decoding tables.
struct HuffmanTable {
    /// By length: the first code, how many there are, and where their symbols begin in `symbols`.
    first: [u32; LENGTH_MAX + 1],
    count: [u32; LENGTH_MAX + 1],
    start: [usize; LENGTH_MAX + 1],
    symbols: [u16; 257],
    /// By the next `SHORT_CODE_BITS` bits: the symbol whose code they begin with, and its length; length 0 for a longer code.
    short: [(u8, u8); 1 << SHORT_CODE_BITS],
}

static TABLE: HuffmanTable = build_table();

const fn build_table() -> HuffmanTable {
    let mut it = HuffmanTable {
        first: [0; LENGTH_MAX + 1],
        count: [0; LENGTH_MAX + 1],
        start: [0; LENGTH_MAX + 1],
        symbols: [0; 257],
        short: [(0, 0); 1 << SHORT_CODE_BITS],
    };
    let (mut length, mut next, mut placed) = (1, 0_u32, 0);
    while length <= LENGTH_MAX {
        it.first[length] = next;
        it.start[length] = placed;
        let mut symbol = 0_u16;
        while symbol <= END_OF_STRING {
            if LENGTHS[symbol as usize] as usize == length {
                it.symbols[placed] = symbol;
                if length <= SHORT_CODE_BITS {
                    let free = SHORT_CODE_BITS - length;
                    let mut at = (next as usize) << free;
                    let end = at + (1 << free);
                    while at < end {
                        it.short[at] = (symbol.to_le_bytes()[0], LENGTHS[symbol as usize]);
                        at += 1;
                    }
                }
                placed += 1;
                next += 1;
            }
            symbol += 1;
        }
        it.count[length] = next - it.first[length];
        next <<= 1;
        length += 1;
    }
    it
}

/// The bytes are not valid Huffman code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HuffmanError;

/// Decodes `coded` and appends it to `text`: at most eight fifths of its length.
///
/// # Errors
/// An end-of-string symbol, or padding that is not its beginning or not shorter than a byte (RFC 7541 section 5.2).
pub fn decode(coded: &[u8], text: &mut Vec<u8>) -> Result<(), HuffmanError> {
    let (mut bits, mut count) = (0_u64, 0_usize);
    let mut coded = coded.iter();
    loop {
        while count <= LENGTH_MAX
            && let Some(byte) = coded.next()
        {
            bits = bits << 8 | u64::from(*byte);
            count += 8;
        }
        // As if more padding followed: the code that is found must not reach into it.
        let window = if count >= LENGTH_MAX {
            bits >> (count - LENGTH_MAX)
        } else {
            let missing = LENGTH_MAX - count;
            bits << missing | ((1 << missing) - 1)
        };
        let window = u32::try_from(window & ((1 << LENGTH_MAX) - 1)).map_err(|_| HuffmanError)?;
        let Some((byte, length)) = find_symbol(window).filter(|(_, length)| *length <= count)
        else {
            let padding = (1_u64 << count) - 1;
            let is_padding = count < 8 && bits & padding == padding;
            return if is_padding {
                Ok(())
            } else {
                Err(HuffmanError)
            };
        };
        text.push(byte);
        count -= length;
    }
}

/// The symbol of the code at the front of `window`, and the code's length; none for the end-of-string symbol.
fn find_symbol(window: u32) -> Option<(u8, usize)> {
    let short = (window >> (LENGTH_MAX - SHORT_CODE_BITS)) as usize;
    match TABLE.short.get(short) {
        Some((byte, length)) if *length > 0 => return Some((*byte, usize::from(*length))),
        _ => {}
    }
    (SHORT_CODE_BITS + 1..=LENGTH_MAX).find_map(|length| {
        let code = window >> (LENGTH_MAX - length);
        let at = code.checked_sub(*TABLE.first.get(length)?)?;
        if at >= *TABLE.count.get(length)? {
            return None;
        }
        let symbol = *TABLE.symbols.get(TABLE.start.get(length)? + at as usize)?;
        Some((u8::try_from(symbol).ok()?, length))
    })
}
