//! What each setting resolves to.

use std::time::Duration;

use ninjaone_proxy::{
    config::read::sources::find_config_file, credentials::token::schedule::RenewalSchedule,
    policy::rule::Rule,
};

use super::{House, digest};

fn caller(more: &str) -> House {
    House::with_tenant(&format!("[caller.x]\nkey = \"{}\"\n{more}", digest('a')))
}

fn limit(house: &House) -> (String, u32, u32) {
    let limit = house.accepted().callers[0].limit;
    (limit.rate.to_string(), limit.burst, limit.concurrency)
}

#[test]
fn a_caller_has_the_usual_limit_if_nothing_else_is_said() {
    assert_eq!(limit(&caller("allow = [\"read\"]")), ("5/s".into(), 10, 4));
}

#[test]
fn a_limit_of_its_own_wins_over_those_of_policies_and_the_lowest_of_these_over_the_usual_one() {
    let policies = "[policy.slow]\nlimit = { rate = \"60/min\" }\n[policy.narrow]\nlimit = { rate = \"9/s\", concurrency = 2 }\n";
    let both = "policy = [\"narrow\", \"slow\"]\n";
    assert_eq!(
        limit(&caller(&format!("{both}{policies}"))),
        ("60/min".into(), 2, 2)
    );
    let own = "limit = { rate = \"20/s\" }\n";
    assert_eq!(
        limit(&caller(&format!("{both}{own}{policies}"))),
        ("20/s".into(), 40, 2)
    );
}

#[test]
fn a_burst_does_not_outlive_the_rate_that_it_was_written_for() {
    let usual = "[limits.caller]\nrate = \"5/s\"\nburst = 500\n";
    let slow = "allow = [\"read\"]\nlimit = { rate = \"1/s\" }\n";
    assert_eq!(
        limit(&caller(&format!("{slow}{usual}"))),
        ("1/s".into(), 2, 4)
    );
    let own = "allow = [\"read\"]\nlimit = { burst = 3 }\n";
    assert_eq!(
        limit(&caller(&format!("{own}{usual}"))),
        ("5/s".into(), 3, 4)
    );
}

#[test]
fn a_slow_rate_still_has_a_burst_of_one() {
    let house = caller("allow = [\"read\"]\nlimit = { rate = \"10/h\" }\n");
    assert_eq!(limit(&house), ("10/h".into(), 1, 4));
}

#[test]
fn rules_are_those_of_the_policies_and_then_its_own_with_the_place_of_each() {
    let house = caller(
        "policy = [\"p\"]\ndeny = [\n  \"dangerous\",\n]\n[policy.p]\nallow = [\"read\", \"tag:Devices\"]\n",
    );
    let config = house.accepted();
    let rules: Vec<String> = config.callers[0]
        .rules
        .iter()
        .map(|it| {
            format!(
                "{:?} {} {} {}",
                it.effect, it.selector, it.owner, it.location
            )
        })
        .collect();
    assert_eq!(
        rules,
        [
            "Allow read p config.toml:12",
            "Allow tag:Devices p config.toml:12",
            "Deny dangerous caller.x config.toml:9",
        ]
    );
}

#[test]
fn what_a_policy_requires_holds_for_its_callers() {
    let house = caller(
        "policy = [\"p\"]\n[policy.p]\nallow = [\"read\"]\nrequire_reason = true\non_behalf_of = \"required\"\n",
    );
    let config = house.accepted();
    assert!(config.callers[0].reason_required && config.callers[0].on_behalf_of_required);
}

#[test]
fn a_caller_may_use_all_tenants_unless_it_says_which() {
    let second = "[tenant.zeta]\nurl = \"http://127.0.0.1:1\"\nservice = { client_id = \"z\", client_secret = { file = \"acme.secret\" } }\n";
    assert_eq!(
        caller(&format!("allow = [\"read\"]\n{second}"))
            .accepted()
            .callers[0]
            .tenants,
        [0, 1]
    );
    let one = caller(&format!(
        "allow = [\"read\"]\ntenants = [\"zeta\"]\n{second}"
    ));
    assert_eq!(one.accepted().callers[0].tenants, [1]);
}

#[test]
fn expiry_is_the_start_of_a_day_or_a_moment() {
    for (written, moment) in [
        ("2199-03-31", "2199-03-31T00:00:00.000000Z"),
        ("\"2199-03-31\"", "2199-03-31T00:00:00.000000Z"),
        ("2199-03-31T18:00:00+02:00", "2199-03-31T16:00:00.000000Z"),
        ("2199-03-31 18:00:00Z", "2199-03-31T18:00:00.000000Z"),
    ] {
        let house = caller(&format!("allow = [\"read\"]\nexpires = {written}\n"));
        let expires = house.accepted().callers[0].expires.unwrap();
        assert_eq!(expires.to_string(), moment, "{written}");
    }
    for written in [
        "2199-03-31T18:00:00",
        "18:00:00",
        "\"soon\"",
        "\"2199-02-30\"",
        "20990331",
    ] {
        let places = caller(&format!("allow = [\"read\"]\nexpires = {written}\n")).places();
        assert!(
            places.len() == 1 && places[0].starts_with("8:11 "),
            "{written}: {places:?}"
        );
    }
}

#[test]
fn what_is_allowed_but_probably_not_meant_is_a_warning() {
    let cases = [
        (
            "[listen]\nhttp = [\"0.0.0.0:6465\"]\n",
            "keys travel unencrypted",
        ),
        (
            "[admin]\nlisten = \"0.0.0.0:6466\"\nanonymous = true\n",
            "whoever reaches `admin.listen`",
        ),
        (
            &*format!("[caller.x]\nkey = \"{}\"\n", digest('a')),
            "caller `x` is allowed nothing",
        ),
        (
            &*format!(
                "[caller.x]\nkey = \"{}\"\nallow = [\"read\"]\nexpires = 2001-01-01\n",
                digest('a')
            ),
            "have expired",
        ),
    ];
    for (more, wanted) in cases {
        let warnings = House::with_tenant(more).warnings();
        assert!(
            warnings.len() == 1 && warnings[0].contains(wanted),
            "{warnings:?}"
        );
    }
    let meant = House::with_tenant("[listen]\nhttp = [\"0.0.0.0:6465\"]\nunencrypted = true\n");
    assert_eq!(meant.warnings(), [""; 0]);
}

#[test]
fn a_tenant_s_url_is_an_origin_and_nothing_more() {
    let tenant = |url: &str| {
        House::new(&format!(
            "[tenant.t]\nurl = \"{url}\"\nservice = {{ client_id = \"x\", client_secret = {{ file = \"acme.secret\" }} }}\n"
        ))
    };
    for (url, wanted) in [
        (
            "https://Acme.rmmservice.com",
            (true, "acme.rmmservice.com", 443),
        ),
        (
            "https://acme.rmmservice.com:8443/",
            (true, "acme.rmmservice.com", 8443),
        ),
        ("http://localhost:6469", (false, "localhost", 6469)),
        ("http://[::1]:6469", (false, "::1", 6469)),
    ] {
        let origin = &tenant(url).accepted().tenants[0].origin;
        assert_eq!((origin.tls, origin.host.as_str(), origin.port), wanted);
    }
    for url in [
        "http://acme.rmmservice.com",
        "ftp://acme.rmmservice.com",
        "acme.rmmservice.com",
        "https://acme.rmmservice.com/v2",
        "https://acme.rmmservice.com?x=1",
        "https://u:p@acme.rmmservice.com",
        "https://",
        "https://a b",
        "https://acme.rmmservice.com:0",
        "https://acme.rmmservice.com:99999",
        "http://127.0.0.1.evil.example",
    ] {
        let places = tenant(url).places();
        assert!(
            places.len() == 1 && places[0].starts_with("2:7 "),
            "{url}: {places:?}"
        );
    }
}

#[test]
fn renewal_is_a_share_of_a_token_s_life_or_a_time_before_its_end() {
    let tenant = |refresh: &str| {
        House::new(&format!(
            "[tenant.t]\nregion = \"jp\"\n[tenant.t.service]\nclient_id = \"x\"\nclient_secret = {{ file = \"acme.secret\" }}\nrefresh_at = \"{refresh}\"\n"
        ))
    };
    let refresh = |text: &str| {
        tenant(text).accepted().tenants[0]
            .service
            .as_ref()
            .unwrap()
            .refresh_at
    };
    assert_eq!(refresh("95%"), RenewalSchedule::AtLifetimePercent(95));
    assert_eq!(
        refresh("5m"),
        RenewalSchedule::BeforeExpiry(Duration::from_mins(5))
    );
    for wrong in ["96%", "0%", "0s", "soon", "80"] {
        assert!(tenant(wrong).places()[0].starts_with("6:14 "), "{wrong}");
    }
}

#[test]
fn the_fingerprint_changes_with_the_settings_and_with_nothing_else() {
    let one = House::with_tenant("").accepted().fingerprint;
    assert_eq!(one.len(), 64);
    assert_eq!(
        one,
        House::with_tenant("# a remark\n").accepted().fingerprint
    );
    assert_ne!(
        one,
        House::with_tenant("[retry]\nattempts = 2\n")
            .accepted()
            .fingerprint
    );
}

#[test]
fn everything_that_was_read_is_watched() {
    let house = House::with_tenant("");
    house.write(
        "callers.d/x.toml",
        &format!(
            "[caller.x]\nkey = \"{}\"\nallow = [\"read\"]\n",
            digest('a')
        ),
    );
    let watched = house.accepted().watched_paths;
    for name in [
        "config.toml",
        "callers.d",
        "callers.d/x.toml",
        "acme.secret",
    ] {
        assert!(watched.contains(&house.path(name)), "{name}: {watched:?}");
    }
}

#[test]
fn a_missing_file_names_all_places_that_were_looked_at() {
    let environment: Vec<(String, String)> = [
        ("CONFIGURATION_DIRECTORY", "/nonexistent/a:/nonexistent/b"),
        ("HOME", "/nonexistent/h"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    let problems = find_config_file(None, &environment)
        .unwrap_err()
        .to_string();
    for place in [
        "/nonexistent/a/config.toml",
        "/nonexistent/b/config.toml",
        "/nonexistent/h/.config/ninjaone-proxy/config.toml",
        "/etc/ninjaone-proxy/config.toml",
    ] {
        assert!(problems.contains(place), "{problems}");
    }
}

#[test]
fn files_that_are_too_long_or_not_text_are_refused() {
    let house = House::new(&"#".repeat(1024 * 1024 + 1));
    assert!(
        house
            .refused()
            .to_string()
            .contains("longer than 1048576 bytes")
    );
    house.write_mode("config.toml", b"a = \"\xff\"", 0o644);
    assert!(house.refused().to_string().contains("is not UTF-8"));
}

#[test]
fn the_identity_of_a_caller_goes_over_those_of_its_policies() {
    let policies =
        "[policy.p]\nallow = [\"read\"]\nidentity = \"user\"\n[policy.q]\nallow = [\"write\"]\n";
    let pins = |own: &str| {
        let house = caller(&format!("policy = [\"p\", \"q\"]\n{own}\n{policies}"));
        let rules = house.accepted().callers[0].rules.clone();
        let pin = |rule: &Rule| {
            let pin = rule.identity_pin.as_ref()?;
            Some(format!("{} {}", pin.owner, pin.identity))
        };
        rules.iter().map(pin).collect::<Vec<_>>()
    };
    assert_eq!(pins(""), [Some("p user".to_owned()), None]);
    let own = Some("caller.x service".to_owned());
    assert_eq!(pins("identity = \"service\""), [own.clone(), own]);
}

#[test]
fn operations_that_are_added_can_be_selected() {
    let operation = "[[operation]]\nmethod = \"GET\"\npath = \"/v2/some/new/{thing}\"\nid = \"getSomeNewThing\"\nclass = \"read\"\nscope = \"monitoring\"\n";
    let house = caller(&format!(
        "allow = [\"getSomeNewThing\", \"tag:added\", \"GET /v2/some/**\"]\n{operation}"
    ));
    let config = house.accepted();
    assert_eq!(config.operations.len(), 1);
    assert_eq!(&*config.operations[0].parameters[0].name, "thing");
}

#[test]
fn ten_thousand_callers_in_a_thousand_files_load_and_one_more_is_refused() {
    let house = House::with_tenant("[policy.p]\nallow = [\"read\"]\n");
    let caller = |number: usize| {
        format!("[caller.c{number}]\nkey = \"sha256:{number:064x}\"\npolicy = [\"p\"]\n")
    };
    for file in 0..1000 {
        let callers: String = (file * 10..file * 10 + 10).map(caller).collect();
        house.write(&format!("callers.d/{file:04}.toml"), &callers);
    }
    assert_eq!(house.accepted().callers.len(), 10_000);
    house.write(
        "callers.d/0000.toml",
        &(0..10).chain([10_000]).map(caller).collect::<String>(),
    );
    assert!(
        house
            .refused()
            .to_string()
            .contains("more than 10000 callers")
    );
    house.write("callers.d/more.toml", "");
    assert!(house.refused().to_string().contains("more than 1000 files"));
}

#[test]
fn every_list_has_a_bound() {
    let many = |text: &str, count: usize| vec![text; count].join(", ");
    let rules = caller(&format!("allow = [{}]\n", many("\"read\"", 1001))).places();
    assert!(
        rules.len() == 1 && rules[0].contains("at most 1000"),
        "{rules:?}"
    );

    let digests: Vec<String> = (0..17)
        .map(|number| format!("\"sha256:{number:064x}\""))
        .collect();
    let keys = format!(
        "[caller.x]\nkey = [{}]\nallow = [\"read\"]\n",
        digests.join(", ")
    );
    let keys = House::with_tenant(&keys).places();
    assert!(
        keys.len() == 1 && keys[0].contains("at most 16 keys"),
        "{keys:?}"
    );

    let unknown: Vec<String> = (0..1500)
        .map(|number| format!("unknown{number} = 1"))
        .collect();
    let problems = House::new(&unknown.join("\n")).places();
    assert_eq!(problems.len(), 1001);
    assert!(
        problems[1000].contains("more problems are not shown"),
        "{}",
        problems[1000]
    );
}

#[test]
fn the_reserve_of_the_audit_log_is_a_part_of_its_room() {
    for (written, at) in [
        ("max_total = \"1MiB\"\n", "max_total"),
        ("max_total = \"1MiB\"\nreserve = \"1MiB\"\n", "reserve"),
    ] {
        let problems = House::with_tenant(&format!("[audit]\n{written}")).refused();
        let text = problems.to_string();
        assert!(text.contains("so it must be smaller"), "{text}");
        assert!(text.contains(at), "{text}");
    }
    let config =
        House::with_tenant("[audit]\nmax_total = \"1MiB\"\nreserve = \"64KiB\"\n").accepted();
    assert_eq!(
        (config.audit.total_bytes_max, config.audit.reserve_bytes),
        (1 << 20, 64 << 10)
    );
}

#[test]
fn ipv6_is_listened_on_beside_defaults_alone() {
    let config = House::with_tenant("").accepted();
    assert_eq!(config.listen.http_ipv6, "[::1]:6465".parse().ok());
    assert_eq!(config.admin.listen_ipv6, "[::1]:6466".parse().ok());

    let chosen = "[listen]\nhttp = [\"127.0.0.1:6465\"]\n[admin]\nlisten = \"127.0.0.1:6466\"\n";
    let config = House::with_tenant(chosen).accepted();
    assert_eq!(
        (config.listen.http_ipv6, config.admin.listen_ipv6),
        (None, None)
    );
}
