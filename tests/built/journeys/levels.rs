//! How much the log says changes nothing for callers: what makes the program, or a library in it, log in the middle of a
//! request is answered at every level.

use ninjaone_proxy::sandbox::SandboxOptions;
use tokio::task::JoinSet;

use crate::wait::until;

use super::{user_login::UserLogin, world::World};

const LEVELS: [&str; 4] = ["error", "warn", "info", "debug"];

/// The catalogue gives both to the service, and NinjaOne wants a user: a worker says so in the log.
#[tokio::test]
async fn what_turns_out_to_need_a_person_is_served_at_every_level_by_a_single_worker() {
    for level in LEVELS {
        let world = World::plan()
            .sandbox(SandboxOptions {
                user_only_operations: ["getDevices", "createOrganization"]
                    .map(str::to_owned)
                    .to_vec(),
                ..SandboxOptions::default()
            })
            .user(UserLogin::LoggedIn)
            .set("listen", "workers", "1")
            .set("telemetry.log", "level", &format!("\"{level}\""))
            .start()
            .await;

        for name in ["One", "Two", "Three"] {
            world.get("reports", "/v2/devices").await.is(200);
            let made = format!("{{\"name\":\"{name}\"}}");
            let answer = world.post("operator", "/v2/organizations", &made).await;
            answer.is(200);
            world.get("reports", "/v2/users").await.is(200);
        }
        let status = world.status().await;
        let learned = status["tenants"][0]["learned_user_operations"].to_string();
        assert!(learned.contains("getDevices"), "{level}: {learned}");
        world.end().await;
    }
}

/// Renewals, refusals, reloads and troubles: each is told in the log by another part of the program.
#[tokio::test]
async fn whatever_is_told_in_the_log_requests_go_on_at_every_level() {
    for level in LEVELS {
        let world = World::plan()
            .set("telemetry.log", "level", &format!("\"{level}\""))
            .start()
            .await;
        let good = std::fs::read_to_string(world.directory().config()).unwrap();

        world.rewrite(|_| "wrong".to_owned());
        world.reload().await;
        world.rewrite(|_| good);
        world.reload().await;
        world.ninja().revoke_all_tokens();
        world.get("reports", "/v2/users").await.is(200);
        world.trouble(r#"{"token":"503"}"#);
        world.ninja().revoke_all_tokens();
        world.get("reports", "/v2/users").await;
        world.no_trouble();
        until("service", async || {
            world.get("reports", "/v2/users").await.status == 200
        })
        .await;
        let mut readers = JoinSet::new();
        for _ in 0..8 {
            let client = world.client();
            readers.spawn(async move { client.get("reports", "/v2/users").await.status });
        }
        assert_eq!(readers.join_all().await, [200; 8], "{level}");
        world.end().await;
    }
}
