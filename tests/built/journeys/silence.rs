//! Kept connections to NinjaOne that fall silent, as after a failover, or when a NAT forgets them.

use std::{
    net::{SocketAddr, TcpListener},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use ninjaone_proxy::{
    sandbox::{ListenerSource, SandboxOptions},
    tasks::Tasks,
};
use tokio::{io::copy_bidirectional, net, sync::watch, task::JoinSet};

use crate::{authority::Authority, wait::until};

use super::{tls_front::Front, world::World};

/// A way to a server, whose connections can all be made silent: they stay open, and nothing passes any more.
struct Relay {
    address: SocketAddr,
    frozen: watch::Sender<()>,
    /// Silent connections that the near end has closed.
    given_up: Arc<AtomicUsize>,
    tasks: Tasks,
}

impl Relay {
    async fn to(target: SocketAddr) -> Self {
        let listener = net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (frozen, freezing) = watch::channel(());
        let tasks = Tasks::new();
        let (connections, given_up) = (tasks.clone(), Arc::<AtomicUsize>::default());
        let counted = Arc::clone(&given_up);
        tasks.spawn_until_shutdown(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let mut freezing = freezing.clone();
                freezing.borrow_and_update();
                let counted = Arc::clone(&counted);
                connections.spawn_until_shutdown(async move {
                    let mut far = net::TcpStream::connect(target).await.unwrap();
                    tokio::select! {
                        _ = copy_bidirectional(&mut near, &mut far) => {}
                        _ = freezing.changed() => {}
                    }
                    // What still comes is read, and goes nowhere.
                    let _ = tokio::io::copy(&mut near, &mut tokio::io::sink()).await;
                    counted.fetch_add(1, Ordering::SeqCst);
                    std::future::pending::<()>().await;
                });
            }
        });
        Self {
            address,
            frozen,
            given_up,
            tasks,
        }
    }

    /// The connections of now fall silent; new ones work.
    fn fall_silent(&self) {
        self.frozen.send_replace(());
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.tasks.request_shutdown();
    }
}

/// The statuses of reads, one after the other.
async fn reads(world: &World, count: usize) -> Vec<u16> {
    let mut statuses = Vec::new();
    for _ in 0..count {
        statuses.push(world.get("reports", "/v2/users").await.status);
    }
    statuses
}

/// That many reads at once, so that as many connections are kept.
async fn at_once(world: &World, count: usize) {
    world.trouble("{\"slow_ms\":300}");
    let mut all = JoinSet::new();
    for _ in 0..count {
        let client = world.client();
        all.spawn(async move { client.get("reports", "/v2/users").await.status });
    }
    assert_eq!(all.join_all().await, vec![200; count]);
    world.no_trouble();
}

/// A world behind a relay, with eight kept connections.
async fn kept_connections(first_byte: &str) -> (World, Relay) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let relay = Relay::to(listener.local_addr().unwrap()).await;
    let options = SandboxOptions {
        listener: ListenerSource::Listener(listener),
        ..SandboxOptions::default()
    };
    let plan = World::plan()
        .sandbox(options)
        .set("listen", "workers", "1")
        .set(
            "tenant.acme",
            "url",
            &format!("\"http://{}\"", relay.address),
        )
        .set("timeouts", "first_byte", first_byte);
    let world = plan.start().await;
    at_once(&world, 8).await;
    (world, relay)
}

#[tokio::test]
async fn of_kept_connections_that_fell_silent_one_costs_a_request_its_time() {
    let (world, relay) = kept_connections("\"1s\"").await;

    relay.fall_silent();

    let statuses = reads(&world, 8).await;
    assert_eq!(statuses, [504, 200, 200, 200, 200, 200, 200, 200]);
    world.end().await;
}

#[tokio::test]
async fn others_do_not_wait_until_the_first_one_has_waited_in_vain() {
    let (world, relay) = kept_connections("\"6s\"").await;

    relay.fall_silent();
    let client = world.client();
    let first = tokio::spawn(async move { client.get("reports", "/v2/users").await.status });
    until("the other connections to be given up", async || {
        relay.given_up.load(Ordering::SeqCst) >= 7
    })
    .await;

    assert_eq!(reads(&world, 3).await, [200; 3]);
    assert!(!first.is_finished());
    assert_eq!(first.await.unwrap(), 504);
    world.end().await;
}

#[tokio::test]
async fn a_shared_connection_that_fell_silent_is_replaced() {
    let trusted = Authority::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let tls = trusted.certify("localhost", &["h2", "http/1.1"]);
    let front = Front::of(listener.local_addr().unwrap(), tls).await;
    let relay = Relay::to(front.address).await;
    let options = SandboxOptions {
        listener: ListenerSource::Listener(listener),
        ..SandboxOptions::default()
    };
    let url = format!("\"https://localhost:{}\"", relay.address.port());
    let plan = World::plan()
        .sandbox(options)
        .set("listen", "workers", "1")
        .set("tenant.acme", "url", &url)
        .set("tenant.acme", "ca", &trusted.file())
        .set("timeouts", "first_byte", "\"1s\"");
    let world = plan.start().await;
    assert_eq!(reads(&world, 2).await, [200, 200]);

    relay.fall_silent();
    assert_eq!(reads(&world, 3).await, [504, 200, 200]);

    // A slow server is not a silent one: what else comes on the connection shows that.
    let before = front.accepted();
    world.trouble("{\"slow_ms\":1500,\"count\":1}");
    let client = world.client();
    let slow = tokio::spawn(async move { client.get("reports", "/v2/users").await.status });
    // The slow one has reached NinjaOne when the switch is off.
    while world.ninja().faults().current() != ninjaone_proxy::sandbox::faults::Faults::default() {
        tokio::task::yield_now().await;
    }
    assert_eq!(reads(&world, 1).await, [200]);
    assert_eq!(slow.await.unwrap(), 504);
    assert_eq!(reads(&world, 1).await, [200]);
    assert_eq!(front.accepted(), before);
    world.end().await;
}
