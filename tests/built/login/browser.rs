//! A browser, and a person in front of it; and others who speak HTTP.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (known, value) = line.split_once(':')?;
            known.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }
}

/// Host and target of an address.
pub(crate) fn parts(url: &str) -> (&str, &str) {
    let rest = url.strip_prefix("http://").unwrap();
    let at = rest.find('/').unwrap();
    let target = rest[at..].split('#').next().unwrap();
    (&rest[..at], target)
}

/// One request over a connection of its own. Its `Host` is where it goes unless `headers` name one.
pub(crate) fn send(host: &str, method: &str, target: &str, headers: &str, body: &str) -> Reply {
    let named = if headers.to_lowercase().contains("host:") {
        String::new()
    } else {
        format!("Host: {host}\r\n")
    };
    let length = body.len();
    let mut stream = TcpStream::connect(host).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let head = format!(
        "{method} {target} HTTP/1.1\r\n{named}Connection: close\r\nContent-Length: {length}\r\n{headers}\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    // Whoever has heard enough closes before the end.
    let _ = stream.write_all(body.as_bytes());
    let mut text = Vec::new();
    let _ = stream.read_to_end(&mut text);
    let text = String::from_utf8_lossy(&text).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    Reply {
        status: head.get(9..12).map_or(0, |it| it.parse().unwrap()),
        head: head.to_owned(),
        body: body.to_owned(),
    }
}

pub(crate) fn get(url: &str) -> Reply {
    let (host, target) = parts(url);
    send(host, "GET", target, "", "")
}

/// Opens NinjaOne's page, presses a button, and gives the address that the browser is sent to.
pub(crate) fn decide(authorize_url: &str, decision: &str) -> String {
    let (host, _) = parts(authorize_url);
    let page = get(authorize_url);
    assert_eq!(page.status, 200, "{}", page.body);
    let mut form = form_urlencoded::Serializer::new(String::new());
    for field in page.body.split("<input type=\"hidden\" ").skip(1) {
        let value = |name: &str| {
            let (_, rest) = field.split_once(&format!("{name}=\"")).unwrap();
            unescaped(rest.split_once('"').unwrap().0)
        };
        form.append_pair(&value("name"), &value("value"));
    }
    form.append_pair("decision", decision);
    let kind = "Content-Type: application/x-www-form-urlencoded\r\n";
    let sent = send(host, "POST", "/ws/oauth/authorize", kind, &form.finish());
    assert_eq!(sent.status, 302, "{}", sent.body);
    sent.header("location").unwrap().to_owned()
}

fn unescaped(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&#39;", "'")
        .replace("&amp;", "&")
}
