//! Whether a query string may ask for secrets: `showSecureValues=true`, however it is written.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// How often a query is decoded before it counts as hiding something.
const DECODING_ROUNDS_MAX: usize = 3;

/// Whether `query` may set the parameter `name` to anything but `false`.
///
/// The reader at the other end decodes in ways that we do not know, so the question is turned round: the answer is no
/// only if every occurrence is exactly `name=false` between two raw `&`, and nothing else in the query contains the name
/// at any depth of percent-encoding, in any case. What cannot be read to the bottom counts as asking.
#[must_use]
pub fn may_request_secrets(name: &str, query: Option<&str>) -> bool {
    let Some(query) = query else { return false };
    let wanted = fold(name);
    query
        .split('&')
        .filter(|pair| !is_plain_false(pair, name))
        .any(|pair| may_contain(&wanted, pair))
}

fn is_plain_false(pair: &str, name: &str) -> bool {
    pair.strip_prefix(name) == Some("=false")
}

fn may_contain(wanted: &str, pair: &str) -> bool {
    let mut text = Cow::Borrowed(pair);
    for _ in 0..DECODING_ROUNDS_MAX {
        if fold(&text).contains(wanted) {
            return true;
        }
        match decode_once(&text) {
            Decoded::Same => return false,
            Decoded::Text(next) => text = Cow::Owned(next),
            Decoded::NotText => return true,
        }
    }
    fold(&text).contains(wanted) || !matches!(decode_once(&text), Decoded::Same)
}

enum Decoded {
    Same,
    Text(String),
    /// Bytes that are no UTF-8: another reader may see letters where we see none.
    NotText,
}

fn decode_once(text: &str) -> Decoded {
    let spaced = text.replace('+', " ");
    match percent_decode_str(&spaced).decode_utf8() {
        Err(_) => Decoded::NotText,
        Ok(decoded) if decoded == text => Decoded::Same,
        Ok(decoded) => Decoded::Text(decoded.into_owned()),
    }
}

/// Through upper case and back, because some letters meet an ASCII one on only one of the two ways: `ſ` and `K`.
fn fold(text: &str) -> String {
    text.to_uppercase().to_lowercase()
}
