//! The way out of a tenant: `tenant.NAME.proxy` and the variables that are asked without it.

use ninjaone_proxy::config::way_out::WayOut;

use super::{House, TENANT};

fn house(proxy: &str) -> House {
    House::new(&format!("{TENANT}proxy = {proxy}\n"))
}

fn way_out(house: &House) -> WayOut {
    house.accepted().tenants[0].origin.way_out.clone()
}

#[test]
fn a_proxy_has_a_url_and_perhaps_a_user() {
    let shown = |house: &House| way_out(house).proxy().map(ToString::to_string);
    let plain = house("{ url = \"http://Proxy.Example:3128/\" }");
    assert_eq!(shown(&plain).as_deref(), Some("http://proxy.example:3128"));
    let with_user = house(
        "{ url = \"http://[2001:db8::1]:3128\", user = \"rmm\", password = { file = \"acme.secret\" } }",
    )
    .set("HTTPS_PROXY", "http://other:1");
    assert_eq!(
        shown(&with_user).as_deref(),
        Some("http://***@[2001:db8::1]:3128")
    );
    assert_eq!(way_out(&with_user).source(), "tenant.NAME.proxy");
    let variable = House::new(TENANT).set(
        "NJP__TENANT__ACME__PROXY",
        "{ url = \"http://proxy:8080\" }",
    );
    assert_eq!(shown(&variable).as_deref(), Some("http://proxy:8080"));
}

#[test]
fn none_is_a_word_that_wins_over_variables() {
    let house = house("\"none\"").set("HTTPS_PROXY", "socks5://x");
    assert_eq!(way_out(&house), WayOut::DirectBySetting);
}

#[test]
fn a_file_that_holds_the_password_is_watched() {
    let house = house("{ url = \"http://p:1\", user = \"u\", password = { file = \"pw\" } }");
    house.write_mode("pw", "quite secret", 0o600);
    assert!(house.accepted().watched_paths.contains(&house.path("pw")));
}

#[test]
fn a_proxy_for_a_loopback_address_is_not_used_which_is_a_warning() {
    let house = House::new(
        "[tenant.acme]\nurl = \"http://127.0.0.1:1\"\nproxy = { url = \"http://p:1\" }\n\
         service = { client_id = \"Xk3v\", client_secret = { file = \"acme.secret\" } }\n",
    );
    assert_eq!(way_out(&house), WayOut::Loopback);
    let warnings = house.warnings();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("loopback"), "{warnings:?}");
}

/// What may not be written, and what is said of it first.
const WRONG: &[(&str, &str)] = &[
    (
        "\"http://u:hunter2@p:1\"",
        "5:9 a proxy is a table with a `url`",
    ),
    ("\"NONE\"", "5:9 a proxy is a table with a `url`"),
    (
        "[\"http://u:hunter2@p:1\"]",
        "5:9 expected text in quotes or a table",
    ),
    (
        "{ url = \"http://u:hunter2@p:1\" }",
        "5:17 user and password are not written",
    ),
    (
        "{ url = \"http://u:hunt/er2@p:1\" }",
        "5:17 a proxy's url is http://",
    ),
    (
        "{ url = \"socks5://u:hunter2@p:1\" }",
        "5:17 SOCKS proxies are not supported",
    ),
    (
        "{ url = \"socks5h://p:1080\" }",
        "5:17 SOCKS proxies are not supported",
    ),
    (
        "{ url = \"https://p:1\" }",
        "5:17 a proxy is spoken to over http://",
    ),
    ("{ url = \"gopher://p:1\" }", "5:17 \"gopher\" is no scheme"),
    (
        "{ url = \"http://p\" }",
        "5:17 a proxy's url names its port",
    ),
    (
        "{ url = \"http://p:1/path\" }",
        "5:17 a proxy's url is http://",
    ),
    (
        "{ url = \"http://p q:1\" }",
        "5:17 a proxy's url is http://",
    ),
    (
        "{ user = \"u\" }",
        "5:1 `password` is missing in `tenant.acme.proxy`",
    ),
    (
        "{ url = \"http://p:1\", user = \"u\" }",
        "5:1 `password` is missing",
    ),
    (
        "{ url = \"http://p:1\", password = { file = \"acme.secret\" } }",
        "5:1 `user` is missing",
    ),
    (
        "{ url = \"http://p:1\", user = \"u:v\", password = { file = \"acme.secret\" } }",
        "5:38 a user's name has no colon",
    ),
    (
        "{ url = \"http://p:1\", user = \"u\", password = \"hunter2\" }",
        "5:54 a secret must not stand in the configuration itself",
    ),
    (
        "{ url = \"http://u:hunter2@p:1\", usr = \"u\" }",
        "5:17 user and password are not written",
    ),
];

#[test]
fn what_is_wrong_is_named_at_its_place_and_shows_no_password() {
    for (proxy, place) in WRONG {
        let house = house(proxy);
        let places = house.places();
        assert!(places[0].starts_with(place), "{proxy}: {places:?}");
        let told = house.refused().to_string();
        assert!(!told.contains("hunter2") && !told.contains("er2"), "{told}");
    }
}

#[test]
fn a_variable_that_names_no_http_proxy_is_one_error_with_its_name_and_without_its_password() {
    let two = format!("{TENANT}{}", TENANT.replace("acme]", "globex]"));
    let house = House::new(&two).set("ALL_PROXY", "socks5://u:hunter2@p:1080");
    let problems = house.refused();
    let [only] = problems.as_slice() else {
        panic!("{problems}");
    };
    assert_eq!(only.location(), "ALL_PROXY");
    assert!(only.message.starts_with("\"socks5://***@p:1080\": SOCKS"));
    assert!(
        only.hint
            .as_deref()
            .unwrap()
            .contains("in [tenant.NAME], which wins over ALL_PROXY")
    );
    assert!(!problems.to_string().contains("hunter2"));
}

/// The proxy's variable and the address that curl connects to for `https://HOST`, by what it says of itself.
fn curls_way(host: &str, variables: &[(&str, &str)]) -> (Option<String>, Option<String>) {
    let mut curl = std::process::Command::new("curl");
    curl.env_clear().envs(variables.iter().copied());
    // Directly, it would connect to a port where nobody listens as well.
    let known = format!("{host}:443:127.0.0.3");
    curl.args(["-sv", "--max-time", "5", "--resolve", &known]);
    let output = curl.arg(format!("https://{host}")).output();
    let said = output.expect("curl is there").stderr;
    let said = String::from_utf8_lossy(&said).into_owned();
    let named = said
        .lines()
        .filter_map(|line| line.split_once("proxy env variable ")?.1.split(' ').next());
    let mut proxies = named.filter(|it| !it.eq_ignore_ascii_case("no_proxy"));
    let mut tried = said
        .lines()
        .filter_map(|line| line.split_once("Trying ")?.1.split("...").next());
    (
        proxies.next().map(str::to_owned),
        tried.next().map(str::to_owned),
    )
}

/// Reads the environment as the program does, and lets curl read it.
fn is_read_alike(host: &str, variables: &[(&str, &str)]) {
    let mut house = House::new(&format!(
        "[tenant.acme]\nurl = \"https://{host}\"\n\
         service = {{ client_id = \"Xk3v\", client_secret = {{ file = \"acme.secret\" }} }}\n"
    ));
    for (name, value) in variables {
        house = house.set(name, value);
    }
    let way_out = way_out(&house);
    let (by, tried) = curls_way(host, variables);
    let ours = way_out.proxy().map(|_| way_out.source());
    assert_eq!(ours, by.as_deref(), "{host} {variables:?}");
    if let Some(proxy) = way_out.proxy() {
        let ours = format!("{}:{}", proxy.host(), proxy.port());
        assert_eq!(Some(ours), tried, "{host} {variables:?}");
    }
}

/// Names, `*`, dots, commas, networks, both cases, empty ones and the default port; not what differs between curl's own
/// versions (blanks, IPv6).
#[test]
fn the_environment_is_read_as_curl_reads_it() {
    const P: &str = "http://127.0.0.1:9";
    const Q: &str = "http://127.0.0.2:9";
    let exempting = [
        "*",
        "b, *",
        "*.example",
        ".example",
        "example",
        "example.",
        "me.example",
        "acme.example",
        "ACME.EXAMPLE",
        ".acme.example",
        "www.acme.example",
        "acme.example:443",
        "b,,acme.example",
        ",",
        "192.0.2.7",
    ];
    let mut cases: Vec<(&str, Vec<(&str, &str)>)> = vec![
        ("acme.example", vec![]),
        (
            "acme.example",
            vec![("https_proxy", ""), ("HTTPS_PROXY", P)],
        ),
        ("acme.example", vec![("https_proxy", P), ("HTTPS_PROXY", Q)]),
        ("acme.example", vec![("ALL_PROXY", Q), ("all_proxy", P)]),
        ("acme.example", vec![("all_proxy", Q), ("HTTPS_PROXY", P)]),
        ("acme.example", vec![("HTTP_PROXY", P), ("http_proxy", P)]),
        ("acme.example", vec![("ALL_PROXY", "127.0.0.1")]),
        (
            "acme.example",
            vec![("ALL_PROXY", "http://u:p%40@127.0.0.1:9/path?x")],
        ),
        (
            "acme.example",
            vec![("ALL_PROXY", P), ("no_proxy", ""), ("NO_PROXY", "example")],
        ),
        (
            "acme.example",
            vec![("ALL_PROXY", P), ("no_proxy", "b"), ("NO_PROXY", "example")],
        ),
        (
            "192.0.2.7",
            vec![("ALL_PROXY", P), ("NO_PROXY", "192.0.2.0/24")],
        ),
        (
            "192.0.2.7",
            vec![("ALL_PROXY", P), ("NO_PROXY", "192.0.2.8/29")],
        ),
        (
            "192.0.2.7",
            vec![("ALL_PROXY", P), ("NO_PROXY", "192.0.2.7")],
        ),
        ("192.0.2.7", vec![("ALL_PROXY", P), ("NO_PROXY", "0.2.7")]),
    ];
    cases.extend(exempting.map(|it| ("acme.example", vec![("ALL_PROXY", P), ("NO_PROXY", it)])));
    for (host, variables) in cases {
        is_read_alike(host, &variables);
    }
}
