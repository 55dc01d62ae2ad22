//! Heads that two parsers could frame differently, and the outcomes allowed for each.

use super::{
    head_writings::{CHUNKS, ENCODINGS, LENGTHS, NAMES},
    stack::key,
};

/// What may come of a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum May {
    /// Nothing: it is refused, and nothing arrives.
    Nothing,
    /// One request, and the connection ends: what follows is not read.
    OneAndClose,
    /// One request; what follows on the connection is another one.
    One,
    /// Nothing or one request: readers differ, and either is safe.
    AtMostOne,
}

pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) may: May,
}

/// The request that must never come out of another one's body. Its head ends in the middle of the key's line where
/// bytes are missing.
pub(crate) fn smuggled(key: &str) -> String {
    format!(
        "GET /v2/devices?smuggled=1 HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: {key}\r\nUser-Agent: smuggled\r\n\r\n"
    )
}

struct Maker {
    key: String,
    all: Vec<Case>,
}

impl Maker {
    fn add(&mut self, name: impl Into<String>, may: May, bytes: impl Into<Vec<u8>>) {
        self.all.push(Case {
            name: name.into(),
            bytes: bytes.into(),
            may,
        });
    }

    /// A request for a read with these lines, and what follows its head.
    fn head(&mut self, name: &str, may: May, lines: &str, rest: &str) {
        let number = self.all.len();
        let rest = rest.replace("smuggled\r", &format!("smuggled {number}\r"));
        let bytes = format!(
            "GET /v2/devices HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: {}\r\nUser-Agent: {number}\r\n{lines}\r\n{rest}",
            self.key
        );
        self.add(name, may, bytes);
    }

    fn post(&mut self, name: &str, may: May, lines: &str, rest: &str) {
        let number = self.all.len();
        let rest = rest.replace("smuggled\r", &format!("smuggled {number}\r"));
        let bytes = format!(
            "POST /v2/organizations HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: {}\r\nContent-Type: application/json\r\n\
             User-Agent: {number}\r\n{lines}\r\n{rest}",
            self.key
        );
        self.add(name, may, bytes);
    }

    fn line(&mut self, name: &str, may: May, line: &[u8]) {
        let number = self.all.len();
        let mut bytes = line.to_vec();
        let lines = format!(
            "\r\nHost: localhost\r\nX-Api-Key: {}\r\nUser-Agent: {number}\r\n\r\n",
            self.key
        );
        bytes.extend_from_slice(lines.as_bytes());
        self.add(name, may, bytes);
    }
}

/// Length against encoding, in every order and writing.
#[expect(clippy::too_many_lines, reason = "a table")]
fn framing(make: &mut Maker) {
    let smuggled = smuggled(&make.key);
    for encoding in ENCODINGS {
        let te = format!("Transfer-Encoding: {encoding}\r\n");
        let body = format!("0\r\n\r\n{smuggled}");
        make.post(&format!("te {encoding:?}"), May::Nothing, &te, &body);
        for lines in [
            format!("Content-Length: 4\r\n{te}"),
            format!("{te}Content-Length: 4\r\n"),
        ] {
            make.post(&format!("cl+te {encoding:?}"), May::Nothing, &lines, &body);
        }
        let two = format!("Transfer-Encoding: chunked\r\n{te}");
        make.post(&format!("two te {encoding:?}"), May::Nothing, &two, &body);
    }
    for name in NAMES {
        let te = format!("{name}: chunked\r\n");
        let body = format!("0\r\n\r\n{smuggled}");
        for lines in [
            format!("Content-Length: {}\r\n{te}", body.len()),
            format!("{te}Content-Length: {}\r\n", body.len()),
        ] {
            make.post(&format!("cl+{name:?}"), May::AtMostOne, &lines, &body);
        }
        make.head(&format!("get {name:?}"), May::AtMostOne, &te, "0\r\n\r\n");
    }
    for length in LENGTHS {
        let cl = format!("Content-Length: {length}\r\n");
        make.post(
            &format!("cl {length:?}"),
            May::Nothing,
            &cl,
            &format!("hello{smuggled}"),
        );
        make.head(&format!("get cl {length:?}"), May::Nothing, &cl, &smuggled);
        let te = format!("{cl}Transfer-Encoding: chunked\r\n");
        make.post(
            &format!("cl {length:?} te"),
            May::AtMostOne,
            &te,
            &format!("0\r\n\r\n{smuggled}"),
        );
    }
    for chunks in CHUNKS {
        let te = "Transfer-Encoding: chunked\r\n";
        make.post(
            &format!("chunks {chunks:?}"),
            May::AtMostOne,
            te,
            &format!("{chunks}{smuggled}"),
        );
    }
    for (name, lines) in [
        (
            "cl.te",
            "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        ),
        (
            "te.cl",
            "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
        ),
    ] {
        make.post(
            name,
            May::OneAndClose,
            lines,
            &format!("5\r\nhello\r\n0\r\n\r\n{smuggled}"),
        );
    }
    let number = make.all.len();
    let old = format!(
        "POST /v2/organizations HTTP/1.0\r\nHost: localhost\r\nX-Api-Key: {}\r\nUser-Agent: {number}\r\n\
         Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{}",
        make.key,
        smuggled.replace("smuggled\r", &format!("smuggled {number}\r"))
    );
    make.add("te in 1.0", May::Nothing, old);
    make.head(
        "get with a body",
        May::Nothing,
        &format!("Content-Length: {}\r\n", smuggled.len()),
        &smuggled,
    );
    make.head(
        "get with chunks",
        May::Nothing,
        "Transfer-Encoding: chunked\r\n",
        &format!("{:x}\r\n{smuggled}\r\n0\r\n\r\n", smuggled.len()),
    );
}

const METHODS: [&str; 24] = [
    "get", "Get", "GETT", "GE", "G=", "HEAD2", "CONNECT", "TRACE", "OPTIONS", "PROPFIND", "LINK",
    "PRI", "QUERY", "DEBUG", "TRACK", "PURGE", "M-SEARCH", "post", "DELETE1", "_GET", "GET\t",
    "\"GET\"", "G\0T", "",
];

#[expect(clippy::too_many_lines, reason = "a table")]
fn lines(make: &mut Maker) {
    for method in METHODS {
        make.line(
            &format!("method {method:?}"),
            May::Nothing,
            format!("{method} /v2/devices HTTP/1.1").as_bytes(),
        );
    }
    make.line(
        "a long method",
        May::Nothing,
        format!("{} /v2/devices HTTP/1.1", "A".repeat(300)).as_bytes(),
    );
    for target in [
        "http://localhost/v2/devices",
        "http://evil.example/v2/devices",
        "https://localhost/v2/devices",
        "HTTP://LOCALHOST/v2/devices",
        "ftp://localhost/v2/devices",
        "localhost:443",
        "evil.example:443",
        "*",
        "v2/devices",
        "?x",
        "//localhost/v2/devices",
        "file:///v2/devices",
        "http:/v2/devices",
        "http:///v2/devices",
        "http://user@localhost/v2/devices",
        "http://localhost:99999/v2/devices",
        "/v2/devices /x",
        "/v2/devices\t",
        "/v2/de\0vices",
        "/v2/d\x7fevices",
        "/v2/dev<ices",
        "/v2/dev\"ices",
        "/v2/dev{ices",
        "/v2/dev|ices",
        "/v2/dev^ices",
        "/v2/dev`ices",
    ] {
        make.line(
            &format!("target {target:?}"),
            May::Nothing,
            format!("GET {target} HTTP/1.1").as_bytes(),
        );
    }
    for version in [
        "HTTP/0.9",
        "HTTP/1.2",
        "HTTP/2.0",
        "HTTP/3.0",
        "http/1.1",
        "HTTP/1.1 x",
        "HTTP/11",
        "HTTP /1.1",
        "HTTP/1,1",
        "",
        "HTTP/1.1\r",
    ] {
        make.line(
            &format!("version {version:?}"),
            May::Nothing,
            format!("GET /v2/devices {version}").as_bytes(),
        );
    }
    make.line(
        "bytes that are no ASCII",
        May::Nothing,
        b"GET /v2/devices\xff HTTP/1.1",
    );
    make.line(
        "bytes of UTF-8",
        May::Nothing,
        "GET /v2/dévices HTTP/1.1".as_bytes(),
    );
    make.line(
        "a long target",
        May::Nothing,
        format!("GET /v2/devices?{} HTTP/1.1", "a".repeat(9000)).as_bytes(),
    );
    make.line(
        "a fragment",
        May::Nothing,
        b"GET /v2/devices#/../device/1 HTTP/1.1",
    );
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn fields(make: &mut Maker) {
    let key = make.key.clone();
    for name in [
        "X-HTTP-Method-Override",
        "x-http-method",
        "X-Method-Override",
        "X-HTTP-METHOD",
    ] {
        for value in ["DELETE", "PUT", "GET", ""] {
            make.head(
                &format!("{name}: {value}"),
                May::Nothing,
                &format!("{name}: {value}\r\n"),
                "",
            );
            make.post(
                &format!("post {name}: {value}"),
                May::Nothing,
                &format!("{name}: {value}\r\nContent-Length: 2\r\n"),
                "{}",
            );
        }
    }
    for query in [
        "_method=DELETE",
        "_METHOD=PUT",
        "x-http-method-override=PUT",
        "%5fmethod=DELETE",
        "a=b;_method=x",
        "x-method-override=",
        "access_token=x",
        "Access%5fToken=x",
    ] {
        make.line(
            query,
            May::Nothing,
            format!("GET /v2/devices?{query} HTTP/1.1").as_bytes(),
        );
    }
    for lines in [
        "Host: localhost\r\n",
        "Host: evil.example\r\n",
        "host: localhost\r\n",
        "Authorization: Bearer x\r\n",
        "X-Api-Key: y\r\n",
        "Authorization: Bearer a\r\nAuthorization: Bearer b\r\n",
        "Authorization: NJ id:sig\r\n",
        "Authorization:\r\n",
        "Authorization: Basic %%%\r\n",
        "X-A: b\r\n c\r\n",
        "X-A: b\r\n\tc\r\n",
        "X-A: b\rc\r\n",
        "X-A: b\0c\r\n",
        "X-A: b\x1bc\r\n",
        "X-A : b\r\n",
        " X-A: b\r\n",
        "X-A\r\n",
        ": b\r\n",
        "X A: b\r\n",
        "X(A): b\r\n",
        "X-\u{e9}: b\r\n",
        "Expect: 200-ok\r\n",
        "Expect: 100-continue, x\r\n",
        "Expect: x\r\nExpect: 100-continue\r\n",
        "NJP-Reason: \x01\r\n",
        "NJP-Tenant: other\r\n",
        "User-Agent: twice\r\n",
        "Content-Type: a\r\nContent-Type: b\r\n",
    ] {
        make.head(&format!("field {lines:?}"), May::Nothing, lines, "");
    }
    for lines in [
        "Connection: X-Api-Key, Authorization, Host\r\n",
        "Connection: close, X-Request-Id, Content-Length, Via, traceparent\r\n",
        "Connection: \"close\", , ,,\r\nConnection: x\r\nConnection:\r\n",
        "Proxy-Connection: keep-alive\r\n",
        "Keep-Alive: timeout=1\r\n",
        "TE: trailers\r\n",
        "Trailer: X-Api-Key\r\n",
        "Proxy-Authorization: Basic x\r\n",
        "Cookie: sessionKey=x\r\n",
        "X-Forwarded-For: 127.0.0.1\r\n",
        "Forwarded: for=127.0.0.1\r\n",
        "X-Original-URL: /v2/device/1\r\n",
        "X-Rewrite-URL: /v2/device/1\r\n",
        "X-Forwarded-Host: evil\r\n",
        "Content_Length: 5\r\n",
        "X_Api_Key: x\r\n",
        "Transfer_Encoding: chunked\r\n",
        "x-nj-date: x\r\n",
        "Max-Forwards: 0\r\n",
        "Range: bytes=0-1\r\n",
        "If-Match: x\r\n",
        "Via: 1.1 ninjaone-proxy\r\n",
        "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n",
        "Upgrade: websocket\r\nConnection: Upgrade\r\n",
        "Content-Length: 0\r\n",
        "Date: x\r\n",
    ] {
        make.head(
            &format!("dropped {lines:?}"),
            May::One,
            lines,
            &smuggled(&key).replace("smuggled", "second"),
        );
    }
    let members = vec!["x"; 10_000].join(",");
    make.head(
        "10,000 members of Connection",
        May::AtMostOne,
        &format!("Connection: {members}\r\n"),
        "",
    );
    make.head("many lines", May::Nothing, &"X-A: b\r\n".repeat(62), "");
    make.head(
        "very many lines",
        May::Nothing,
        &"X-A: b\r\n".repeat(200),
        "",
    );
    make.head(
        "a long head",
        May::Nothing,
        &format!("X-A: {}\r\n", "b".repeat(64 << 10)),
        "",
    );
    for byte in 0x80..=0xff_u8 {
        let number = make.all.len();
        let mut bytes = format!("GET /v2/devices HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: {key}\r\nUser-Agent: {number}\r\nAccept: a").into_bytes();
        bytes.push(byte);
        bytes.extend_from_slice(b"\r\n\r\n");
        make.add(format!("accept {byte:#x}"), May::Nothing, bytes);
    }
    for trailer in [
        "Authorization: Bearer x",
        "X-Api-Key: x",
        "Host: evil",
        "Content-Length: 9",
        "Transfer-Encoding: chunked",
        "Cookie: sessionKey=x",
    ] {
        make.post(
            &format!("trailer {trailer}"),
            May::One,
            "Transfer-Encoding: chunked\r\nTrailer: x\r\n",
            &format!("2\r\n{{}}\r\n0\r\n{trailer}\r\n\r\n"),
        );
    }
    make.post(
        "expect",
        May::One,
        "Expect: 100-continue\r\nContent-Length: 2\r\n",
        "{}",
    );
    make.add(
        "no host",
        May::Nothing,
        format!("GET /v2/devices HTTP/1.1\r\nX-Api-Key: {key}\r\n\r\n"),
    );
    make.add(
        "1.0 without host",
        May::Nothing,
        format!("GET /v2/devices HTTP/1.0\r\nX-Api-Key: {key}\r\n\r\n"),
    );
    make.add("0.9", May::Nothing, "GET /v2/devices\r\n");
}

pub(crate) fn cases() -> Vec<Case> {
    let mut make = Maker {
        key: key("operator"),
        all: Vec::new(),
    };
    framing(&mut make);
    lines(&mut make);
    fields(&mut make);
    make.all
}
