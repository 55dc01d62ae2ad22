//! Which queries ask NinjaOne for secret values.

use std::fmt::Write as _;

use ninjaone_proxy::ninjaone::catalogue::Catalogue;
use proptest::prelude::*;

#[test]
fn a_query_asks_for_secrets_unless_it_plainly_does_not() {
    let catalogue = Catalogue::builtin();
    let report = catalogue.by_id("getCustomFieldsReport").unwrap();
    for asking in [
        "showSecureValues=true",
        "showSecureValues",
        "showSecureValues=",
        "showSecureValues=False",
        "SHOWSECUREVALUES=false",
        "a=b&showsecurevalues=true",
        "showSecureValues=false&showSecureValues=true",
        "showSecureValues=false;showSecureValues=true",
        "a=1;showSecureValues=false",
        "show%53ecureValues=true",
        "%73howSecureValues=true",
        "show%2553ecureValues=true",
        "show%252553ecureValues=true",
        "show%25252553ecureValues=true",
        "a=1%26showSecureValues=true",
        "a=1%2526showSecureValues=true",
        "+showSecureValues=true",
        "showSecureValues%3Dtrue",
        "showSecureValues[]=true",
        "showSecureValues=false%26showSecureValues%3Dtrue",
        "show%C5%BFecureValues=true",
        "show%c1%b3ecureValues=true",
    ] {
        assert!(report.requests_secrets(Some(asking)), "{asking}");
    }
    for plain in [
        "",
        "df=org%20%3D%202&pageSize=100",
        "df=name+eq+100%25",
        "showSecureValues=false",
        "pageSize=5&showSecureValues=false&showSecureValues=false",
        "df=caf%C3%A9",
    ] {
        assert!(!report.requests_secrets(Some(plain)), "{plain}");
    }
    assert!(!report.requests_secrets(None));
}

#[test]
fn an_operation_without_the_switch_never_asks_for_secrets() {
    let catalogue = Catalogue::builtin();
    let devices = catalogue.by_id("getDevices").unwrap();
    assert!(!devices.requests_secrets(Some("showSecureValues=true")));
}

/// Each character of `text` as it is or percent-encoded, as `how` says, and that `rounds` times over.
fn disguised(text: &str, how: &[bool], rounds: usize) -> String {
    let mut text = text.to_owned();
    for _ in 0..rounds {
        let mut next = String::new();
        for (index, byte) in text.bytes().enumerate() {
            if byte == b'%' || how[index % how.len()] {
                write!(next, "%{byte:02x}").unwrap();
            } else {
                next.push(char::from(byte));
            }
        }
        text = next;
    }
    text
}

proptest! {
    #[test]
    fn no_encoding_hides_that_a_query_asks_for_secrets(
        how in proptest::collection::vec(any::<bool>(), 1..20),
        rounds in 0_usize..6,
        before in "[a-z0-9=&;%+.]{0,12}",
        after in "[a-z0-9=&;%+.]{0,12}",
    ) {
        let catalogue = Catalogue::builtin();
        let report = catalogue.by_id("getCustomFieldsReport").unwrap();
        let asked = disguised("showSecureValues=true", &how, rounds);
        let query = format!("{before}&{asked}&{after}");
        prop_assert!(report.requests_secrets(Some(&query)), "{query}");
    }
}
