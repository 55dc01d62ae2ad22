//! Malformed and unusual responses, each split at every byte.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use bytes::{Bytes, BytesMut};

use crate::net::{
    http1::{
        chunked::{ChunkedDecoder, ChunkedError, DecodedBody},
        framing::Framing,
    },
    method::Method,
};

use super::{
    head::{RESPONSE_HEAD_BYTES_MAX, RESPONSE_HEADERS_MAX, ResponseHead},
    response_head_reader::ResponseHeadReader,
};

/// The head that is parsed from these parts, and what is left unread after it.
fn head_of(method: Method, parts: [&[u8]; 2]) -> Result<Option<(ResponseHead, Bytes)>, ()> {
    let (mut wait, mut read) = (ResponseHeadReader::new(method), BytesMut::new());
    for (number, part) in parts.into_iter().enumerate() {
        read.extend_from_slice(part);
        if let Some(head) = wait.read(&mut read).map_err(drop)? {
            for later in parts.into_iter().skip(number + 1) {
                read.extend_from_slice(later);
            }
            return Ok(Some((head, read.freeze())));
        }
    }
    Ok(None)
}

/// A head, whose framing and rest are the same wherever it is split.
fn framed(method: Method, bytes: &[u8]) -> Result<Option<(Framing, bool, Bytes)>, ()> {
    let whole = head_of(method, [bytes, b""]);
    let whole = whole.map(|it| it.map(|(head, rest)| (head.framing, head.keep_alive, rest)));
    for at in 0..bytes.len() {
        let (first, second) = bytes.split_at(at);
        let split = head_of(method, [first, second]);
        let split = split.map(|it| it.map(|(head, rest)| (head.framing, head.keep_alive, rest)));
        assert_eq!(split, whole, "split at {at}: {}", bytes.escape_ascii());
    }
    whole
}

#[test]
fn a_head_that_two_readers_could_frame_differently_is_refused() {
    for lines in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Content-Length: 3\r\nContent-Length: 5\r\n",
        "Content-Length: 3, 3\r\n",
        "Content-Length: +3\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: 0x3\r\n",
        "Content-Length: 3 3\r\n",
        "Content-Length:\r\n",
        "Content-Length: 18446744073709551616\r\n",
        "Content-Length: \u{0663}\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding:\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: chunked;q=1\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length : 3\r\n",
        " Content-Length: 3\r\n",
        "Content-Length: 3\nX: y\r\n",
        "Content-Length: 3\r\n\n",
        "X: y\n",
        "X: a\rContent-Length: 3\r\n",
        "X: a\r\r\n",
        "X: a\r\n folded\r\n",
        "X: a\r\n\tfolded\r\n",
        "X: a\0b\r\n",
        "X\0: a\r\n",
        "X: a\u{7f}\r\n",
        "no colon\r\n",
        ": no name\r\n",
        "Content-Length\r\n",
    ] {
        let head = format!("HTTP/1.1 200 OK\r\n{lines}\r\n");
        assert_eq!(framed(Method::Get, head.as_bytes()), Err(()), "{lines:?}");
    }
}

#[test]
fn a_status_line_that_is_not_one_is_refused() {
    for line in [
        "HTTP/9.9 200 OK\r\n",
        "HTTP/2 200 OK\r\n",
        "HTTP/1.2 200 OK\r\n",
        "http/1.1 200 OK\r\n",
        "HTTP/1.1 99 No\r\n",
        "HTTP/1.1 099 No\r\n",
        "HTTP/1.1 1000 No\r\n",
        "HTTP/1.1 2OO No\r\n",
        "HTTP/1.1  200 OK\r\n",
        "HTTP/1.1 200 OK\n",
        "HTTP/1.1 200 O\0K\r\n",
        "HTTP/1.1 200 O\rK\r\n",
        "\r\nHTTP/1.1 200 OK\r\n",
        "\nHTTP/1.1 200 OK\r\n",
        " HTTP/1.1 200 OK\r\n",
        "hello\r\n",
        "HTTP/1.1 101 Switching Protocols\r\n",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n",
    ] {
        let head = format!("{line}\r\n");
        assert_eq!(framed(Method::Get, head.as_bytes()), Err(()), "{line:?}");
    }
}

/// Asserts what these lines, between status line and end, say of the body and of the connection.
fn says(method: Method, status_line: &str, lines: &str, expected: (Framing, bool)) {
    let bytes = format!("{status_line}\r\n{lines}\r\nrest");
    let (framing, persists) = expected;
    let expected = Ok(Some((framing, persists, Bytes::from_static(b"rest"))));
    assert_eq!(framed(method, bytes.as_bytes()), expected, "{bytes:?}");
}

#[test]
fn a_head_says_how_long_the_body_is_and_whether_the_connection_stays() {
    const OK: &str = "HTTP/1.1 200 OK";
    let five = "Content-Length: 5\r\n";
    let chunked = "Transfer-Encoding: Chunked\r\n";
    let twice = "content-length: 5\r\nCONTENT-LENGTH: 5\r\n";
    let closing = "Connection: x, Close\r\nContent-Length: 5\r\n";
    let options = "Connection: keep-alive\r\nContent-Length: 5\r\n";
    says(Method::Get, OK, five, (Framing::Length(5), true));
    says(Method::Get, OK, twice, (Framing::Length(5), true));
    says(
        Method::Get,
        OK,
        "Content-Length: 0\r\n",
        (Framing::None, true),
    );
    says(Method::Get, OK, chunked, (Framing::Chunked, true));
    says(Method::Get, OK, "", (Framing::UntilClose, false));
    says(Method::Get, OK, closing, (Framing::Length(5), false));
    says(Method::Head, OK, five, (Framing::None, true));
    says(Method::Head, OK, chunked, (Framing::None, true));
    says(Method::Get, "HTTP/1.1 204 x", five, (Framing::None, true));
    says(Method::Get, "HTTP/1.1 304 x", "", (Framing::None, true));
    says(
        Method::Get,
        "HTTP/1.0 200 x",
        options,
        (Framing::Length(5), false),
    );
    let hints = format!("Content-Length: 9\r\n\r\nHTTP/1.1 103 x\r\n\r\n{OK}\r\n{five}");
    says(
        Method::Get,
        "HTTP/1.1 100 x",
        &hints,
        (Framing::Length(5), true),
    );
}

#[test]
fn a_head_has_bounds() {
    let ok = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n";
    let most = format!("{ok}{}\r\n", "a: b\r\n".repeat(RESPONSE_HEADERS_MAX - 1));
    let too_many = format!("{ok}{}\r\n", "a: b\r\n".repeat(RESPONSE_HEADERS_MAX));
    let too_long = format!("{ok}a: {}\r\n\r\n", "b".repeat(RESPONSE_HEAD_BYTES_MAX));
    let endless = format!("{ok}a: {}", "b".repeat(RESPONSE_HEAD_BYTES_MAX));
    let interim = format!("{}{ok}\r\n", "HTTP/1.1 102 x\r\n\r\n".repeat(9));
    assert!(matches!(
        head_of(Method::Get, [most.as_bytes(), b""]),
        Ok(Some(_))
    ));
    for head in [too_many, too_long, endless, interim] {
        assert!(head_of(Method::Get, [head.as_bytes(), b""]).is_err());
    }
}

#[test]
fn only_headers_that_may_reach_a_caller_are_kept() {
    let head = "HTTP/1.1 200 OK\r\nSet-Cookie: a\r\nContent-Type: a/b\r\nX-Content-Security-Policy-Report: c\r\n\
                content-type: c/d\r\nX-NJ-Request-Id: 7\r\nContent-Length: 1\r\n\r\n";
    let (head, _) = head_of(Method::Get, [head.as_bytes(), b""])
        .unwrap()
        .unwrap();
    let kept: Vec<_> = head.headers.iter().collect();
    let kept: Vec<_> = kept
        .iter()
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .collect();
    assert_eq!(
        kept,
        [
            "content-type: a/b",
            "content-type: c/d",
            "x-nj-request-id: 7",
            "content-length: 1"
        ]
    );
}

/// The data of a chunked body, whether it has ended, and what is left unread.
type Unchunked = Result<(Vec<u8>, bool, Bytes), ChunkedError>;

fn unchunk(parts: &[&[u8]]) -> Unchunked {
    let (mut chunks, mut read, mut data) = (ChunkedDecoder::default(), BytesMut::new(), Vec::new());
    let mut ended = false;
    for part in parts {
        read.extend_from_slice(part);
        loop {
            match chunks.decode(&mut read)? {
                DecodedBody::Data(more) => data.extend_from_slice(&more),
                DecodedBody::NeedMore => break,
                DecodedBody::End => {
                    ended = true;
                    break;
                }
            }
            // As the body does, to learn whether that was the last. An error is told by the next call.
            if chunks.is_at_end(&mut read) == Ok(true) {
                ended = true;
            }
        }
    }
    Ok((data, ended, read.freeze()))
}

/// Unchunks it whole, byte by byte, and split at every byte, and all alike.
fn unchunked(bytes: &[u8]) -> Unchunked {
    let whole = unchunk(&[bytes]);
    let single: Vec<_> = bytes.chunks(1).collect();
    assert_eq!(unchunk(&single), whole, "{}", bytes.escape_ascii());
    for at in 0..bytes.len() {
        let (first, second) = bytes.split_at(at);
        assert_eq!(unchunk(&[first, second]), whole, "{}", bytes.escape_ascii());
    }
    whole
}

#[test]
fn a_chunked_body_is_read_to_its_end_and_no_further() {
    for (body, data) in [
        ("0\r\n\r\n", ""),
        ("3\r\nabc\r\n0\r\n\r\n", "abc"),
        ("0003;name=\"a b\";x\r\nabc\r\n00\r\n\r\n", "abc"),
        (
            "A\r\n0123456789\r\n2\r\n\r\n\r\n0\r\n\r\n",
            "0123456789\r\n",
        ),
        (
            "3\r\nabc\r\n0\r\nExpires: never\r\nSet-Cookie: a\r\n\r\n",
            "abc",
        ),
    ] {
        let bytes = format!("{body}HTTP/1.1 200 OK\r\n");
        let rest = Bytes::from_static(b"HTTP/1.1 200 OK\r\n");
        let expected = Ok((data.as_bytes().to_vec(), true, rest));
        assert_eq!(unchunked(bytes.as_bytes()), expected, "{body:?}");
    }
}

#[test]
fn a_chunked_body_that_two_readers_could_read_differently_is_refused() {
    for body in [
        "\r\n",
        ";a\r\n",
        "0x3\r\nabc\r\n",
        "+3\r\nabc\r\n",
        "-3\r\nabc\r\n",
        " 3\r\nabc\r\n",
        "3 \r\nabc\r\n",
        "3\t;a\r\nabc\r\n",
        "g\r\n",
        "3\nabc\r\n",
        "3\rabc\r\n",
        "3\r\r\nabc\r\n",
        "3\r\nabcd\r\n",
        "3\r\nabc0\r\n\r\n",
        "3\r\nabc\n0\r\n\r\n",
        "3\r\nabc\r0\r\n\r\n",
        "3;a\nb\r\nabc\r\n",
        "3;a\rb\r\nabc\r\n",
        "3;a\0\r\nabc\r\n",
        "0\r\na\nb\r\n\r\n",
        "0\r\na\rb\r\n\r\n",
        "0\r\n\n",
        "0\r\n\rx",
        "0\n\n",
        "0\r\na: \0\r\n\r\n",
        "fffffffffffffffff\r\n",
        "00000000000000003\r\nabc\r\n",
    ] {
        assert!(unchunked(body.as_bytes()).is_err(), "{body:?}");
    }
}

#[test]
fn a_chunked_body_that_was_refused_stays_refused() {
    let (mut chunks, mut read) = (
        ChunkedDecoder::default(),
        BytesMut::from("3\r\nabc\r\n5Z".as_bytes()),
    );
    assert_eq!(
        chunks.decode(&mut read),
        Ok(DecodedBody::Data(Bytes::from_static(b"abc")))
    );
    assert!(chunks.is_at_end(&mut read).is_err());
    assert!(chunks.decode(&mut read).is_err());
    assert!(
        chunks
            .decode(&mut BytesMut::from("0\r\n\r\n".as_bytes()))
            .is_err()
    );
}

#[test]
fn extensions_and_trailers_have_bounds() {
    let extension = format!("1;{}\r\na\r\n", "e".repeat(8 * 1024 + 1));
    let extensions = "1;eeeeeeee\r\na\r\n".repeat(1100);
    let trailer = format!("0\r\na: {}\r\n\r\n", "b".repeat(16 * 1024));
    let trailers = format!("0\r\n{}\r\n", "a: b\r\n".repeat(5000));
    for body in [extension, extensions, trailer, trailers] {
        assert!(unchunk(&[body.as_bytes()]).is_err());
    }
}

#[test]
fn a_chunk_may_be_as_long_as_64_bits_say() {
    let (mut chunks, mut read) = (
        ChunkedDecoder::default(),
        BytesMut::from("ffffffffffffffff\r\nab".as_bytes()),
    );
    assert_eq!(
        chunks.decode(&mut read),
        Ok(DecodedBody::Data(Bytes::from_static(b"ab")))
    );
    assert_eq!(chunks.decode(&mut read), Ok(DecodedBody::NeedMore));
}
