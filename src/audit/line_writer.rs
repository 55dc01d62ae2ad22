//! Writes an entry as one line of JSON, up to the hash that the chain appends.

use std::{io::Write as _, net::SocketAddr};

use crate::{
    caller::AuthMethod,
    clock::{Timestamp, rfc3339},
    names::{CallerName, IdentityKind},
    net::{Method, Peer},
    ninjaone::operation::RiskClass,
};

use super::{
    entry::{AuditEntry, AuditEvent, OutcomeDetails, RequestFacts},
    refused_tally::RefusedTally,
};

/// A longer text is cut, and its member is named in `truncated`.
pub const TEXT_BYTES_MAX: usize = 1024;

/// A member's name, also as it stands in the line, so that it is one copy.
#[derive(Clone, Copy)]
struct MemberName {
    bare: &'static str,
    opening: &'static str,
}

macro_rules! name {
    ($name:literal) => {
        MemberName {
            bare: $name,
            opening: concat!(",\"", $name, "\":"),
        }
    };
}

/// Appends `{"v":1,"seq":…` up to, but without, `,"prev":`.
pub(super) fn write(out: &mut Vec<u8>, seq: u64, boot: &str, entry: &AuditEntry) {
    let mut members = LineWriter {
        out,
        cut: Vec::new(),
    };
    members.out.extend_from_slice(b"{\"v\":1");
    members.number(name!("seq"), seq);
    match entry {
        AuditEntry::Intent { at, facts } => {
            members.start(*at, "intent", Some(facts), boot);
            members.facts(facts);
        }
        AuditEntry::Outcome { at, facts, details } => {
            members.start(*at, "outcome", Some(facts), boot);
            members.facts(facts);
            members.details(facts, details);
        }
        AuditEntry::Event { at, event } => {
            members.start(*at, event.kind(), None, boot);
            members.event(event);
        }
    }
    members.truncated();
}

struct LineWriter<'o> {
    out: &'o mut Vec<u8>,
    /// Members whose text was cut.
    cut: Vec<MemberName>,
}

impl LineWriter<'_> {
    fn name(&mut self, name: MemberName) {
        self.out.extend_from_slice(name.opening.as_bytes());
    }

    fn number(&mut self, name: MemberName, value: u64) {
        self.name(name);
        number(self.out, value);
    }

    /// A text of ours that needs no escape.
    fn word(&mut self, name: MemberName, value: &str) {
        self.name(name);
        self.out.push(b'"');
        self.out.extend_from_slice(value.as_bytes());
        self.out.push(b'"');
    }

    fn text(&mut self, name: MemberName, value: &str) {
        self.name(name);
        if write_quoted(self.out, value) {
            self.cut.push(name);
        }
    }

    fn optional_text(&mut self, name: MemberName, value: Option<&str>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    fn optional_word(&mut self, name: MemberName, value: Option<&str>) {
        if let Some(value) = value {
            self.word(name, value);
        }
    }

    /// As its `Display`, but without the formatting machinery: every line has one.
    fn peer(&mut self, name: MemberName, peer: Peer) {
        self.name(name);
        self.out.push(b'"');
        match peer {
            Peer::Tcp(SocketAddr::V4(address)) => {
                let mut before = b"".as_slice();
                for octet in address.ip().octets() {
                    self.out.extend_from_slice(before);
                    number(self.out, octet.into());
                    before = b".";
                }
                self.out.push(b':');
                number(self.out, address.port().into());
            }
            // Writing to a vector does not fail.
            other => drop(write!(self.out, "{other}")),
        }
        self.out.push(b'"');
    }

    fn start(
        &mut self,
        at: Timestamp,
        kind: &'static str,
        facts: Option<&RequestFacts>,
        boot: &str,
    ) {
        self.time(name!("at"), at);
        self.word(name!("type"), kind);
        if let Some(facts) = facts {
            self.word(name!("request"), facts.request_id.as_str());
        }
        self.text(name!("boot"), boot);
    }

    fn facts(&mut self, facts: &RequestFacts) {
        self.optional_word(
            name!("caller"),
            facts.caller.as_ref().map(CallerName::as_str),
        );
        self.optional_word(name!("auth"), facts.auth_method.map(AuthMethod::as_str));
        self.optional_text(name!("on_behalf_of"), facts.on_behalf_of.as_deref());
        self.optional_text(name!("reason"), facts.reason.as_deref());
        self.peer(name!("peer"), facts.peer);
        let tenant = facts.tenant.as_deref();
        self.optional_word(name!("tenant"), tenant.map(|tenant| tenant.name.as_str()));
        self.optional_word(name!("identity"), facts.identity.map(IdentityKind::as_str));
        self.optional_word(name!("method"), facts.method.map(Method::as_str));
        self.operation(facts);
        self.optional_word(name!("class"), facts.class.map(RiskClass::as_str));
        let operation = facts.operation.as_deref();
        self.optional_word(
            name!("scope"),
            operation.map(|operation| operation.scope.as_str()),
        );
    }

    fn operation(&mut self, facts: &RequestFacts) {
        let Some(operation) = facts.operation.as_deref() else {
            self.optional_text(name!("path"), facts.raw_path.as_deref());
            return;
        };
        self.text(name!("path"), &operation.template);
        let names = operation.parameters.iter().map(|it| &*it.name);
        let values = facts.parameters.values().iter().map(|value| &**value);
        self.parameters(names.zip(values));
        self.text(name!("operation"), &operation.id);
    }

    fn parameters<'p>(&mut self, pairs: impl Iterator<Item = (&'p str, &'p str)>) {
        let mut pairs = pairs.peekable();
        if pairs.peek().is_none() {
            return;
        }
        self.name(name!("params"));
        let mut cut = false;
        let mut before = b'{';
        for (name, value) in pairs {
            self.out.push(before);
            cut |= write_quoted(self.out, name);
            self.out.push(b':');
            cut |= write_quoted(self.out, value);
            before = b',';
        }
        self.out.push(b'}');
        if cut {
            self.cut.push(name!("params"));
        }
    }

    fn details(&mut self, facts: &RequestFacts, details: &OutcomeDetails) {
        self.word(name!("decision"), details.decision.as_str());
        self.optional_text(name!("policy"), facts.rule.as_deref());
        self.number(name!("status"), u64::from(details.status));
        self.word(name!("source"), details.source.as_str());
        if let Some(status) = details.upstream_status {
            self.number(name!("upstream_status"), u64::from(status));
        }
        self.number(name!("attempts"), u64::from(details.attempts));
        self.optional_text(
            name!("ninjaone_request"),
            details.ninjaone_request_id.as_deref(),
        );
        self.number(name!("duration_us"), details.duration_us);
        self.number(name!("bytes_in"), details.bytes_in);
        self.number(name!("bytes_out"), details.bytes_out);
        self.optional_word(name!("error"), details.error);
        self.optional_word(name!("bucket"), details.bucket);
    }

    fn event(&mut self, event: &AuditEvent) {
        match event {
            AuditEvent::Start { version, config } => {
                self.text(name!("version"), version);
                self.text(name!("config"), config);
            }
            AuditEvent::Stop { reason: why } => self.text(name!("why"), why),
            AuditEvent::Config {
                generation,
                config,
                result,
                by,
            } => {
                self.number(name!("generation"), *generation);
                self.text(name!("config"), config);
                self.word(name!("result"), result);
                self.by(by.as_deref());
            }
            AuditEvent::Token {
                tenant,
                identity,
                result,
                generation,
                error,
            } => {
                self.text(name!("tenant"), tenant);
                self.word(name!("identity"), identity.as_str());
                self.word(name!("result"), result);
                self.number(name!("generation"), *generation);
                self.optional_text(name!("error"), error.as_deref());
            }
            AuditEvent::Login {
                tenant,
                identity,
                result,
                by,
            } => {
                self.text(name!("tenant"), tenant);
                self.word(name!("identity"), identity.as_str());
                self.word(name!("result"), result);
                self.by(by.as_deref());
            }
            AuditEvent::Caller { caller, change } => {
                self.text(name!("caller"), caller);
                self.word(name!("change"), change);
            }
            AuditEvent::Refused(tally) => self.tally(tally),
            AuditEvent::Gap { lost, reason: why } => {
                self.number(name!("lost"), *lost);
                self.text(name!("why"), why);
            }
            AuditEvent::Rotate { from, reason: why } => {
                self.text(name!("from"), from);
                self.word(name!("why"), why);
            }
        }
    }

    fn by(&mut self, by: Option<&str>) {
        if let Some(by) = by {
            self.text(name!("by"), by);
        }
    }

    fn tally(&mut self, tally: &RefusedTally) {
        self.number(name!("count"), tally.count);
        self.name(name!("reasons"));
        let mut before = b'{';
        for (reason, count) in &tally.reasons {
            self.out.push(before);
            write_quoted(self.out, reason);
            self.out.push(b':');
            number(self.out, *count);
            before = b',';
        }
        self.out.push(b'}');
        self.name(name!("peers"));
        let mut before = b'[';
        for peer in &tally.peers {
            self.out.push(before);
            write_quoted(self.out, &peer.to_string());
            before = b',';
        }
        self.out.push(b']');
        self.time(name!("first"), tally.first);
        self.time(name!("last"), tally.last);
    }

    fn time(&mut self, name: MemberName, at: Timestamp) {
        self.name(name);
        self.out.push(b'"');
        self.out.extend_from_slice(&rfc3339(at));
        self.out.push(b'"');
    }

    fn truncated(&mut self) {
        if self.cut.is_empty() {
            return;
        }
        let cut = std::mem::take(&mut self.cut);
        self.name(name!("truncated"));
        let mut before = b'[';
        for name in cut {
            self.out.push(before);
            write_quoted(self.out, name.bare);
            before = b',';
        }
        self.out.push(b']');
    }
}

fn number(out: &mut Vec<u8>, value: u64) {
    /// The digits of `u64::MAX`.
    const DIGITS_MAX: usize = 20;
    let mut digits = [b'0'; DIGITS_MAX];
    let mut rest = value;
    let mut length = 0;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
        length += 1;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(DIGITS_MAX - length..).unwrap_or_default());
}

/// Writes a JSON string; true if it had to be cut.
fn write_quoted(out: &mut Vec<u8>, text: &str) -> bool {
    let end = text.floor_char_boundary(TEXT_BYTES_MAX);
    let kept = text.get(..end).unwrap_or_default();
    out.push(b'"');
    write_escaped(out, kept);
    out.push(b'"');
    end < text.len()
}

fn write_escaped(out: &mut Vec<u8>, text: &str) {
    let plain = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\';
    if text.bytes().all(plain) {
        out.extend_from_slice(text.as_bytes());
        return;
    }
    for letter in text.chars() {
        match letter {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            _ if needs_escape(letter) => {
                let _ = write!(out, "\\u{:04x}", u32::from(letter));
            }
            _ => out.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}

/// Characters that would make a line look like something that it is not: controls (C0, DEL, C1), line and paragraph
/// separators, and those that change the direction of text.
const fn needs_escape(letter: char) -> bool {
    matches!(
        letter,
        '\0'..='\x1f'
            | '\x7f'..='\u{9f}'
            | '\u{61c}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{2028}'
            | '\u{2029}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
            | '\u{feff}'
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn written(write: impl FnOnce(&mut LineWriter<'_>)) -> String {
        let mut out = Vec::new();
        let mut members = LineWriter {
            out: &mut out,
            cut: Vec::new(),
        };
        write(&mut members);
        members.truncated();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn parameters_carry_the_names_of_the_template() {
        let pairs = [("id", "123"), ("name", "a\"b")];
        let line = written(|members| members.parameters(pairs.into_iter()));
        assert_eq!(line, r#","params":{"id":"123","name":"a\"b"}"#);
    }

    #[test]
    fn no_parameters_are_no_member() {
        assert_eq!(
            written(|members| members.parameters(std::iter::empty())),
            ""
        );
    }

    #[test]
    fn control_and_direction_characters_are_escaped_and_letters_are_not() {
        let text = "é\n\u{7f}\u{85}\u{202e}\u{2028}\u{2066}\\\"z";
        let line = written(|members| members.text(name!("reason"), text));
        assert_eq!(
            line,
            r#","reason":"é\u000a\u007f\u0085\u202e\u2028\u2066\\\"z""#
        );
        let read: serde_json::Value = serde_json::from_str(&format!("{{{}}}", &line[1..])).unwrap();
        assert_eq!(read["reason"], text);
    }

    #[test]
    fn a_long_text_is_cut_between_characters_and_its_member_named() {
        let line = written(|members| members.text(name!("reason"), &"ä".repeat(600)));
        let read: serde_json::Value = serde_json::from_str(&format!("{{{}}}", &line[1..])).unwrap();
        assert_eq!(read["reason"], "ä".repeat(512));
        assert_eq!(read["truncated"], serde_json::json!(["reason"]));
    }

    #[test]
    fn numbers_are_written_whole() {
        for value in [0, 7, 10, 1_404_882, u64::MAX] {
            let line = written(|members| members.number(name!("seq"), value));
            assert_eq!(line, format!(",\"seq\":{value}"));
        }
    }
}
