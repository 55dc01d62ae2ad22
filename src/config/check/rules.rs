//! Checks rules, and that what they select exists.

use std::sync::Arc;

use crate::{
    config::read::{key_path::KeyPath, provenance::Provenance, suggestion::closest_match},
    ninjaone::operation::Operation,
    policy::{
        rule::{Effect, Rule},
        selector::Selector,
    },
};

use super::Checker;

const RULES_MAX: usize = 1000;

impl Checker<'_> {
    pub(super) fn rules(
        &mut self,
        texts: &[String],
        effect: Effect,
        owner: &str,
        path: &KeyPath,
        known: &[&Operation],
    ) -> Vec<Rule> {
        if texts.len() > RULES_MAX {
            self.error(
                path,
                format!("a list of rules has at most {RULES_MAX} entries"),
            );
            return Vec::new();
        }
        let owner: Arc<str> = Arc::from(owner);
        let mut rules = Vec::new();
        for (index, text) in texts.iter().enumerate() {
            let path = path.element(index);
            if self.diagnostics.has_at(&self.value_location(&path)) {
                continue;
            }
            let Some(selector) = self.selector(text, &path, known) else {
                continue;
            };
            rules.push(Rule {
                effect,
                selector,
                owner: Arc::clone(&owner),
                location: self.rule_location(&path),
                identity_pin: None,
            });
        }
        rules
    }

    fn selector(&mut self, text: &str, path: &KeyPath, known: &[&Operation]) -> Option<Selector> {
        let selector = match Selector::parse(text) {
            Ok(selector) => selector,
            Err(error) => {
                self.error(path, error);
                return None;
            }
        };
        if !known.is_empty() && !matches_any(&selector, known) {
            let (message, hint) = no_match_message(&selector, text, known);
            let at = self.value_location(path);
            // It may mean an [[operation]] in a file that could not be read completely.
            self.diagnostics.missing(at, message, hint);
            return None;
        }
        Some(selector)
    }

    /// The location of a rule: `config.toml:41`, or the environment variable.
    pub(super) fn rule_location(&self, path: &KeyPath) -> Arc<str> {
        match self.provenance.closest(path) {
            Some(Provenance::File { file, value, .. }) => match self.files.get(*file) {
                Some(text) => {
                    let line = text.position(value.start).line;
                    Arc::from(format!("{}:{line}", text.short_name))
                }
                None => Arc::from(""),
            },
            Some(Provenance::Variable(name)) => Arc::from(name.as_str()),
            None => Arc::from(""),
        }
    }
}

fn matches_any(selector: &Selector, known: &[&Operation]) -> bool {
    match selector {
        // Valid even if no operation is of that kind today.
        Selector::All | Selector::Class(_) | Selector::Scope(_) => true,
        Selector::Tag(_) | Selector::Operation(_) | Selector::Path { .. } => {
            selector.selected(known.iter().copied()).next().is_some()
        }
    }
}

fn no_match_message(
    selector: &Selector,
    text: &str,
    known: &[&Operation],
) -> (String, Option<String>) {
    let mean =
        |word: Option<&str>, prefix: &str| word.map(|it| format!("did you mean \"{prefix}{it}\"?"));
    match selector {
        Selector::Tag(tag) => {
            let tags = known.iter().map(|it| &*it.tag);
            (
                format!("no operation has the tag `{tag}`"),
                mean(closest_match(tag, tags), "tag:"),
            )
        }
        Selector::Path { method, pattern } => {
            let same_method = known.iter().filter(|it| it.method == *method);
            let hint = mean(
                closest_match(pattern, same_method.map(|it| &*it.template)),
                &format!("{method} "),
            );
            (
                format!("no operation is `{method} {pattern}`"),
                Some(hint.unwrap_or_else(ops_list_hint)),
            )
        }
        _ => {
            let words = known.iter().map(|it| &*it.id).chain([
                "read",
                "secrets",
                "write",
                "dangerous",
                "all",
            ]);
            let hint = mean(closest_match(text, words), "");
            (
                format!("there is no operation `{text}`"),
                Some(hint.unwrap_or_else(ops_list_hint)),
            )
        }
    }
}

fn ops_list_hint() -> String {
    "`ninjaone-proxy ops list` shows them all; [[operation]] adds one".into()
}
