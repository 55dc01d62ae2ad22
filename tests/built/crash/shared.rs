//! Many programs share one store: one of them renews, and all have the token.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::task::JoinHandle;

use super::{
    running::{Callers, Running},
    world::{World, is_long, until},
};

const PROGRAMS: usize = 8;

const LIFE: Duration = Duration::from_secs(8);

/// A caller's pause between two requests.
const PAUSE: Duration = Duration::from_millis(50);

/// A caller that stops when told to; the answers that it got besides successes.
struct Load {
    stop: Arc<AtomicBool>,
    task: JoinHandle<Vec<String>>,
}

impl Load {
    fn start(callers: Callers) -> Self {
        let stop = Arc::<AtomicBool>::default();
        let told = Arc::clone(&stop);
        let task = tokio::spawn(async move {
            let mut failed = Vec::new();
            while !told.load(Ordering::Relaxed) {
                let answer = callers.user_request().await;
                match answer {
                    Some(answer) if answer.status == 204 => {}
                    Some(answer) => failed.push(answer.text()),
                    None => failed.push("no answer".to_owned()),
                }
                tokio::time::sleep(PAUSE).await;
            }
            failed
        });
        Self { stop, task }
    }

    async fn ends(self) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.unwrap()
    }
}

/// The process that holds the lock of the login, as the kernel says.
fn holder(world: &World) -> Option<u32> {
    let inode = fs::metadata(world.store_path().join("acme.user.lock"));
    let file = format!(":{}", inode.unwrap().ino());
    let locks = fs::read_to_string("/proc/locks").unwrap();
    let fields = locks
        .lines()
        .map(|it| it.split_whitespace().collect::<Vec<_>>());
    let mut ours = fields.filter(|it| it[1] == "FLOCK" && it[5].ends_with(&file));
    ours.next()?[4].parse().ok()
}

#[tokio::test]
async fn of_eight_programs_one_renews_and_another_goes_on_where_it_is_killed() {
    let world = World::new(LIFE);
    world.log_in(true).await;
    world.trouble(r#"{"token":"slow:5000"}"#);
    let mut programs = Vec::new();
    for number in 0..PROGRAMS {
        let house = world.house(&format!("program-{number}")).refresh_at("50%");
        let proxy = Running::start(&house).await;
        let load = Load::start(proxy.callers());
        programs.push((proxy, load));
    }
    let generations = if is_long() { 6 } else { 2 };
    until("some generations", async || {
        world.ninja.counts().rotations >= generations
    })
    .await;
    let counts = world.ninja.counts();
    assert_eq!(counts.token_calls.refresh_token, counts.rotations);

    // The next one is killed before NinjaOne does anything.
    world.trouble(r#"{"token":"slow_start:5000"}"#);
    let calls = || world.ninja.counts().token_calls.refresh_token;
    until("another call", async || calls() > counts.rotations).await;
    let rotations = world.ninja.counts().rotations;
    let holder = holder(&world).expect("somebody holds the lock");
    let at = programs
        .iter()
        .position(|it| it.0.program.id() == holder)
        .unwrap();
    let (killed, load) = programs.swap_remove(at);
    killed.kill().await;
    drop(load.ends().await);
    until("a renewal by another", async || {
        world.ninja.counts().rotations > rotations
    })
    .await;

    world.no_trouble();
    for (proxy, load) in programs {
        until("service", async || proxy.succeeds_as_user().await).await;
        assert_eq!(load.ends().await, Vec::<String>::new(), "{}", proxy.log());
        proxy.stop().await;
    }
    let counts = world.ninja.counts();
    assert_eq!(
        counts.token_calls.refresh_token,
        counts.rotations + 1,
        "but for the killed one each call counts"
    );
    assert_eq!(counts.reuses, 0);
    assert_eq!(world.kept().generation, world.newest());
}
