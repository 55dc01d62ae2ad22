//! The whole program in front of a NinjaOne, in this process, on ports of its own.

use std::{
    net::{Ipv4Addr, SocketAddr},
    num::NonZeroU32,
    sync::Arc,
    time::Duration,
};

use ninjaone_proxy::{
    app::{
        entrances::Inherited,
        program::{Program, Record},
        sandbox::{self, Places},
    },
    config::Config,
    limits::rate::Rate,
    sandbox::{Ninja, Options, seen::Seen},
};
use serde_json::Value;

const SEED: u64 = 1;
const FREE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
/// No test is to be slowed down by a limit that it does not test.
const PLENTY: NonZeroU32 = NonZeroU32::new(1_000_000).unwrap();

/// The program, and where it listens.
pub(crate) struct Proxied {
    program: Program,
    pub(crate) callers: SocketAddr,
    pub(crate) admin: SocketAddr,
}

impl Proxied {
    /// In front of whatever answers at `ninjaone`; `change` is made to the sandbox's configuration.
    pub(crate) fn start(ninjaone: SocketAddr, change: impl FnOnce(&mut Config)) -> Self {
        let places = Places {
            callers: FREE,
            admin: FREE,
            ninjaone,
        };
        let mut config = sandbox::config(places, SEED, 1);
        config.budget.rate = Rate::per_second(PLENTY);
        config.budget.burst = PLENTY.get();
        for caller in &mut config.callers {
            caller.limit.rate = Rate::per_second(PLENTY);
            caller.limit.burst = PLENTY.get();
            caller.limit.concurrency = 4096;
        }
        change(&mut config);
        let program = Program::start(
            &config,
            &Record::Memory(ninjaone_proxy::credentials::store::Store::memory()),
            &mut Inherited::of_process(),
        )
        .unwrap();
        let address = |role: &str| {
            let (_, text) = program
                .status
                .listeners
                .iter()
                .find(|(known, _)| *known == role)
                .unwrap();
            text.trim_start_matches("http://").parse().unwrap()
        };
        let (callers, admin) = (address("callers"), address("admin"));
        Self {
            program,
            callers,
            admin,
        }
    }

    /// Every line of the audit log so far, which is at most 10,000.
    pub(crate) async fn audit(&self) -> Vec<Box<str>> {
        self.program.status.ledger.flush().await.unwrap();
        self.program.status.ledger.newest(usize::MAX)
    }

    /// The outcome lines, read.
    pub(crate) async fn outcomes(&self) -> Vec<Value> {
        let lines = self.audit().await;
        let read = lines
            .iter()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        read.filter(|line| line["type"] == "outcome").collect()
    }

    pub(crate) fn connections(&self) -> usize {
        self.program.status.connections.open()
    }

    pub(crate) async fn stop(self) {
        self.program.drain("test", std::future::ready(())).await;
    }
}

/// The program in front of the sandbox's NinjaOne.
pub(crate) struct Stack {
    pub(crate) ninja: Ninja,
    pub(crate) proxy: Proxied,
}

impl Stack {
    pub(crate) fn start() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut Config)) -> Self {
        let ninja = Ninja::start(Options::default()).unwrap();
        let proxy = Proxied::start(ninja.address(), change);
        Self { ninja, proxy }
    }

    /// What reached NinjaOne, less the calls for tokens.
    pub(crate) fn arrived(&self) -> Vec<Arc<Seen>> {
        let mut seen = self.ninja.seen();
        seen.retain(|it| &*it.target != b"/ws/oauth/token");
        seen
    }
}

/// The key of a caller that the sandbox knows: `reporting` may read, `operator` may do everything.
pub(crate) fn key(caller: &str) -> String {
    let keys = sandbox::keys(SEED);
    let (_, key) = keys.into_iter().find(|(name, _)| *name == caller).unwrap();
    key
}

/// Waits until `done`, for at most `longest`; whether it came to be.
pub(crate) async fn eventually(longest: Duration, mut done: impl FnMut() -> bool) -> bool {
    const LOOK_AGAIN: Duration = Duration::from_millis(10);
    let ends = tokio::time::Instant::now() + longest;
    while !done() {
        if tokio::time::Instant::now() >= ends {
            return false;
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    true
}
