//! Hexadecimal text (RFC 4648 section 8).

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Two lower-case digits for each byte.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.extend(pair(*byte).map(char::from));
    }
    text
}

/// Fills `digits`, which should be twice as long as `bytes`, with lower-case digits. Allocates nothing.
pub fn encode_into(bytes: &[u8], digits: &mut [u8]) {
    for (place, byte) in digits.chunks_exact_mut(2).zip(bytes) {
        if let [high, low] = place {
            [*high, *low] = pair(*byte);
        }
    }
}

/// Fills `bytes` from digits of either case; none, with `bytes` half filled, unless there are exactly two digits for each.
#[must_use]
pub fn decode_into(digits: &[u8], bytes: &mut [u8]) -> Option<()> {
    if digits.len() != bytes.len() * 2 {
        return None;
    }
    for (byte, place) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let [high, low] = place else { return None };
        *byte = (value(*high)? << 4) | value(*low)?;
    }
    Some(())
}

fn pair(byte: u8) -> [u8; 2] {
    [
        DIGITS[usize::from(byte >> 4)],
        DIGITS[usize::from(byte & 15)],
    ]
}

const fn value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn every_byte_comes_back_from_digits_of_either_case() {
        let bytes: Vec<u8> = (0..=u8::MAX).collect();
        let text = encode(&bytes);
        assert!(text.starts_with("000102") && text.ends_with("fdfeff"));
        for digits in [text.clone(), text.to_ascii_uppercase()] {
            let mut back = [0; 256];
            decode_into(digits.as_bytes(), &mut back).unwrap();
            assert_eq!(back, *bytes);
        }
        let mut digits = [0; 512];
        encode_into(&bytes, &mut digits);
        assert_eq!(&digits[..], text.as_bytes());
    }

    #[test]
    fn what_is_no_hexadecimal_text_of_that_length_is_refused() {
        for text in ["", "0", "012", "01234", "0g", "0-", "é"] {
            assert_eq!(decode_into(text.as_bytes(), &mut [0]), None, "{text}");
        }
    }
}
