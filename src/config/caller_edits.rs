//! Changes to what a caller may do, in its own file: made by `caller allow`, `deny` and `set`. Comments and order stay.

use toml_edit::{Array, DocumentMut, Item, Table, TableLike, Value, value};

use crate::{ninjaone::operation::Operation, policy::selector::Selector};

use super::{
    caller_file_error::CallerFileError,
    caller_files::{self, CallerFileChange},
    read::sources::Sources,
};

/// What is changed of a caller.
#[derive(Debug, Clone, Default)]
pub struct CallerEdits {
    /// Selectors to allow. The same selectors are taken out of `deny`.
    pub allow: Vec<String>,
    /// Selectors to deny. The same selectors are taken out of `allow`.
    pub deny: Vec<String>,
    /// Selectors to take out of `allow`, where they are there.
    pub allow_no_more: Vec<String>,
    /// Selectors to take out of `deny`, where they are there.
    pub deny_no_more: Vec<String>,
    pub settings: Vec<CallerSettingEdit>,
}

/// A new value of one setting of a caller.
#[derive(Debug, Clone)]
pub struct CallerSettingEdit {
    /// Relative to the caller: `["limit", "rate"]`.
    pub path: &'static [&'static str],
    /// None removes the setting, so that its default holds.
    pub value: Option<CallerSettingValue>,
}

/// A value as the configuration has it.
#[derive(Debug, Clone)]
pub enum CallerSettingValue {
    Text(String),
    Texts(Vec<String>),
    Flag(bool),
    Number(u32),
}

/// Changes a caller in its file. A change after which the configuration would be wrong is taken back.
///
/// # Errors
/// The caller does not exist or is defined elsewhere, the file cannot be written, or the configuration would be wrong.
pub fn change(
    sources: &Sources,
    known: &[Operation],
    name: &str,
    edits: &CallerEdits,
) -> Result<CallerFileChange, CallerFileError> {
    let file = caller_files::file_of(sources, name)?;
    let mut is_unchanged = false;
    let remaining_errors = caller_files::rewrite(sources, known, &file, |old| {
        let new = changed_text(old, name, edits)
            .ok_or_else(|| CallerFileError::NotReadable(file.clone()))?;
        is_unchanged = new == old;
        Ok(new)
    })?;
    Ok(CallerFileChange {
        file,
        key: None,
        remaining_errors,
        is_unchanged,
    })
}

/// None if the file does not hold the caller.
fn changed_text(old: &str, name: &str, edits: &CallerEdits) -> Option<String> {
    let mut document: DocumentMut = old.parse().ok()?;
    let callers = document.get_mut("caller")?.as_table_like_mut()?;
    let caller = callers.get_mut(name)?.as_table_like_mut()?;
    for (selectors, into, out_of) in [
        (&edits.allow, "allow", "deny"),
        (&edits.deny, "deny", "allow"),
    ] {
        if selectors.is_empty() {
            continue;
        }
        add(caller, into, selectors)?;
        remove(caller, out_of, selectors);
    }
    remove(caller, "allow", &edits.allow_no_more);
    remove(caller, "deny", &edits.deny_no_more);
    for edit in &edits.settings {
        set(caller, edit)?;
    }
    Some(document.to_string())
}

fn add(caller: &mut dyn TableLike, key: &str, selectors: &[String]) -> Option<()> {
    if !caller.contains_key(key) {
        caller.insert(key, value(Array::new()));
    }
    let list = caller.get_mut(key)?.as_array_mut()?;
    for selector in selectors {
        if !holds(list, selector) {
            push(list, selector);
        }
    }
    Some(())
}

/// On a line of its own where the others are.
fn push(list: &mut Array, selector: &str) {
    let newest = list.iter().last();
    let before = newest.and_then(|it| it.decor().prefix()?.as_str());
    let before = before.filter(|it| it.contains('\n')).map(|it| {
        let indent = it.rsplit('\n').next().unwrap_or_default();
        format!("\n{indent}")
    });
    match before {
        Some(before) => {
            list.push_formatted(Value::from(selector).decorated(before, ""));
        }
        None => list.push(selector),
    }
}

fn remove(caller: &mut dyn TableLike, key: &str, selectors: &[String]) {
    let Some(list) = caller.get_mut(key).and_then(Item::as_array_mut) else {
        return;
    };
    let before = list.len();
    list.retain(|it| {
        !it.as_str()
            .is_some_and(|it| selectors.iter().any(|one| is_same_selector(one, it)))
    });
    if list.is_empty() && before > 0 {
        caller.remove(key);
    }
}

/// Written in another way, such as `get /v2/devices`, it is the same.
fn is_same_selector(one: &str, other: &str) -> bool {
    let parsed = |it: &str| Selector::parse(it).ok();
    one == other || parsed(one).is_some_and(|it| parsed(other) == Some(it))
}

fn holds(list: &Array, selector: &str) -> bool {
    list.iter().any(|it| it.as_str() == Some(selector))
}

fn set(caller: &mut dyn TableLike, edit: &CallerSettingEdit) -> Option<()> {
    let (last, tables) = edit.path.split_last()?;
    let mut table = caller;
    for name in tables {
        if !table.contains_key(name) {
            if edit.value.is_none() {
                return Some(());
            }
            table.insert(name, Item::Table(Table::new()));
        }
        table = table.get_mut(name)?.as_table_like_mut()?;
    }
    match &edit.value {
        None => {
            table.remove(last);
        }
        Some(new) => {
            let new = toml_value(new);
            match table.get_mut(last).and_then(Item::as_value_mut) {
                Some(old) => {
                    let decor = old.decor().clone();
                    *old = new;
                    *old.decor_mut() = decor;
                }
                None => {
                    table.insert(last, Item::Value(new));
                }
            }
        }
    }
    Some(())
}

fn toml_value(new: &CallerSettingValue) -> Value {
    match new {
        CallerSettingValue::Text(text) => text.as_str().into(),
        CallerSettingValue::Texts(texts) => {
            Value::Array(texts.iter().map(String::as_str).collect())
        }
        CallerSettingValue::Flag(is_set) => (*is_set).into(),
        CallerSettingValue::Number(number) => i64::from(*number).into(),
    }
}
