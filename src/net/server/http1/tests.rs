//! Malformed and unusual request heads, each split at every byte.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use bytes::BytesMut;

use crate::net::http1::framing::Framing;

use super::request_head;

/// What parsing a head comes to, and how many bytes are left after it.
#[derive(Debug, PartialEq, Eq)]
enum ParseOutcome {
    Head {
        target: String,
        framing: Framing,
        persists: bool,
        is_refused: bool,
        left: usize,
    },
    Malformed,
    /// More is needed.
    Incomplete,
}

fn parse_parts(parts: [&[u8]; 2]) -> ParseOutcome {
    let mut read = BytesMut::new();
    let mut scanned = 0;
    for part in parts {
        read.extend_from_slice(part);
        let Some(length) = request_head::find_end(&read, scanned) else {
            scanned = read.len();
            if !read.is_empty() && request_head::check_partial(&read).is_err() {
                return ParseOutcome::Malformed;
            }
            continue;
        };
        return match request_head::parse_head(&request_head::split_head(&mut read, length)) {
            Ok(head) => ParseOutcome::Head {
                target: head.head.target.to_string(),
                framing: head.framing,
                persists: head.keep_alive,
                is_refused: head.head.headers.is_err(),
                left: read.len() + parts[1].len() - if scanned > 0 { parts[1].len() } else { 0 },
            },
            Err(_) => ParseOutcome::Malformed,
        };
    }
    ParseOutcome::Incomplete
}

/// The same wherever the bytes are split; a part that cannot become a head may be refused early.
fn of(bytes: &[u8]) -> ParseOutcome {
    let whole = parse_parts([bytes, b""]);
    for at in 1..bytes.len() {
        let (first, second) = bytes.split_at(at);
        assert_eq!(
            parse_parts([first, second]),
            whole,
            "split at {at}: {}",
            bytes.escape_ascii()
        );
    }
    whole
}

fn with(lines: &str) -> ParseOutcome {
    of(format!("POST /v2/x HTTP/1.1\r\nHost: a\r\n{lines}\r\n").as_bytes())
}

#[test]
fn a_head_that_two_readers_could_frame_differently_is_unreadable() {
    for lines in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Content-Length: 5\r\nContent-Length: 5\r\n",
        "Content-Length: 3, 3\r\n",
        "Content-Length: +3\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: 0x3\r\n",
        "Content-Length:\r\n",
        "Content-Length: 18446744073709551616\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding:\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length : 3\r\n",
        " Content-Length: 3\r\n",
        "Content-Length: 3\nX: y\r\n",
        "Content-Length: 3\r\n\n",
        "X: y\n",
        "X: a\rContent-Length: 3\r\n",
        "X: a\r\r\n",
        "X: a\r\n folded\r\n",
        "X: a\0b\r\n",
        "X\0: a\r\n",
        "no colon\r\n",
        ": no name\r\n",
    ] {
        assert_eq!(with(lines), ParseOutcome::Malformed, "{lines:?}");
    }
}

#[test]
fn a_request_line_that_is_not_one_is_unreadable() {
    for line in [
        "GET /v2/x HTTP/1.1\n",
        "GET /v2/x\r\n",
        "GET  /v2/x HTTP/1.1\r\n",
        "GET /v2/x  HTTP/1.1\r\n",
        "GET /v2/x HTTP/1.2\r\n",
        "GET /v2/x HTTP/2.0\r\n",
        "GET http://a/v2/x HTTP/1.1\r\n",
        "GET v2/x HTTP/1.1\r\n",
        "GET * HTTP/1.1\r\n",
        "GET /v2/x#y HTTP/1.1\r\n",
        "GET /v2/x?y#z HTTP/1.1\r\n",
        "CONNECT a:443 HTTP/1.1\r\n",
        "TRACE /v2/x HTTP/1.1\r\n",
        "get /v2/x HTTP/1.1\r\n",
        "\nGET /v2/x HTTP/1.1\r\n",
    ] {
        let came = of(format!("{line}Host: a\r\n\r\n").as_bytes());
        assert_eq!(came, ParseOutcome::Malformed, "{line:?}");
    }
}

#[test]
fn a_head_says_how_long_its_body_is_and_whether_another_request_may_follow() {
    for (lines, framing, persists) in [
        ("", Framing::None, true),
        ("Content-Length: 0\r\n", Framing::None, true),
        ("content-LENGTH: 17\r\n", Framing::Length(17), true),
        ("Transfer-Encoding: Chunked\r\n", Framing::Chunked, true),
        ("Connection: close\r\n", Framing::None, false),
        ("Connection: keep-alive, CLOSE\r\n", Framing::None, false),
        ("Connection: keep-alive\r\n", Framing::None, true),
    ] {
        let expected = ParseOutcome::Head {
            target: "/v2/x".to_owned(),
            framing,
            persists,
            is_refused: false,
            left: 0,
        };
        assert_eq!(with(lines), expected, "{lines:?}");
    }
}

#[test]
fn what_is_refused_for_its_headers_can_still_be_followed_by_another_request() {
    for lines in [
        "Origin: https://a.example\r\n",
        "Expect: x\r\n",
        "Host: b\r\n",
    ] {
        let ParseOutcome::Head { is_refused, .. } = with(lines) else {
            panic!("{lines:?} is unreadable");
        };
        assert!(is_refused, "{lines:?}");
    }
}

#[test]
fn what_follows_a_head_is_left_alone() {
    let bytes = b"GET /v2/x HTTP/1.1\r\nHost: a\r\n\r\nGET /v2/y";
    let ParseOutcome::Head { left, .. } = parse_parts([bytes, b""]) else {
        panic!("unreadable");
    };
    assert_eq!(left, "GET /v2/y".len());
}

#[test]
fn a_head_that_is_not_all_there_is_waited_for() {
    for part in [
        "G",
        "GET /v2/x HTTP/1.1",
        "GET /v2/x HTTP/1.1\r\n",
        "GET /v2/x HTTP/1.1\r\nHost: a\r\n\r",
    ] {
        assert_eq!(of(part.as_bytes()), ParseOutcome::Incomplete, "{part:?}");
    }
}

proptest::proptest! {
    /// Never a panic, and the same wherever the bytes are split.
    #[test]
    fn any_bytes_are_a_head_a_part_of_one_or_unreadable(
        bytes in proptest::collection::vec(proptest::sample::select(b"GET /v2x?=#%:HTTP/1.0,;chunkedontent-Lh \r\n\t\x00\xff".to_vec()), 1..120),
    ) {
        of(&bytes);
    }
}
