//! What `sandbox --only-ninjaone` says first: where the simulator listens, its applications, and requests to try.

use std::{fmt::Write, net::SocketAddr, path::Path};

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

/// The simulator as it listens.
pub(super) struct SimulatorGreeting<'a> {
    pub(super) address: SocketAddr,
    /// The file with its certificate, if it speaks TLS.
    pub(super) certificate: Option<&'a Path>,
}

impl SimulatorGreeting<'_> {
    fn url(&self) -> String {
        let scheme = self.certificate.map_or("http", |_| "https");
        format!("{scheme}://{}", self.address)
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let url = self.url();
        let mut text = format!("# simulated NinjaOne on {url}\n#\n");
        // Writing to a String does not fail.
        let _ = writeln!(
            text,
            "#   {:<14}{:<16}client secret",
            "platform", "client id"
        );
        for (platform, id, secret) in APPLICATIONS {
            let _ = writeln!(text, "#   {platform:<14}{id:<16}{}", secret.unwrap_or("-"));
        }
        text.push_str("#\n");
        if let Some(path) = self.certificate {
            let _ = writeln!(text, "export CURL_CA_BUNDLE={}", path.display());
        }
        let requests = [
            format!(
                "curl -d grant_type=client_credentials -d client_id={DEFAULT_CLIENT_ID} \\\n  -d client_secret={DEFAULT_CLIENT_SECRET} {url}/ws/oauth/token"
            ),
            format!("curl -d '{{\"client_id\":\"{NATIVE_CLIENT_ID}\"}}' {url}/sandbox/logins"),
            format!("curl {url}/sandbox/requests"),
            format!("curl {url}/sandbox/counts"),
            format!("curl -d '{{\"throttle\":\"html\",\"count\":3}}' {url}/sandbox/faults"),
        ];
        let _ = writeln!(text, "{}\n# Ctrl-C stops it.", requests.join("\n"));
        text
    }

    /// For programs: one object.
    pub(super) fn json(&self) -> String {
        let applications: Vec<Value> = APPLICATIONS
            .iter()
            .map(|(platform, id, secret)| {
                json!({"platform": platform, "client_id": id, "client_secret": secret})
            })
            .collect();
        let mut object = json!({
            "schema": "simulator/1",
            "ninjaone": self.url(),
            "applications": applications,
        });
        if let Some(path) = self.certificate {
            object["certificate"] = path.to_string_lossy().into();
        }
        format!("{object}\n")
    }
}
