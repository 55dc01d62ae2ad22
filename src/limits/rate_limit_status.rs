//! What is left of a caller's rate limit, and the `RateLimit` headers (draft-ietf-httpapi-ratelimit-headers-10).

use http::HeaderValue;

/// Longest header value that is written: the name, two numbers of ten digits, and what is between them.
const HEADER_BYTES_MAX: usize = 48;

/// What a caller has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimitStatus {
    /// Requests that may follow at once.
    pub remaining: u32,
    /// Seconds until the burst is whole again.
    pub reset_s: u32,
}

impl RateLimitStatus {
    /// In a response that says when to come back: the reset is never later, or a client that obeys `Retry-After` would come
    /// before the moment that `RateLimit` names.
    #[must_use]
    pub fn capped_by(self, retry_after_s: u64) -> Self {
        let retry_after_s = u32::try_from(retry_after_s).unwrap_or(u32::MAX);
        Self {
            reset_s: self.reset_s.min(retry_after_s),
            ..self
        }
    }

    /// The value of `RateLimit` (draft-ietf-httpapi-ratelimit-headers-10): `"caller";r=19;t=1`.
    #[must_use]
    pub fn header(&self) -> HeaderValue {
        rate_limit_header([("r", self.remaining), ("t", self.reset_s)])
    }
}

/// `"caller";a=1;b=2`, written without the formatting machinery: every response carries one.
pub(super) fn rate_limit_header(parameters: [(&str, u32); 2]) -> HeaderValue {
    let mut line = HeaderBuffer {
        bytes: [0; HEADER_BYTES_MAX],
        length: 0,
    };
    line.push(b"\"caller\"");
    for (name, value) in parameters {
        line.push(b";");
        line.push(name.as_bytes());
        line.push(b"=");
        line.push_number(value);
    }
    HeaderValue::from_bytes(line.as_bytes()).unwrap_or(HeaderValue::from_static("\"caller\""))
}

struct HeaderBuffer {
    bytes: [u8; HEADER_BYTES_MAX],
    length: usize,
}

impl HeaderBuffer {
    fn push(&mut self, text: &[u8]) {
        let end = self.length + text.len();
        if let Some(digit) = self.bytes.get_mut(self.length..end) {
            digit.copy_from_slice(text);
            self.length = end;
        }
    }

    fn push_number(&mut self, number: u32) {
        let mut digits = [b'0'; 10];
        let (mut rest, mut used) = (number, 0);
        for digit in digits.iter_mut().rev() {
            // The remainder of a division by ten fits a byte.
            *digit = b'0' + (rest % 10) as u8;
            (rest, used) = (rest / 10, used + 1);
            if rest == 0 {
                break;
            }
        }
        self.push(digits.split_at(digits.len() - used).1);
    }

    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}
