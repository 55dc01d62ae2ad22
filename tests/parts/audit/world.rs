//! What the tests of the audit log share: requests to record, a ledger on disk, and both verifiers.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, OnceLock},
    time::Duration,
};

use ninjaone_proxy::{
    audit::{
        decision::Decision,
        entry::{OutcomeDetails, RequestFacts, ResponseSource},
        ledger::{Ledger, LedgerOptions},
        verify::{VerifyReport, verify},
    },
    caller::AuthMethod,
    names::{IdentityKind, RequestId},
    net::{Method, Peer},
    ninjaone::{
        operation::{Operation, Payload, RequiredIdentity, RiskClass, Scope},
        paging::Paging,
    },
    policy::{Tenant, identity::ConfiguredIdentities},
};
use serde_json::Value;

const WAIT_MAX: Duration = Duration::from_secs(10);
/// How long a test waits for a ledger to write what is left.
pub(crate) const CLOSE_MAX: Duration = Duration::from_secs(5);

pub(crate) fn request(number: u64) -> RequestId {
    RequestId::new(1_763_388_131_123, u128::from(number))
}

pub(crate) fn subject(number: u64, class: RiskClass) -> RequestFacts {
    RequestFacts {
        caller: Some("helpdesk-bot".parse().unwrap()),
        auth_method: Some(AuthMethod::ApiKey),
        on_behalf_of: Some("j.doe@msp.example".into()),
        reason: Some("TICKET-5512".into()),
        tenant: Some(Arc::new(Tenant {
            name: "acme".parse().unwrap(),
            index: 0,
            identities: ConfiguredIdentities {
                service: true,
                user: true,
            },
        })),
        identity: Some(IdentityKind::Service),
        method: Some(Method::Post),
        operation: Some(Arc::new(operation(class))),
        class: Some(class),
        rule: Some("helpdesk".into()),
        ..RequestFacts::from_peer(
            request(number),
            Peer::Tcp("10.4.1.9:50122".parse().unwrap()),
        )
    }
}

fn operation(class: RiskClass) -> Operation {
    Operation {
        index: 0,
        id: "createTicket".into(),
        method: Method::Post,
        template: "/v2/ticketing/ticket".into(),
        tag: "ticketing".into(),
        scope: Scope::Management,
        scope_basis: "inferred".into(),
        class,
        required_identity: RequiredIdentity::Service,
        payload: Payload::Plain,
        parameters: Box::default(),
        secrets_parameter: None,
        paging: Paging::Whole,
        notes: "".into(),
    }
}

pub(crate) fn answered() -> OutcomeDetails {
    OutcomeDetails {
        decision: Decision::Allowed,
        error: None,
        bucket: None,
        status: 204,
        source: ResponseSource::Ninjaone,
        attempts: 1,
        ninjaone_request_id: Some("a41f09".into()),
        duration_us: 412_345,
        bytes_in: 211,
        bytes_out: 0,
        upstream_status: None,
        detail: None,
    }
}

pub(crate) fn refused(code: &'static str) -> OutcomeDetails {
    OutcomeDetails {
        decision: Decision::Refused(code),
        status: 503,
        source: ResponseSource::Proxy,
        attempts: 0,
        ninjaone_request_id: None,
        ..answered()
    }
}

pub(crate) fn options(directory: &Path) -> LedgerOptions {
    let mut options = LedgerOptions::new(directory.to_owned(), "boot-1", "0.1.0", "f00d");
    // The machine that runs the tests may be busy with other things.
    options.intent_wait = WAIT_MAX;
    options
}

pub(crate) fn open(directory: &Path) -> Ledger {
    Ledger::open(options(directory)).unwrap()
}

/// Writes reads and changes, two lines or one each.
pub(crate) async fn write_some(ledger: &Ledger, numbers: std::ops::Range<u64>) {
    for number in numbers {
        let entry = if number % 4 == 0 {
            ledger.write_intent(subject(number, RiskClass::Write)).await
        } else {
            ledger.reserve(subject(number, RiskClass::Read))
        };
        entry.unwrap().close(answered());
    }
}

pub(crate) fn log_files(directory: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|item| item.unwrap().path())
        .filter(|path| path.extension().is_some_and(|it| it == "jsonl"))
        .collect();
    files.sort();
    files
}

/// Every line of every file.
pub(crate) fn lines(directory: &Path) -> Vec<Value> {
    let read = |path: PathBuf| fs::read_to_string(path).unwrap();
    let text: String = log_files(directory).into_iter().map(read).collect();
    let parse = |line: &str| serde_json::from_str(line).unwrap();
    text.lines().map(parse).collect()
}

pub(crate) fn types(directory: &Path) -> Vec<String> {
    let kind = |line: &Value| line["type"].as_str().unwrap().to_owned();
    lines(directory).iter().map(kind).collect()
}

/// Both verifiers must come to the same verdict; this is ours.
pub(crate) fn verdict(directory: &Path) -> VerifyReport {
    let report = verify(directory, &[]).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/parts/audit/verify.py");
    let said = Command::new(python())
        .args(["-I", "-S", script])
        .arg(directory)
        .stderr(Stdio::inherit())
        .output()
        .expect("python3 runs the independent verifier");
    let text = String::from_utf8(said.stdout).unwrap();
    if report.is_intact() {
        let head = report.head.hash;
        assert_eq!(text, format!("ok lines={} head={head}\n", report.lines));
        assert_eq!(said.status.code(), Some(0));
    } else {
        let breaks = text.lines().filter(|line| line.starts_with("broken "));
        assert_eq!(
            breaks.count() as u64,
            report.breaks_total,
            "{text}{report:?}"
        );
        assert_eq!(said.status.code(), Some(7), "{report:?}");
    }
    report
}

/// The interpreter itself, not a shim in front of it that would be asked hundreds of times.
fn python() -> &'static str {
    static FOUND: OnceLock<String> = OnceLock::new();
    FOUND.get_or_init(|| {
        let said = Command::new("python3")
            .args(["-c", "import sys; print(sys.executable)"])
            .output()
            .expect("python3 is there");
        String::from_utf8(said.stdout).unwrap().trim().to_owned()
    })
}

/// Looks again and again until `condition` holds.
pub(crate) async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let mut looks = tokio::time::interval(Duration::from_millis(2));
    let waited = tokio::time::timeout(WAIT_MAX, async {
        while !condition() {
            looks.tick().await;
        }
    });
    assert!(waited.await.is_ok(), "never: {what}");
}
