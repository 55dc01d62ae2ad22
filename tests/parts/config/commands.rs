//! The commands `config` and `caller`.

use clap::Parser;
use ninjaone_proxy::cli::{
    caller::{self, CallerArgs},
    config::{self, ConfigArgs, ConfigContext},
};
use ninjaone_proxy::config::value::key_digest;
use serde_json::Value;

use super::{House, digest, known};

#[derive(Parser)]
struct Line {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Config(ConfigArgs),
    Caller(CallerArgs),
}

struct Answer {
    exit: u8,
    out: String,
    err: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap()
    }
}

fn run(house: &House, json: bool, words: &[&str]) -> Answer {
    let line = Line::try_parse_from(["ninjaone-proxy"].iter().chain(words)).unwrap();
    let file = house.path("config.toml");
    let known = known();
    let around = ConfigContext {
        file: Some(&file),
        is_file_given: true,
        no_file: None,
        json,
        environment: house.environment.clone(),
        operations: &known,
    };
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let exit = match &line.command {
        Command::Config(args) => config::run(args, &around, &mut out, &mut err),
        Command::Caller(args) => caller::run(args, &around, &mut out, &mut err),
    };
    Answer {
        exit: exit.unwrap().into(),
        out: String::from_utf8(out).unwrap(),
        err: String::from_utf8(err).unwrap(),
    }
}

#[test]
fn check_says_that_all_is_well() {
    let answer = run(&House::with_tenant(""), false, &["config", "check"]);
    assert_eq!((answer.exit, answer.err.as_str()), (0, ""));
    let is = "config.toml is valid: 1 tenant, no callers yet. Next: ninjaone-proxy caller add NAME --allow read";
    assert!(answer.out.contains(is), "{}", answer.out);
}

#[test]
fn check_puts_problems_on_stderr_and_the_count_on_stdout() {
    let house = House::with_tenant(
        "[listen]\ndrain = \"soon\"\nworkers = 0\n[admin]\nanonymous = true\nlisten = \"0.0.0.0:1\"\n",
    );
    let answer = run(&house, false, &["config", "check"]);
    assert_eq!(
        (answer.exit, answer.out.as_str()),
        (78, "2 errors, 1 warning\n")
    );
    assert!(answer.err.contains("config.toml:6:9\n"), "{}", answer.err);
}

#[test]
fn check_as_json_has_all_problems_with_their_places() {
    let house = House::with_tenant("[listen]\ndrian = \"5s\"\n").set("NJP__LISTEN__DRAIN", "soon");
    let answer = run(&house, true, &["config", "check"]).json();
    assert_eq!(answer["schema"], "config-check/1");
    assert_eq!(answer["ok"], false);
    assert_eq!(answer["problems"][0]["line"], 6);
    assert_eq!(answer["problems"][0]["column"], 1);
    assert_eq!(answer["problems"][0]["hint"], "did you mean `drain`?");
    assert_eq!(answer["problems"][1]["file"], "NJP__LISTEN__DRAIN");
    assert_eq!(answer["problems"][1]["line"], Value::Null);
    assert_eq!(
        run(&House::with_tenant(""), true, &["config", "check"]).json()["ok"],
        true
    );
}

#[test]
fn check_for_github_marks_the_lines_and_escapes_the_texts() {
    let house = House::with_tenant("[listen]\ndrian = \"5s\"\n").set("NJP__LISTEN__DRAIN", "50%");
    let words = ["config", "check", "--format", "github"];
    let answer = run(&house, false, &words);
    assert_eq!((answer.exit, answer.err.as_str()), (78, ""));
    let lines: Vec<&str> = answer.out.lines().collect();
    assert_eq!(lines.len(), 2, "{}", answer.out);
    assert!(lines[0].starts_with("::error file="), "{}", lines[0]);
    assert!(
        lines[0].contains("config.toml,line=6,col=1::"),
        "{}",
        lines[0]
    );
    assert!(
        lines[0].ends_with("%0Ahelp: did you mean `drain`?"),
        "{}",
        lines[0]
    );
    assert!(
        lines[1].starts_with("::error title=NJP__LISTEN__DRAIN::"),
        "{}",
        lines[1]
    );
    let well = run(&House::with_tenant(""), false, &words);
    assert_eq!((well.exit, well.out.as_str()), (0, ""));
    assert_eq!(run(&house, true, &words).exit, 2);
}

#[test]
fn check_of_a_missing_file_names_it() {
    let house = House::new("");
    std::fs::remove_file(house.path("config.toml")).unwrap();
    let answer = run(&house, false, &["config", "check"]);
    assert_eq!(answer.exit, 78);
    assert!(answer.err.contains("config.toml"), "{}", answer.err);
}

#[test]
fn show_gives_the_origin_of_every_setting_and_no_secret() {
    let caller = format!(
        "[caller.x]\nkey = [\"{}\"]\nallow = [\"read\"]\n",
        digest('a')
    );
    let house = House::with_tenant(&caller).set("NJP__LISTEN__DRAIN", "5s");
    let answer = run(&house, false, &["config", "show"]);
    assert_eq!(answer.exit, 0, "{}", answer.err);
    let line = |start: &str| {
        let found = answer.out.lines().find(|line| line.starts_with(start));
        found
            .unwrap_or_else(|| panic!("{start}: {}", answer.out))
            .to_owned()
    };
    assert!(line("listen.drain = \"5s\"").ends_with("# NJP__LISTEN__DRAIN"));
    assert!(line("listen.max_body = \"16MiB\"").ends_with("# default"));
    assert!(line("tenant.acme.region = \"eu\"").ends_with("config.toml:3"));
    assert!(
        line("tenant.acme.service.client_secret = \"••• (file acme.secret)\"")
            .ends_with("config.toml:4")
    );
    assert!(line("caller.x.key = [\"sha256:aaaaaaaa…\"]").ends_with("config.toml:6"));
    assert!(!answer.out.contains("a secret for tests") && !answer.out.contains(&digest('a')));
    assert_eq!(
        run(&house, true, &["config", "show"]).json()["schema"],
        "config-show/1"
    );
}

#[test]
fn show_says_how_each_tenant_is_reached_and_who_says_so() {
    let shown = |house: &House| {
        let answer = run(house, false, &["config", "show"]);
        assert_eq!(answer.exit, 0, "{}", answer.err);
        assert!(!answer.out.contains("hunter2"), "{}", answer.out);
        let lines = answer.out.lines();
        let lines = lines.filter(|line| line.starts_with("tenant.acme.proxy"));
        let squeezed = lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
        squeezed.collect::<Vec<_>>()
    };
    let file = |house: &House| house.path("config.toml").display().to_string();

    let house = House::with_tenant("");
    assert_eq!(shown(&house), ["tenant.acme.proxy = \"none\" # default"]);
    let house = house.set("all_proxy", "u:hunter2@proxy:3128");
    assert_eq!(
        shown(&house),
        ["tenant.acme.proxy = \"http://***@proxy:3128\" # all_proxy"]
    );
    let house = house.set("NO_PROXY", ".ninjarmm.com");
    assert_eq!(shown(&house), ["tenant.acme.proxy = \"none\" # NO_PROXY"]);
    let house = House::with_tenant("proxy = \"none\"\n").set("ALL_PROXY", "http://proxy:1");
    assert_eq!(
        shown(&house),
        [format!("tenant.acme.proxy = \"none\" # {}:5", file(&house))]
    );
    let house = House::with_tenant(
        "proxy = { url = \"http://p:1\", user = \"u\", password = { file = \"acme.secret\" } }\n",
    );
    let file = file(&house);
    assert_eq!(
        shown(&house),
        [
            format!("tenant.acme.proxy.url = \"http://p:1\" # {file}:5"),
            format!("tenant.acme.proxy.user = \"u\" # {file}:5"),
            format!("tenant.acme.proxy.password = \"••• (file acme.secret)\" # {file}:5"),
        ]
    );
}

#[test]
fn show_masks_the_seals_and_the_keys_of_the_admin_listener() {
    let house = House::with_tenant(&format!(
        "[admin]\naccess = [{{ key = \"{}\", role = \"operator\" }}]\n\
         [store]\nseal = [{{ exec = [\"printf\", \"{}\"] }}, {{ passphrase_file = \"acme.secret\" }}]\n",
        digest('a'),
        "0123456789abcdef".repeat(4)
    ));
    let answer = run(&house, false, &["config", "show"]);
    assert_eq!(answer.exit, 0, "{}", answer.err);
    for line in [
        "admin.access[0].key = \"sha256:aaaaaaaa…\"",
        "admin.access[0].role = \"operator\"",
        "store.seal = [\"••• (exec printf)\",\"••• (passphrase_file acme.secret)\"]",
    ] {
        assert!(answer.out.contains(line), "{line}: {}", answer.out);
    }
    assert!(!answer.out.contains("0123456789abcdef") && !answer.out.contains(&digest('a')));
}

#[test]
fn schema_prints_the_schema() {
    let answer = run(&House::new(""), false, &["config", "schema"]);
    assert!(answer.json()["properties"]["listen"].is_object());
}

#[test]
fn a_new_key_is_the_only_thing_on_stdout() {
    let house = House::with_tenant("");
    let answer = run(
        &house,
        false,
        &["caller", "add", "powerbi", "--allow", "read"],
    );
    assert_eq!(answer.exit, 0, "{}", answer.err);
    assert!(answer.out.starts_with("njp_powerbi_") && answer.out.lines().count() == 1);
    assert!(!answer.err.contains(answer.out.trim()));
    let rotated = run(&house, true, &["caller", "rotate", "powerbi", "--now"]).json();
    assert_eq!(rotated["schema"], "caller-key/1");
    assert!(rotated["key"].as_str().unwrap().starts_with("njp_powerbi_"));
}

#[test]
fn callers_are_listed_and_shown_with_their_place() {
    let house = House::with_tenant("");
    run(
        &house,
        false,
        &[
            "caller",
            "add",
            "powerbi",
            "--allow",
            "read",
            "--expires",
            "2199-03-31",
        ],
    );
    let list = run(&house, false, &["caller", "list"]).out;
    assert!(
        list.starts_with("NAME     KEY") && list.contains("  2199-03-31  –          read   "),
        "{list}"
    );
    assert!(list.contains("callers.d/powerbi.toml:1"), "{list}");
    let show = run(&house, false, &["caller", "show", "powerbi"]).out;
    assert!(show.contains("key = \"sha256:"), "{show}");
    assert_eq!(
        run(&house, true, &["caller", "show", "powerbi"]).json()["caller"],
        "powerbi"
    );
}

#[test]
fn what_is_not_there_fails_and_what_is_wrongly_said_is_wrong_usage() {
    let house = House::with_tenant("");
    run(
        &house,
        false,
        &["caller", "add", "powerbi", "--allow", "read"],
    );
    let answer = run(&house, false, &["caller", "revoke", "powerb"]);
    assert_eq!(answer.exit, 1);
    assert!(
        answer.err.contains("did you mean powerbi?"),
        "{}",
        answer.err
    );
    assert_eq!(run(&house, false, &["caller", "show", "nobody"]).exit, 1);
    assert_eq!(
        run(
            &house,
            false,
            &["caller", "add", "no name", "--allow", "read"]
        )
        .exit,
        2
    );
    assert_eq!(
        run(&house, false, &["caller", "add", "x", "--expires", "soon"]).exit,
        2
    );
    assert_eq!(run(&house, false, &["caller", "revoke", "powerbi"]).exit, 0);
}

#[test]
fn a_caller_of_the_main_file_is_left_to_the_operator() {
    let house = House::with_tenant(&format!(
        "[caller.x]\nkey = \"{}\"\nallow = [\"read\"]\n",
        digest('a')
    ));
    let answer = run(&house, false, &["caller", "revoke", "x"]);
    assert_eq!(answer.exit, 1);
    assert!(
        answer.err.contains("delete [caller.x] there"),
        "{}",
        answer.err
    );
    assert!(answer.err.contains("config.toml:5"), "{}", answer.err);
}

#[test]
fn what_a_caller_may_do_changes_and_the_rest_of_its_file_stays() {
    let house = House::with_tenant("");
    let text = format!(
        "# by hand\n[caller.x] # why\nkey = \"{}\" # of May\nallow = [\n  \"getDevice\", # one\n]\ndeny = [\"getDevices\"]\n",
        digest('a')
    );
    house.write("callers.d/x.toml", &text);
    let allow = run(
        &house,
        false,
        &["caller", "allow", "x", "getDevices", "getDevice"],
    );
    assert_eq!(allow.exit, 0, "{}", allow.err);
    assert!(
        allow.err.starts_with("Changed caller x in "),
        "{}",
        allow.err
    );
    let now = house.read("callers.d/x.toml");
    assert!(
        now.starts_with("# by hand\n[caller.x] # why\n") && now.contains("# of May"),
        "{now}"
    );
    assert!(now.contains("# one") && !now.contains("deny"), "{now}");
    assert_eq!(house.accepted().callers[0].rules.len(), 2);

    let deny = run(&house, true, &["caller", "deny", "x", "getDevices"]).json();
    assert_eq!(deny["schema"], "caller-changed/1");
    let now = house.read("callers.d/x.toml");
    assert!(now.contains("deny = [\"getDevices\"]"), "{now}");
    assert_eq!(house.accepted().callers[0].rules.len(), 2);
}

#[test]
fn every_setting_of_a_caller_can_be_set_and_removed() {
    let house = House::with_tenant("[policy.reporting]\nallow = [\"read\"]\n");
    run(&house, false, &["caller", "add", "x", "--allow", "read"]);
    let added = house.read("callers.d/x.toml");
    let set = [
        "caller",
        "set",
        "x",
        "--policy",
        "reporting",
        "--expires",
        "2199-03-31",
        "--tenant",
        "acme",
        "--rate",
        "60/min",
        "--burst",
        "7",
        "--concurrency",
        "3",
        "--require-reason",
        "--on-behalf-of",
        "required",
        "--identity",
        "service",
    ];
    let answer = run(&house, false, &set);
    assert_eq!(answer.exit, 0, "{}", answer.err);
    let config = house.accepted();
    let caller = &config.callers[0];
    assert_eq!((caller.limit.burst, caller.limit.concurrency), (7, 3));
    assert!(caller.reason_required && caller.on_behalf_of_required);
    assert!(caller.expires.is_some() && caller.rules.len() == 2);
    let unset = [
        "caller",
        "set",
        "x",
        "--policy",
        "none",
        "--expires",
        "never",
        "--tenant",
        "all",
        "--rate",
        "default",
        "--require-reason",
        "false",
        "--on-behalf-of",
        "optional",
        "--identity",
        "default",
    ];
    assert_eq!(run(&house, false, &unset).exit, 0);
    let now = house.read("callers.d/x.toml");
    assert!(now.starts_with(&added), "{now}");
    let caller = &house.accepted().callers[0];
    assert!(!caller.reason_required && caller.expires.is_none() && caller.rules.len() == 1);
    assert!(Line::try_parse_from(["ninjaone-proxy", "caller", "set", "x"]).is_err());
}

#[test]
fn a_change_that_makes_the_configuration_wrong_leaves_the_file_as_it_was() {
    let house = House::with_tenant("");
    run(&house, false, &["caller", "add", "x", "--allow", "read"]);
    // Only doubtful, and nothing to do with the changes below.
    let idle = format!("[caller.idle]\nkey = \"{}\"\n", digest('a'));
    house.write("callers.d/idle.toml", &idle);
    let before = house.read("callers.d/x.toml");
    for words in [
        &["caller", "allow", "x", "raed"][..],
        &["caller", "deny", "x", "nothingLikeThis"],
        &["caller", "set", "x", "--policy", "none-such"],
        &["caller", "set", "x", "--rate", "fast", "--burst", "3"],
    ] {
        let answer = run(&house, false, words);
        assert_eq!(answer.exit, 1, "{words:?}");
        assert!(answer.err.contains("nothing was changed"), "{}", answer.err);
        assert!(!answer.err.contains("warning:"), "{}", answer.err);
        assert_eq!(house.read("callers.d/x.toml"), before);
    }
}

#[test]
fn a_key_that_is_dead_on_arrival_is_refused() {
    let house = House::with_tenant("");
    run(&house, false, &["caller", "add", "x", "--allow", "read"]);
    for words in [
        &[
            "caller",
            "add",
            "y",
            "--allow",
            "read",
            "--expires",
            "2020-01-01",
        ][..],
        &["caller", "set", "x", "--expires", "2020-01-01"],
        &["caller", "key", "y", "--expires", "2020-01-01"],
    ] {
        let answer = run(&house, false, words);
        assert_eq!((answer.exit, answer.out.as_str()), (2, ""), "{words:?}");
        assert!(answer.err.contains("in the past"), "{}", answer.err);
    }
    assert!(!house.path("callers.d/y.toml").exists());
}

#[test]
fn the_section_of_a_printed_key_lets_it_in_and_needs_no_configuration() {
    let empty = House::new("");
    std::fs::remove_file(empty.path("config.toml")).unwrap();
    let words = ["caller", "key", "powerbi", "--allow", "read"];
    let made = run(&empty, true, &words).json();
    assert_eq!(made["schema"], "caller-key/1");
    let house = House::with_tenant(made["section"].as_str().unwrap());
    let key = made["key"].as_str().unwrap();
    assert_eq!(house.accepted().callers[0].keys, [key_digest::sha256(key)]);
    let shown = run(&empty, false, &words);
    assert_eq!((shown.exit, shown.out.lines().count()), (0, 1));
    assert!(shown.err.contains("[caller.\"powerbi\"]"), "{}", shown.err);
    assert!(!shown.err.contains(shown.out.trim()));
}

#[test]
fn rotation_and_a_second_add_say_the_command_that_comes_next_and_it_works() {
    let house = House::with_tenant("");
    run(&house, false, &["caller", "add", "x", "--allow", "read"]);
    let again = run(
        &house,
        false,
        &["caller", "add", "x", "--allow", "GET /v2/devices"],
    );
    assert_eq!(again.exit, 1);
    assert!(
        again.err.contains("caller allow x 'GET /v2/devices'"),
        "{}",
        again.err
    );
    let rotated = run(&house, false, &["caller", "rotate", "x"]);
    let command = rotated
        .err
        .lines()
        .find(|it| it.contains("caller revoke x"));
    let prefix = command.unwrap().rsplit(' ').next().unwrap();
    let list = run(&house, false, &["caller", "list"]).out;
    assert!(list.contains(prefix) && list.lines().count() == 3, "{list}");
    let revoked = run(&house, false, &["caller", "revoke", "x", "--key", prefix]);
    assert_eq!(revoked.exit, 0, "{}", revoked.err);
    assert_eq!(
        house.accepted().callers[0].keys,
        [key_digest::sha256(rotated.out.trim())]
    );
}

#[test]
fn a_caller_whose_keys_have_expired_gets_a_later_date_before_it_gets_a_key() {
    let expired = format!(
        "[caller.x]\nkey = \"{}\"\nallow = [\"read\"]\nexpires = \"2020-01-01\"\n",
        digest('a')
    );
    let house = House::with_tenant(&expired);
    let refused = run(&house, false, &["caller", "rotate", "x"]);
    assert_eq!((refused.exit, refused.out.as_str()), (1, ""));
    for told in [
        "expired on 2020-01-01",
        "nothing was changed",
        "ninjaone-proxy caller set x --expires DATE (or --expires never)",
    ] {
        assert!(refused.err.contains(told), "{}", refused.err);
    }
    run(&house, false, &["caller", "set", "x", "--expires", "never"]);
    let rotated = run(&house, false, &["caller", "rotate", "x"]);
    assert_eq!(rotated.exit, 0, "{}", rotated.err);
}

#[test]
fn a_file_that_cannot_be_read_is_not_taken_for_no_caller() {
    let house = House::with_tenant("");
    run(&house, false, &["caller", "add", "x", "--allow", "read"]);
    house.write_mode("callers.d/powerbi.toml", b"a = \"\xff\"", 0o644);
    for words in [
        &["caller", "list"][..],
        &["caller", "show", "powerbi"],
        &["caller", "rotate", "powerbi"],
        &["caller", "set", "powerbi", "--expires", "never"],
        &["caller", "allow", "powerbi", "read"],
        &["caller", "revoke", "powerbi"],
        &["caller", "add", "powerbi", "--allow", "read"],
        // The change itself is made.
        &["caller", "allow", "x", "getDevices"],
    ] {
        let answer = run(&house, false, words);
        assert_eq!(answer.exit, 78, "{words:?}: {}", answer.err);
        for told in ["callers.d/powerbi.toml", "is not UTF-8"] {
            assert!(answer.err.contains(told), "{words:?}: {}", answer.err);
        }
        assert!(!answer.err.contains("no caller"), "{}", answer.err);
    }
    let list = run(&house, false, &["caller", "list"]).out;
    assert!(list.contains("\nx "), "{list}");
}

#[test]
fn old_keys_are_named_in_one_sentence_and_an_unknown_one_is_answered_with_those_there_are() {
    let house = House::with_tenant("");
    run(&house, false, &["caller", "add", "x", "--allow", "read"]);
    run(&house, false, &["caller", "rotate", "x"]);
    let rotated = run(&house, false, &["caller", "rotate", "x"]).err;
    assert_eq!(rotated.matches("still work").count(), 1, "{rotated}");
    assert_eq!(rotated.matches("caller revoke x --key").count(), 2);
    let unknown = run(&house, false, &["caller", "revoke", "x", "--key", "zz"]);
    assert_eq!(unknown.exit, 1);
    assert_eq!(unknown.err.matches("sha256:").count(), 3, "{}", unknown.err);
    let nobody = run(&house, false, &["caller", "show", "nope"]).err;
    assert!(nobody.contains("ninjaone-proxy caller list"), "{nobody}");
}

#[test]
fn a_value_that_is_not_understood_is_the_only_error() {
    for (section, value) in [
        ("audit", "max_total = \"5 gigs\""),
        ("retry", "backoff = { to = \"soon\" }"),
        ("listen", "max_upload = \"big\""),
    ] {
        let house = House::with_tenant(&format!("[{section}]\n{value}\n"));
        let check = run(&house, false, &["config", "check"]);
        assert_eq!(check.exit, 78);
        let found = check.err.matches("error:").count() + check.err.matches("warning:").count();
        assert_eq!(found, 1, "{}", check.err);
    }
}
