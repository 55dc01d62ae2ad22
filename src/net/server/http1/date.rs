//! The `Date` of a response (RFC 9110 section 6.6.1), formatted once a second.

use std::cell::RefCell;

use jiff::{Timestamp as JiffTimestamp, fmt::rfc2822::DateTimePrinter};

use crate::clock::Timestamp;

thread_local! {
    static MADE: RefCell<(i64, String)> = const { RefCell::new((i64::MIN, String::new())) };
}

/// Appends the time as `Sun, 06 Nov 1994 08:49:37 GMT`.
pub fn write(out: &mut Vec<u8>) {
    let second = Timestamp::now().unix_seconds();
    MADE.with_borrow_mut(|(made, text)| {
        if *made != second {
            *made = second;
            *text = JiffTimestamp::from_second(second)
                .and_then(|it| DateTimePrinter::new().timestamp_to_rfc9110_string(&it))
                .unwrap_or_default();
        }
        out.extend_from_slice(text.as_bytes());
    });
}
