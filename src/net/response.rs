//! A response and its headers, whoever makes it and whichever protocol carries it.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

/// Room for the headers of most responses, ours included.
const TYPICAL_HEADERS: usize = 12;

/// The headers of a response, in order. There are few, so each look-up scans them: building a map costs a request more than
/// all its look-ups.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResponseHeaders(Vec<(HeaderName, HeaderValue)>);

impl ResponseHeaders {
    /// Adds a header, whatever others of its name there are.
    pub fn append(&mut self, name: HeaderName, value: HeaderValue) {
        if self.0.capacity() == 0 {
            self.0.reserve_exact(TYPICAL_HEADERS);
        }
        self.0.push((name, value));
    }

    /// Adds a header and removes all others of its name.
    pub fn insert(&mut self, name: HeaderName, value: HeaderValue) {
        self.remove(&name);
        self.append(name, value);
    }

    /// Removes all of that name.
    pub fn remove(&mut self, name: &HeaderName) {
        self.0.retain(|(known, _)| known != name);
    }

    /// Replaces the values of that name for which there is another one.
    pub fn rewrite(
        &mut self,
        name: &HeaderName,
        mut rewritten: impl FnMut(&HeaderValue) -> Option<HeaderValue>,
    ) {
        for (_, value) in self.0.iter_mut().filter(|(known, _)| known == name) {
            if let Some(new) = rewritten(value) {
                *value = new;
            }
        }
    }

    /// The first of its name.
    #[must_use]
    pub fn get(&self, name: &HeaderName) -> Option<&HeaderValue> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value)
    }

    /// Whether there is one of that name.
    #[must_use]
    pub fn contains(&self, name: &HeaderName) -> bool {
        self.get(name).is_some()
    }

    /// All, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        self.0.iter().map(|(name, value)| (name, value))
    }
}

impl From<ResponseHeaders> for HeaderMap {
    fn from(headers: ResponseHeaders) -> Self {
        let mut map = Self::with_capacity(headers.0.len());
        for (name, value) in headers.0 {
            map.append(name, value);
        }
        map
    }
}

/// A response.
#[derive(Debug)]
pub struct Response<B> {
    /// Written as it is.
    pub status: StatusCode,
    /// What frames the body is added by the protocol.
    pub headers: ResponseHeaders,
    /// May be streamed.
    pub body: B,
}

impl<B> Response<B> {
    /// A response without headers.
    #[must_use]
    pub fn new(status: StatusCode, body: B) -> Self {
        Self {
            status,
            headers: ResponseHeaders::default(),
            body,
        }
    }
}

impl<B> From<Response<B>> for http::Response<B> {
    fn from(response: Response<B>) -> Self {
        let mut converted = Self::new(response.body);
        *converted.status_mut() = response.status;
        *converted.headers_mut() = response.headers.into();
        converted
    }
}
