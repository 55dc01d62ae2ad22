//! A client of the running program, and requests as callers make them.

use std::{fmt::Write as _, ops::Deref};

use crate::{
    answer::Answer,
    proxy,
    wire::{Answered, Wire},
};

/// A client of the running program; clones go to tasks.
#[derive(Clone)]
pub(crate) struct ProxyClient {
    pub(crate) at: proxy::ListenerAddresses,
    pub(crate) keys: Vec<(String, String)>,
    pub(crate) answered: Answered,
}

impl Deref for ProxyClient {
    type Target = proxy::ListenerAddresses;

    fn deref(&self) -> &proxy::ListenerAddresses {
        &self.at
    }
}

impl ProxyClient {
    pub(crate) fn key(&self, name: &str) -> &str {
        let found = self.keys.iter().find(|(known, _)| known == name);
        &found.expect("a known caller").1
    }

    pub(crate) async fn wire(&self) -> Wire {
        self.at.wire().await.noting(&self.answered)
    }

    /// A request by a caller, authenticated with `X-Api-Key`.
    pub(crate) fn ask(&self, caller: &str, method: &str, target: &str) -> Ask {
        let key = self.key(caller).to_owned();
        self.unauthenticated(method, target)
            .header("X-Api-Key", &key)
    }

    /// A request without credentials.
    pub(crate) fn unauthenticated(&self, method: &str, target: &str) -> Ask {
        Ask {
            client: self.clone(),
            method: method.to_owned(),
            target: target.to_owned(),
            headers: vec![("Host".to_owned(), self.callers.to_string())],
            body: None,
        }
    }

    pub(crate) async fn get(&self, caller: &str, target: &str) -> Answer {
        self.ask(caller, "GET", target).send().await
    }

    pub(crate) async fn post(&self, caller: &str, target: &str, body: &str) -> Answer {
        let ask = self.ask(caller, "POST", target).body(body);
        ask.header("Content-Type", "application/json").send().await
    }
}

/// One request.
#[derive(Clone)]
pub(crate) struct Ask {
    client: ProxyClient,
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
}

impl Ask {
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn host(mut self, value: &str) -> Self {
        self.headers.retain(|(name, _)| name != "Host");
        self.header("Host", value)
    }

    pub(crate) fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = Some(body.as_ref().to_vec());
        self
    }

    /// As it goes over the wire.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        for (name, value) in &self.headers {
            write!(head, "{name}: {value}\r\n").unwrap();
        }
        if let Some(body) = &self.body {
            write!(head, "Content-Length: {}\r\n", body.len()).unwrap();
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend(self.body.iter().flatten());
        bytes
    }

    pub(crate) async fn send(&self) -> Answer {
        self.try_send().await.expect("an answer")
    }

    /// None if the connection closed without an answer.
    pub(crate) async fn try_send(&self) -> Option<Answer> {
        let mut wire = self.client.wire().await;
        self.send_on(&mut wire).await
    }

    pub(crate) async fn send_on(&self, wire: &mut Wire) -> Option<Answer> {
        // An answer may come, and the connection close, before everything is sent.
        wire.try_send(self.bytes()).await;
        wire.answer_to(&self.method).await
    }
}
