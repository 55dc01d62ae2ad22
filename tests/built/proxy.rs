//! The built program in front of a NinjaOne: where it listens, what its operator sees, and what it leaves on disk.

use std::{net::SocketAddr, ops::Deref};

use serde_json::Value;

use crate::{
    answer::Answer,
    audit_log,
    directory::Directory,
    program::{Program, Stderr, plain_http},
    settings::Settings,
    wait::until,
    wire::Wire,
};

/// Where a program listens. Copies go to tasks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ListenerAddresses {
    pub(crate) callers: SocketAddr,
    pub(crate) admin: SocketAddr,
}

impl ListenerAddresses {
    /// A connection of a caller's.
    pub(crate) async fn wire(self) -> Wire {
        Wire::to(self.callers).await
    }

    /// What the admin listener says.
    pub(crate) async fn admin(self, target: &str) -> Answer {
        let mut wire = Wire::to(self.admin).await;
        let head = format!("GET {target} HTTP/1.1\r\nHost: {}\r\n\r\n", self.admin);
        wire.send(head).await;
        let answer = wire.answer().await;
        answer.expect("an answer of the admin listener")
    }

    /// What `GET /status` says.
    pub(crate) async fn status(self) -> Value {
        self.admin("/status").await.json()
    }

    /// A metric by its name, without `ninjaone_proxy_`: with these labels, or the first if it is named without.
    pub(crate) async fn metric(self, series: &str) -> Option<f64> {
        let page = self.admin("/metrics").await.text();
        let value = page.lines().find_map(|line| {
            let rest = line.strip_prefix("ninjaone_proxy_")?.strip_prefix(series)?;
            let is_it = rest.starts_with([' ', '{']);
            is_it.then(|| rest.rsplit(' ').next())?
        });
        value?.parse().ok()
    }

    /// How many connections of callers are open.
    pub(crate) async fn connections(self) -> u64 {
        let status = self.status().await;
        let listeners = status["listeners"].as_array().unwrap();
        let of_callers = listeners.iter().find(|it| it["role"] == "callers");
        of_callers.unwrap()["connections"].as_u64().unwrap()
    }
}

/// Every identity of every tenant, with the tenant's name.
pub(crate) fn identities(status: &Value) -> Vec<(String, Value)> {
    let tenants = status["tenants"].as_array().unwrap().iter();
    let all = tenants.flat_map(|tenant| {
        let name = tenant["name"].as_str().unwrap();
        let own = tenant["identities"].as_array().unwrap().iter();
        own.map(move |it| (name.to_owned(), it.clone()))
    });
    all.collect()
}

/// A running program in its directory; it is killed when dropped.
pub(crate) struct Proxy {
    pub(crate) program: Program,
    pub(crate) addresses: ListenerAddresses,
    /// Role and address of every listener, as far as the log tells.
    pub(crate) listeners: Vec<(String, String)>,
    // Goes after the program that writes there.
    pub(crate) directory: Directory,
}

impl Deref for Proxy {
    type Target = ListenerAddresses;

    fn deref(&self) -> &ListenerAddresses {
        &self.addresses
    }
}

impl Proxy {
    /// Writes the configuration into the directory, starts the program with it, and waits until it listens.
    pub(crate) fn start(directory: Directory, mut settings: Settings) -> Self {
        settings.choose_addresses(&Stderr::Read);
        directory.configure(&settings.toml());
        let program = Program::start(&directory.config());
        Self::listening(program, directory, &settings)
    }

    /// Waits until the program listens: where its log says, or where the settings do.
    pub(crate) fn listening(
        mut program: Program,
        directory: Directory,
        settings: &Settings,
    ) -> Self {
        let chosen = |section, key| settings.get(section, key)?.parse::<SocketAddr>().ok();
        let chosen = [chosen("listen", "http"), chosen("admin", "listen")];
        let (addresses, listeners) = match chosen {
            [Some(callers), Some(admin)] if callers.port() != 0 && admin.port() != 0 => {
                program.answers_at(admin);
                (ListenerAddresses { callers, admin }, Vec::new())
            }
            _ => {
                let listeners = program.listens("admin");
                (addresses_of(&listeners), listeners)
            }
        };
        Self {
            program,
            addresses,
            listeners,
            directory,
        }
    }

    /// The same for a program whose log says where, and that may end before: gives its log then.
    pub(crate) async fn listening_or_over(
        mut program: Program,
        directory: Directory,
    ) -> Result<Self, String> {
        let listeners = program.listens_or_ends("admin").await?;
        Ok(Self {
            program,
            addresses: addresses_of(&listeners),
            listeners,
            directory,
        })
    }

    /// Waits until every identity has a token.
    pub(crate) async fn has_token(&self) {
        until("a token", async || {
            let all = identities(&self.status().await);
            all.iter().all(|(_, it)| it["state"] == "valid")
        })
        .await;
    }

    /// The lines of the audit log.
    pub(crate) fn lines(&self) -> Vec<Value> {
        audit_log::lines(&self.directory.audit())
    }

    /// The first line of the audit log that `fits`, once there is one.
    pub(crate) async fn line(&self, fits: impl Fn(&Value) -> bool) -> Value {
        let mut found = None;
        until("a line in the audit log", async || {
            found = self.lines().into_iter().find(&fits);
            found.is_some()
        })
        .await;
        found.unwrap()
    }

    /// The outcome of a request, once it is there.
    pub(crate) async fn outcome(&self, id: &str) -> Value {
        self.outcome_where(|it| it["request"] == id).await
    }

    pub(crate) async fn outcome_where(&self, fits: impl Fn(&Value) -> bool) -> Value {
        self.line(|it| it["type"] == "outcome" && fits(it)).await
    }

    /// Ends the program by SIGTERM and starts another one on what it left.
    pub(crate) async fn start_again(&mut self) {
        self.program.terminate().await;
        self.program = Program::start(&self.directory.config());
        if self.listeners.is_empty() {
            self.program.answers_at(self.addresses.admin);
            return;
        }
        self.listeners = self.program.listens("admin");
        self.addresses = addresses_of(&self.listeners);
    }

    /// SIGTERM, and the end with exit code 0.
    pub(crate) async fn stop(mut self) {
        self.program.terminate().await;
    }
}

fn addresses_of(listeners: &[(String, String)]) -> ListenerAddresses {
    let of_role = |role: &str| plain_http(listeners, role);
    ListenerAddresses {
        callers: of_role("callers").expect("a listener for callers"),
        admin: of_role("admin").expect("an admin listener"),
    }
}
