//! What became of a login after the program was killed.

use super::{
    running::{Running, token_events},
    world::{House, World, until},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It was renewed again, and requests as the user succeed.
    GoesOn,
    /// NinjaOne had exchanged its refresh token and the answer was not on disk: it is named as lost.
    Lost,
}

/// Starts the program again with the same store, and finds out. There is no third way.
pub(crate) async fn find_out(world: &World, house: &House) -> Fate {
    let left = world.kept();
    let reuses = world.ninja.counts().reuses;
    let losses = || {
        let events = token_events(&house.audit());
        events.iter().filter(|it| *it == "login-lost-crash").count()
    };
    let losses_before = losses();
    let proxy = Running::start(&house.clone().refresh_at("1%")).await;
    let mut fate = None;
    until("the login to go on or to be lost", async || {
        let now = world.kept();
        if now.ended.is_some() {
            fate = Some(Fate::Lost);
        } else if now.generation > left.generation && proxy.succeeds_as_user().await {
            fate = Some(Fate::GoesOn);
        }
        fate.is_some()
    })
    .await;
    let fate = fate.unwrap();
    match fate {
        Fate::GoesOn => {
            proxy.stop().await;
            let now = world.kept();
            assert_eq!(world.ninja.counts().reuses, reuses);
            assert_eq!(now.generation, world.newest(), "the newest is on disk");
            assert!(now.renewal_marker.is_none() && now.ended.is_none());
        }
        Fate::Lost => {
            assert_eq!(world.kept().ended.unwrap().reason, "login-lost-crash");
            assert!(left.renewal_marker.is_some(), "no token call was under way");
            assert_eq!(left.generation + 1, world.newest(), "one answer is lost");
            assert_eq!(world.ninja.counts().reuses, reuses + 1, "tried once");
            until("the loss on record", async || losses() > losses_before).await;
            let identity = proxy.status().await["tenants"][0]["identities"][0].clone();
            let told = identity["last_error"].as_str().unwrap_or_default();
            assert!(told.contains("before the answer was on disk"), "{identity}");
            let code = proxy.exit_code_of_status().await;
            assert!(code == Some(4) || code == Some(6), "{code:?}");
            proxy.stop().await;
        }
    }
    fate
}
