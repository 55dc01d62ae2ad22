//! The outgoing proxy: found by setting or variable, and each of its failures named.

use crate::{
    authority::Authority,
    journeys::tls_front::Front,
    program::free_address,
    tinyproxy::{NINJA, Peer, Tinyproxy, WITH_USER},
};

use super::world::{Said, World, service};

/// A NinjaOne whose name only an outgoing proxy can resolve.
struct Behind {
    world: World,
    front: Front,
    trusted: Authority,
}

impl Behind {
    async fn new() -> Self {
        let world = World::new();
        let trusted = Authority::new();
        let tls = trusted.certify(NINJA, &["http/1.1"]);
        let front = Front::of(world.ninja.address(), tls).await;
        Self {
            world,
            front,
            trusted,
        }
    }

    /// With this `proxy`, as TOML, unless it is empty, and these variables.
    async fn doctor(&self, proxy: &str, environment: &[(&str, &str)]) -> Said {
        let url = format!("https://{NINJA}:{}", self.front.address.port());
        let (ca, service) = (self.trusted.file(), service());
        let proxy = match proxy {
            "" => String::new(),
            proxy => format!("proxy = {proxy}\n"),
        };
        let tenant = format!("ca = {ca}\n{proxy}{service}");
        self.world.configure_at(&url, &tenant, "");
        let said = self.world.doctor_in(environment).await;
        assert!(!said.whole.contains("hunter2"), "{}", said.whole);
        said
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_checks_go_through_the_proxy() {
    let behind = Behind::new().await;
    let proxy = Tinyproxy::start(WITH_USER);
    let address = proxy.address.to_string();
    let url = proxy.url_with_user();
    let settings = [
        (
            proxy.toml_with_user(),
            vec![("HTTPS_PROXY", "socks5://x:1")],
            "tenant.NAME.proxy",
        ),
        (String::new(), vec![("HTTPS_PROXY", &*url)], "HTTPS_PROXY"),
        (
            String::new(),
            vec![("all_proxy", &*url), ("NO_PROXY", "example.org")],
            "all_proxy",
        ),
    ];
    for (setting, environment, from) in settings {
        let said = behind.doctor(&setting, &environment).await;
        said.says("outgoing-proxy", "ok", &[&address, from, NINJA, "***@"]);
        for name in ["tls", "http", "clock-skew", "service-token"] {
            assert_eq!(said.verdict(name), "ok", "{}", said.whole);
        }
        for name in ["dns", "tcp"] {
            said.says(name, "skipped", &["the outgoing proxy does this"]);
        }
    }
    assert_eq!(proxy.targets().len() as u64, behind.front.accepted());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_exempt_is_reached_directly_which_fails_here() {
    let behind = Behind::new().await;
    let proxy = Tinyproxy::start("");
    let url = proxy.url();
    for (setting, environment) in [
        ("\"none\"", vec![("HTTPS_PROXY", &*url)]),
        ("", vec![("HTTPS_PROXY", &*url), ("NO_PROXY", ".example")]),
        (
            "",
            vec![("ALL_PROXY", &*url), ("no_proxy", "*"), ("NO_PROXY", "x")],
        ),
        ("", vec![("HTTP_PROXY", &*url), ("http_proxy", &*url)]),
    ] {
        let said = behind.doctor(setting, &environment).await;
        said.says("dns", "failed", &["has no address"]);
        assert!(!said.whole.contains("outgoing-proxy"), "{}", said.whole);
    }
    assert_eq!(proxy.targets(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_failure_of_a_proxy_is_named_with_what_to_do() {
    let behind = Behind::new().await;
    let asking = Tinyproxy::start(WITH_USER);
    let narrow = Tinyproxy::start("ConnectPort 1");
    let at = |address: &dyn std::fmt::Display| format!("{{ url = \"http://{address}\" }}");
    let answers = |answer| at(&Peer::Answers(answer).listen());
    let port = asking.address.port();
    let wrong = format!(
        "{{ url = \"http://127.0.0.1:{port}\", user = \"rmm\", password = {{ env = \"WRONG\" }} }}"
    );
    let too_long = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(16 * 1024));
    let never_final = "HTTP/1.1 102 Wait\r\n\r\n".repeat(9);
    let cases: Vec<(String, &[&str])> = vec![
        (
            at(&free_address()),
            &["refused the connection", "whether the proxy runs"],
        ),
        (
            at(&"proxy.invalid:3128"),
            &["could not be resolved", "proxy.invalid"],
        ),
        (
            at(&asking.address),
            &["asks for a user and a password", "password = { file"],
        ),
        (wrong, &["refuses the user or the password", "operator"]),
        (
            at(&narrow.address),
            &["status 403", "allow CONNECT to ninja.example:"],
        ),
        (at(&Peer::Resets.listen()), &["broke the connection"]),
        (
            answers("HTTP/1.1 200 OK\r\n\r\n"),
            &["broke the connection"],
        ),
        (
            answers("HTTP/1.1 200 OK\r\n\r\nHello"),
            &["is not an HTTP proxy"],
        ),
        (answers("\u{5}\u{0}"), &["is not an HTTP proxy", "SOCKS"]),
        (answers(too_long.leak()), &["is not an HTTP proxy"]),
        (answers(never_final.leak()), &["is not an HTTP proxy"]),
        (
            at(&Peer::Silent.listen()),
            &["took too long", "name servers"],
        ),
        (
            answers("HTTP/1.1 503 No\r\n\r\n"),
            &["status 503", "name servers"],
        ),
        (
            answers("HTTP/1.1 407 No\r\nProxy-Authenticate: NTLM\r\n\r\n"),
            &["by Basic", "Negotiate"],
        ),
    ];
    for (setting, words) in cases {
        let said = behind.doctor(&setting, &[("WRONG", "not-it")]).await;
        said.troubles(&["outgoing-proxy"]);
        said.says("outgoing-proxy", "failed", words);
        assert_eq!(said.code, 1);
        assert_eq!(said.verdict("service-token"), "skipped");
    }
    assert_eq!(behind.front.accepted(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_http_proxy_is_a_wrong_configuration_that_names_the_variable() {
    let behind = Behind::new().await;
    for (name, value, words) in [
        (
            "ALL_PROXY",
            "socks5://rmm:hunter2@proxy:1080",
            &["ALL_PROXY", "SOCKS"][..],
        ),
        (
            "https_proxy",
            "https://rmm:hunter2@proxy",
            &["https_proxy", "over http://"],
        ),
        (
            "HTTPS_PROXY",
            "http://rmm:hunter2@",
            &["HTTPS_PROXY", "a host and a port"],
        ),
    ] {
        let said = behind.doctor("", &[(name, value)]).await;
        assert_eq!(said.code, 78);
        said.says("configuration", "failed", words);
    }
    let said = behind
        .doctor("{ url = \"socks5://proxy:1080\" }", &[])
        .await;
    assert_eq!(said.code, 78);
    said.says("configuration", "failed", &["config.toml:", "SOCKS"]);
}
