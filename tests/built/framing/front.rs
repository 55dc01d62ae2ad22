//! The built program in front of the test's own server, with a caller who may do everything.

use std::ops::Deref;

use crate::{
    answer::Answer,
    directory::Directory,
    frames::Connection,
    key::new_key,
    proxy::Proxy,
    settings::{Setting, Settings},
    wait::until,
};

pub(crate) const CLIENT_ID: &str = "framing";
pub(crate) const CLIENT_SECRET: &str = "client-secret-canary";

pub(crate) struct Front {
    proxy: Proxy,
    pub(crate) key: String,
}

impl Deref for Front {
    type Target = Proxy;

    fn deref(&self) -> &Proxy {
        &self.proxy
    }
}

impl Front {
    /// `tenant`: its URL, and what makes it trusted.
    pub(crate) fn start(tenant: &[(&str, String)], settings: &[Setting]) -> Self {
        let directory = Directory::new();
        directory.write("acme.secret", CLIENT_SECRET);
        let key = new_key("main");
        let mut settings = Settings::usual().with(settings);
        for (name, value) in tenant {
            settings.set("tenant.acme", name, value);
        }
        settings.service(CLIENT_ID);
        settings.caller("main", &key, "allow = [\"all\"]");
        let proxy = Proxy::start(directory, settings);
        Self { proxy, key }
    }

    /// A request on a connection of its own.
    pub(crate) async fn get(&self, target: &str) -> Answer {
        let (host, key) = (self.callers, &self.key);
        let mut wire = self.wire().await;
        let head = format!(
            "GET {target} HTTP/1.1\r\nHost: {host}\r\nX-Api-Key: {key}\r\nConnection: close\r\n\r\n"
        );
        wire.send(head).await;
        wire.answer().await.expect("an answer")
    }

    /// Whether the answer comes: a program that is stuck gives none.
    pub(crate) async fn is_alive(&self) -> bool {
        self.get("/v2/users").await.status == 200
    }

    /// Until there is a token.
    pub(crate) async fn get_once_ready(&self, target: &str) -> Answer {
        let mut answer = self.get(target).await;
        until("a token", async || {
            if answer.status == 503 {
                answer = self.get(target).await;
            }
            answer.status != 503
        })
        .await;
        answer
    }

    /// An HTTP/2 connection that says nothing of its own accord.
    pub(crate) async fn http2(&self) -> Connection {
        Connection::open(self.callers).await.silent()
    }
}
