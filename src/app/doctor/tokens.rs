//! Checks whether tokens of our own token endpoint outlive a restart: whether the store has their key, and it can be read.

use crate::{app::wiring::open_store, config::StoreConfig, credentials::store::error::StoreError};

use super::check::{CheckName, DoctorCheck};

/// Blocks on the disk.
pub(super) fn caller_tokens(store: Option<&StoreConfig>) -> DoctorCheck {
    let name = CheckName::CallerTokens;
    let Some(store) = store else {
        return DoctorCheck::ok(
            name,
            "their key is kept in memory, because there is no `[store]`: a restart logs out every client that got one at /ws/oauth/token",
        );
    };
    let made_by_the_first_start = "the first start makes their key, and a restart keeps them";
    // Opening a store creates its directory, which would then belong to the user of this command.
    if !store.path.exists() {
        return DoctorCheck::ok(name, made_by_the_first_start);
    }
    let opened = open_store(store).map_err(|error| error.to_string());
    let found = opened.and_then(|store| store.has_caller_token_key().map_err(|error| text(&error)));
    match found {
        Ok(true) => DoctorCheck::ok(name, "their key is in the store: a restart keeps them"),
        Ok(false) => DoctorCheck::ok(name, made_by_the_first_start),
        Err(error) => DoctorCheck::warning(
            name,
            format!("their key is kept in memory, because what is stored cannot be used: {error}"),
            "Bring the file back, or give the key of the store that sealed it. Otherwise remove all files `caller-tokens.*` of the store: another key is made, and every client has to log in again.",
        ),
    }
}

fn text(error: &StoreError) -> String {
    format!("{error} ({})", error.name())
}
