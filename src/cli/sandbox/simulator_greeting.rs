//! What `sandbox --only-ninjaone` says first: where the simulator listens, its applications, and requests to try.

use std::{fmt::Write, net::SocketAddr};

use serde_json::{Value, json};

use crate::sandbox::{
    DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, NATIVE_CLIENT_ID, SINGLE_PAGE_CLIENT_ID,
    WEB_CLIENT_ID, WEB_CLIENT_SECRET,
};

/// Platform, client id and secret of each.
const APPLICATIONS: [(&str, &str, Option<&str>); 4] = [
    (
        "API Services",
        DEFAULT_CLIENT_ID,
        Some(DEFAULT_CLIENT_SECRET),
    ),
    ("Web", WEB_CLIENT_ID, Some(WEB_CLIENT_SECRET)),
    ("Native", NATIVE_CLIENT_ID, None),
    ("Single Page", SINGLE_PAGE_CLIENT_ID, None),
];

/// For people.
pub(super) fn text(address: SocketAddr) -> String {
    let mut text = format!("# simulated NinjaOne on http://{address}\n#\n");
    // Writing to a String does not fail.
    let _ = writeln!(
        text,
        "#   {:<14}{:<16}client secret",
        "platform", "client id"
    );
    for (platform, id, secret) in APPLICATIONS {
        let _ = writeln!(text, "#   {platform:<14}{id:<16}{}", secret.unwrap_or("-"));
    }
    let requests = [
        format!(
            "curl -d grant_type=client_credentials -d client_id={DEFAULT_CLIENT_ID} \\\n  -d client_secret={DEFAULT_CLIENT_SECRET} http://{address}/ws/oauth/token"
        ),
        format!(
            "curl -d '{{\"client_id\":\"{NATIVE_CLIENT_ID}\"}}' http://{address}/sandbox/logins"
        ),
        format!("curl http://{address}/sandbox/requests"),
        format!("curl http://{address}/sandbox/counts"),
        format!("curl -d '{{\"throttle\":\"html\",\"count\":3}}' http://{address}/sandbox/faults"),
    ];
    let _ = writeln!(text, "#\n{}\n# Ctrl-C stops it.", requests.join("\n"));
    text
}

/// For programs: one object.
pub(super) fn json(address: SocketAddr) -> String {
    let applications: Vec<Value> = APPLICATIONS
        .iter()
        .map(|(platform, id, secret)| {
            json!({"platform": platform, "client_id": id, "client_secret": secret})
        })
        .collect();
    let object = json!({
        "schema": "simulator/1",
        "ninjaone": format!("http://{address}"),
        "applications": applications,
    });
    format!("{object}\n")
}
