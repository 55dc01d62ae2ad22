//! Responses that no well-behaved server sends, and what a caller may see of each.

use std::time::Duration;

use super::evil::Step;

const STRAY: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 5\r\n\r\nSTRAY";
/// What a caller may be sent for a vector.
pub(crate) enum Expect {
    Status(&'static [u16]),
    /// The answer breaks off: its head may have gone out by then.
    Cut,
}
use Expect::{Cut, Status};

const BAD: Expect = Status(&[502]);
const FINE: Expect = Status(&[200]);

pub(crate) struct Vector {
    pub(crate) name: &'static str,
    pub(crate) method: &'static str,
    pub(crate) answer: Vec<Step>,
    pub(crate) expect: Expect,
}

fn vector(name: &'static str, answer: &str, expect: Expect) -> Vector {
    Vector {
        name,
        method: "GET",
        answer: vec![Step::Send(answer.as_bytes().to_vec())],
        expect,
    }
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn framing() -> Vec<Vector> {
    let json = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
    let with = |name, rest: &str, expect| vector(name, &format!("{json}{rest}"), expect);
    vec![
        with(
            "cl-te",
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
            BAD,
        ),
        with(
            "te-cl",
            "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
            BAD,
        ),
        with(
            "cl-te-long",
            "Transfer-Encoding: chunked\r\nContent-Length: 500\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
            BAD,
        ),
        with(
            "two-cl",
            "Content-Length: 3\r\nContent-Length: 5\r\n\r\nabcde",
            BAD,
        ),
        with(
            "two-cl-equal-extra",
            &format!("Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc{STRAY}"),
            Status(&[200, 502]),
        ),
        with("cl-list", "Content-Length: 3, 5\r\n\r\nabcde", BAD),
        with("cl-plus", "Content-Length: +3\r\n\r\nabc", BAD),
        with("cl-minus", "Content-Length: -1\r\n\r\nabc", BAD),
        with("cl-hex", "Content-Length: 0x3\r\n\r\nabc", BAD),
        with(
            "cl-huge",
            "Content-Length: 99999999999999999999\r\n\r\nabc",
            BAD,
        ),
        with(
            "obs-fold",
            "X-A: b\r\n c\r\nContent-Length: 3\r\n\r\nabc",
            BAD,
        ),
        with("bare-cr", "X-A: b\rc\r\nContent-Length: 3\r\n\r\nabc", BAD),
        with("nul", "X-A: b\0c\r\nContent-Length: 3\r\n\r\nabc", BAD),
        with(
            "space-before-colon",
            "Content-Length : 3\r\n\r\nabc",
            Status(&[502, 200]),
        ),
        with("te-unknown", "Transfer-Encoding: xchunked\r\n\r\nabc", BAD),
        with(
            "te-gzip-chunked",
            "Transfer-Encoding: gzip, chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
            BAD,
        ),
        with(
            "te-twice",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
            BAD,
        ),
        with(
            "chunk-hex",
            "Transfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n",
            Cut,
        ),
        with(
            "chunk-huge",
            "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nabc\r\n0\r\n\r\n",
            Cut,
        ),
        with(
            "chunk-minus",
            "Transfer-Encoding: chunked\r\n\r\n-3\r\nabc\r\n0\r\n\r\n",
            Cut,
        ),
        with(
            "chunk-no-crlf",
            "Transfer-Encoding: chunked\r\n\r\n3\r\nabcde\r\n0\r\n\r\n",
            Cut,
        ),
        with(
            "extra-after-cl",
            &format!("Content-Length: 3\r\n\r\nabc{STRAY}"),
            FINE,
        ),
        with(
            "extra-after-chunks",
            &format!("Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n{STRAY}"),
            FINE,
        ),
        with(
            "trailer",
            "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nAuthorization: CANARY-t\r\nSet-Cookie: a=b\r\n\r\n",
            FINE,
        ),
        vector("no-head", "hello\r\n\r\n", BAD),
        vector("http-9.9", "HTTP/9.9 200 OK\r\n\r\n", BAD),
        vector(
            "status-99",
            "HTTP/1.1 99 No\r\nContent-Length: 0\r\n\r\n",
            BAD,
        ),
        vector(
            "status-1000",
            "HTTP/1.1 1000 No\r\nContent-Length: 0\r\n\r\n",
            BAD,
        ),
        vector(
            "204-body",
            &format!("HTTP/1.1 204 No Content\r\nContent-Length: 90\r\n\r\n{STRAY}"),
            Status(&[204]),
        ),
        vector(
            "304-body",
            &format!("HTTP/1.1 304 Not Modified\r\n\r\n{STRAY}"),
            Status(&[304]),
        ),
        vector(
            "101",
            &format!(
                "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n{STRAY}"
            ),
            BAD,
        ),
        vector(
            "103",
            &format!(
                "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n{json}Content-Length: 3\r\n\r\nabc"
            ),
            FINE,
        ),
        vector(
            "100-twice",
            &format!(
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n{json}Content-Length: 3\r\n\r\nabc"
            ),
            FINE,
        ),
    ]
}

fn breaking() -> Vec<Vector> {
    let json = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
    let send = |text: String| Step::Send(text.into_bytes());
    let steps = |name, answer, expect| Vector {
        name,
        method: "GET",
        answer,
        expect,
    };
    vec![
        steps(
            "cut-chunks",
            vec![
                send(format!(
                    "{json}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"
                )),
                Step::Close,
            ],
            Cut,
        ),
        steps(
            "cut-length",
            vec![
                send(format!("{json}Content-Length: 9\r\n\r\nabc")),
                Step::Close,
            ],
            Cut,
        ),
        steps("cut-head", vec![send(json.to_owned()), Step::Close], BAD),
        steps("silent-close", vec![Step::Close], BAD),
        steps(
            "head-without-end",
            vec![
                send(json.to_owned()),
                Step::Flood(b"X-A: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\r\n".repeat(64)),
            ],
            BAD,
        ),
        steps(
            "header-10-mb",
            vec![
                send(json.to_owned()),
                send(format!("X-A: {}\r\n\r\n", "b".repeat(10 << 20))),
            ],
            BAD,
        ),
        steps(
            "101-headers",
            vec![send(format!("{json}{}\r\n", "X-A: b\r\n".repeat(200)))],
            BAD,
        ),
        steps(
            "stray-later",
            vec![
                send(format!("{json}Content-Length: 3\r\n\r\nabc")),
                Step::Wait(Duration::from_millis(20)),
                send(STRAY.to_owned()),
            ],
            FINE,
        ),
        Vector {
            name: "head-body",
            method: "HEAD",
            answer: vec![send(format!(
                "{json}Content-Length: {}\r\n\r\n{STRAY}",
                STRAY.len()
            ))],
            expect: FINE,
        },
    ]
}

pub(crate) fn vectors() -> Vec<Vector> {
    framing().into_iter().chain(breaking()).collect()
}
