//! An HTTP/1.1 response as the tests received it.

use serde_json::Value;

#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Its bytes, up to the blank line.
    pub(crate) head: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// The body came to the end that its framing announced.
    pub(crate) whole: bool,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.all(name).first().copied()
    }

    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let named = self.headers.iter().filter(|(known, _)| known == name);
        named.map(|(_, value)| value.as_str()).collect()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn id(&self) -> &str {
        self.header("x-request-id").expect("an x-request-id")
    }

    /// Whether its connection serves nothing more.
    pub(crate) fn closes(&self) -> bool {
        self.header("connection")
            .is_some_and(|it| it.eq_ignore_ascii_case("close"))
    }

    #[track_caller]
    pub(crate) fn is(&self, status: u16) -> &Self {
        assert_eq!(self.status, status, "{}", self.text());
        assert!(self.whole, "the answer was cut");
        self
    }

    /// An answer of ours: problem+json and NinjaOne-shaped, with all that the contract promises.
    #[track_caller]
    pub(crate) fn refuses(&self, status: u16, code: &str) -> &Self {
        self.is(status);
        let body = self.json();
        assert_eq!(body["code"], code, "{body}");
        assert_eq!(body["status"], status);
        assert_eq!(body["type"], format!("urn:ninjaone-proxy:error:{code}"));
        assert_eq!(body["instance"], format!("/requests/{}", self.id()));
        for text in ["title", "detail", "error", "error_description"] {
            let said = body[text].as_str().unwrap_or_default();
            assert!(!said.is_empty(), "no {text} in {body}");
        }
        let kind = self.header("content-type");
        assert_eq!(kind, Some("application/problem+json"));
        let proxy_status = self.header("proxy-status").unwrap_or_default();
        assert!(
            proxy_status.starts_with("ninjaone-proxy; error="),
            "{proxy_status}"
        );
        self
    }

    /// The integer in `Retry-After`, which is from 1 to 300.
    #[track_caller]
    pub(crate) fn retry_after(&self) -> u64 {
        let seconds = self.header("retry-after").expect("a Retry-After");
        let seconds: u64 = seconds.parse().expect("an integer");
        assert!((1..=300).contains(&seconds), "{seconds}");
        seconds
    }
}
