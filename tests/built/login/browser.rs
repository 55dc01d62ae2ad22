//! A browser with a user in front of it, and other HTTP clients.

use tokio::runtime;

use crate::{answer::Answer, wire::Wire};

/// Host and target of an address.
pub(crate) fn parts(url: &str) -> (&str, &str) {
    let rest = url.strip_prefix("http://").unwrap();
    let at = rest.find('/').unwrap();
    let target = rest[at..].split('#').next().unwrap();
    (&rest[..at], target)
}

/// One request over a connection of its own. Its `Host` is where it goes unless `headers` name one.
pub(crate) fn send(host: &str, method: &str, target: &str, headers: &str, body: &str) -> Answer {
    let named = if headers.to_lowercase().contains("host:") {
        String::new()
    } else {
        format!("Host: {host}\r\n")
    };
    let length = body.len();
    let head = format!(
        "{method} {target} HTTP/1.1\r\n{named}Connection: close\r\nContent-Length: {length}\r\n{headers}\r\n"
    );
    let asking = async {
        let mut wire = Wire::to(host.parse().unwrap()).await;
        // Whoever has heard enough closes before the end.
        wire.try_send(head + body).await;
        wire.answer_to(method).await.expect("an answer")
    };
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    runtime.unwrap().block_on(asking)
}

pub(crate) fn get(url: &str) -> Answer {
    let (host, target) = parts(url);
    send(host, "GET", target, "", "")
}

/// Opens NinjaOne's page, presses a button, and gives the address that the browser is sent to.
pub(crate) fn decide(authorize_url: &str, decision: &str) -> String {
    let (host, _) = parts(authorize_url);
    let page = get(authorize_url);
    assert_eq!(page.status, 200, "{}", page.text());
    let mut form = form_urlencoded::Serializer::new(String::new());
    for field in page.text().split("<input type=\"hidden\" ").skip(1) {
        let value = |name: &str| {
            let (_, rest) = field.split_once(&format!("{name}=\"")).unwrap();
            unescaped(rest.split_once('"').unwrap().0)
        };
        form.append_pair(&value("name"), &value("value"));
    }
    form.append_pair("decision", decision);
    let kind = "Content-Type: application/x-www-form-urlencoded\r\n";
    let sent = send(host, "POST", "/ws/oauth/authorize", kind, &form.finish());
    assert_eq!(sent.status, 302, "{}", sent.text());
    sent.header("location").unwrap().to_owned()
}

fn unescaped(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&#39;", "'")
        .replace("&amp;", "&")
}
