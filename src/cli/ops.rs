//! `ops list` and `ops show`: what the catalogue knows, for those who write policies.

use std::{
    fmt::Write as _,
    io::{self, Write},
};

use clap::Args;
use serde_json::{Value, json};

use crate::ninjaone::{
    catalogue::Catalogue,
    operation::{Operation, Payload, RequiredIdentity, RiskClass, Scope},
};

use super::exit::ExitStatus;

/// Widest line of a table, in columns.
const LINE_COLUMNS: usize = 100;

const CLASS_COLUMNS: usize = 9;

const SCOPE_COLUMNS: usize = 10;

/// An id takes no more than this, and no more than the longest one that is listed.
const ID_COLUMNS_MAX: usize = 34;

const METHOD_COLUMNS: usize = 6;

/// Two spaces between columns, one between method and path.
const GAP_COLUMNS: usize = 7;

/// List the operations that the proxy knows
#[derive(Debug, Clone, Default, Args)]
pub struct OpsListArgs {
    /// Only operations of this class: read, secrets, write or dangerous
    #[arg(long, value_parser = parse_class)]
    pub class: Option<RiskClass>,

    /// Only operations that need this NinjaOne scope: monitoring, management or control
    #[arg(long, value_parser = parse_scope)]
    pub scope: Option<Scope>,

    /// Only operations with this tag, such as devices, in any case
    #[arg(long)]
    pub tag: Option<String>,

    /// Only operations whose id, path or tag contains all of these words, in any case
    #[arg(value_name = "WORD")]
    pub words: Vec<String>,

    /// The global `--json`.
    #[arg(skip)]
    pub json: bool,
}

/// Show everything that is known about an operation
#[derive(Debug, Clone, Default, Args)]
pub struct OpsShowArgs {
    /// The operation's id, such as getDevices
    #[arg(value_name = "ID")]
    pub id: String,

    /// The global `--json`.
    #[arg(skip)]
    pub json: bool,
}

fn parse_class(text: &str) -> Result<RiskClass, String> {
    RiskClass::parse(text).ok_or_else(|| one_of(RiskClass::ALL.map(RiskClass::as_str)))
}

fn parse_scope(text: &str) -> Result<Scope, String> {
    Scope::parse(text).ok_or_else(|| one_of(Scope::ALL.map(Scope::as_str)))
}

fn one_of<const N: usize>(names: [&str; N]) -> String {
    format!("it is one of {}", names.join(", "))
}

/// Prints the operations that fit all filters, as a table or as `{"schema":"ops/1","operations":[…]}`. Exit code 1 if none
/// fits; `err` then says so.
///
/// # Errors
/// `out` or `err` cannot be written to.
pub fn list(
    catalogue: &Catalogue,
    args: &OpsListArgs,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<ExitStatus> {
    let chosen: Vec<&Operation> = catalogue
        .all()
        .iter()
        .map(|operation| &**operation)
        .filter(|operation| matches_filters(args, operation))
        .collect();
    if args.json {
        print_json(&chosen, out)?;
    } else if !chosen.is_empty() {
        print_table(&chosen, out)?;
    }
    if chosen.is_empty() {
        writeln!(
            err,
            "error: no operation matches\nhint: use fewer filters, or fewer words"
        )?;
        return Ok(ExitStatus::Failed);
    }
    Ok(ExitStatus::Done)
}

/// Prints one operation. Exit code 1 if there is none with this id; `err` then suggests another.
///
/// # Errors
/// `out` or `err` cannot be written to.
pub fn show(
    catalogue: &Catalogue,
    args: &OpsShowArgs,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<ExitStatus> {
    let Some(operation) = catalogue.by_id(&args.id) else {
        writeln!(err, "error: there is no operation {:?}", args.id)?;
        match catalogue.suggest(&args.id) {
            Some(meant) => writeln!(err, "hint: did you mean {meant}?")?,
            None => writeln!(err, "hint: list them all with: ninjaone-proxy ops list")?,
        }
        return Ok(ExitStatus::Failed);
    };
    if args.json {
        print_json(&[operation], out)?;
    } else {
        print_one(operation, out)?;
    }
    Ok(ExitStatus::Done)
}

fn matches_filters(args: &OpsListArgs, operation: &Operation) -> bool {
    let tag_fits = args
        .tag
        .as_ref()
        .is_none_or(|tag| tag.eq_ignore_ascii_case(&operation.tag));
    let said = format!(
        "{} {} {} {}",
        operation.id, operation.method, operation.template, operation.tag
    )
    .to_lowercase();
    args.class.is_none_or(|class| class == operation.class)
        && args.scope.is_none_or(|scope| scope == operation.scope)
        && tag_fits
        && args
            .words
            .iter()
            .all(|word| said.contains(&word.to_lowercase()))
}

fn print_table(operations: &[&Operation], out: &mut dyn Write) -> io::Result<()> {
    let longest = operations.iter().map(|it| it.id.len()).max();
    let id_columns = longest
        .unwrap_or_default()
        .clamp("OPERATION".len(), ID_COLUMNS_MAX);
    line(
        out,
        id_columns,
        ["CLASS", "SCOPE", "OPERATION", "METHOD", "PATH"],
    )?;
    for operation in operations {
        let cells = [
            operation.class.as_str(),
            operation.scope.as_str(),
            &operation.id,
            operation.method.as_str(),
            &operation.template,
        ];
        line(out, id_columns, cells)?;
    }
    let plural = if operations.len() == 1 { "" } else { "s" };
    writeln!(out, "\n{} operation{plural}", operations.len())
}

/// One row. Text that does not fit its column is shortened in the middle; `ops show` and `--json` have all of it.
fn line(out: &mut dyn Write, id_columns: usize, cells: [&str; 5]) -> io::Result<()> {
    let [class, scope, id, method, path] = cells;
    let taken = CLASS_COLUMNS + SCOPE_COLUMNS + id_columns + METHOD_COLUMNS + GAP_COLUMNS;
    let (id, path) = (
        truncate_middle(id, id_columns),
        truncate_middle(path, LINE_COLUMNS - taken),
    );
    writeln!(
        out,
        "{class:CLASS_COLUMNS$}  {scope:SCOPE_COLUMNS$}  {id:id_columns$}  {method:METHOD_COLUMNS$} {path}"
    )
}

fn truncate_middle(text: &str, columns: usize) -> String {
    let length = text.chars().count();
    if length <= columns {
        return text.to_owned();
    }
    let head = (columns - 1) / 2;
    let tail = columns - 1 - head;
    let start = text.chars().take(head);
    let end = text.chars().skip(length - tail);
    start.chain(['…']).chain(end).collect()
}

fn print_json(operations: &[&Operation], out: &mut dyn Write) -> io::Result<()> {
    let operations: Vec<Value> = operations.iter().map(|it| to_json(it)).collect();
    writeln!(
        out,
        "{}",
        json!({"schema": "ops/1", "operations": operations})
    )
}

fn to_json(operation: &Operation) -> Value {
    let parameters: Vec<Value> = operation
        .parameters
        .iter()
        .map(|it| json!({"name": it.name, "kind": it.kind.as_str()}))
        .collect();
    json!({
        "id": &*operation.id,
        "method": operation.method.as_str(),
        "path": operation.template,
        "tag": operation.tag,
        "class": operation.class.as_str(),
        "scope": operation.scope.as_str(),
        "scope_basis": operation.scope_basis,
        "needs": operation.required_identity.as_str(),
        "payload": non_empty(operation.payload.as_str()),
        "paging": non_empty(operation.paging.as_str()),
        "parameters": parameters,
        "secrets_if": operation.secrets_parameter,
        "notes": non_empty(&operation.notes),
    })
}

/// In the catalogue's table `-` means empty.
fn non_empty(text: &str) -> Option<&str> {
    (text != "-").then_some(text)
}

fn print_one(operation: &Operation, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}", operation.id)?;
    writeln!(out, "  {} {}", operation.method, operation.template)?;
    writeln!(out)?;
    let scope = format!("{} ({})", operation.scope, operation.scope_basis);
    let rows = [
        ("class", operation.class.to_string()),
        ("scope", scope),
        ("tag", operation.tag.to_string()),
        ("identity", identity(operation.required_identity).to_owned()),
        ("parameters", parameters(operation)),
        ("body", payload(operation.payload).to_owned()),
        (
            "paging",
            non_empty(operation.paging.as_str())
                .unwrap_or_default()
                .to_owned(),
        ),
        ("secrets", secrets(operation)),
        ("notes", notes(&operation.notes)),
    ];
    for (name, value) in rows.iter().filter(|(_, value)| !value.is_empty()) {
        writeln!(out, "  {name:11} {value}")?;
    }
    writeln!(out)?;
    writeln!(
        out,
        "  Allow it to a caller:  allow = [\"{}\"]",
        operation.id
    )
}

/// What the catalogue's notes mean. What is not known is shown as it is.
fn notes(written: &str) -> String {
    let written = non_empty(written).unwrap_or_default();
    let meanings = written.split(',').filter_map(|note| match note {
        "df" => Some("takes a device filter (df)"),
        "slow" => Some("NinjaOne may take long to answer"),
        "id-unofficial" => Some("the operation ID is not NinjaOne's own"),
        "body-may-carry-scripts" => Some("the body may carry scripts"),
        "one-per-client-app" => Some("there is one for each client application"),
        "may-redirect" => Some("NinjaOne may answer with a redirect"),
        // The row before says so.
        it if it.starts_with("secrets-if:") => None,
        it => Some(it),
    });
    meanings.collect::<Vec<_>>().join("; ")
}

const fn identity(needs: RequiredIdentity) -> &'static str {
    match needs {
        RequiredIdentity::Service => "service",
        RequiredIdentity::User => "user: NinjaOne refuses it to the machine identity",
        RequiredIdentity::MaybeUser => "service, or user if NinjaOne asks for a person",
    }
}

const fn payload(payload: Payload) -> &'static str {
    match payload {
        Payload::Plain => "",
        Payload::Upload => "takes a file",
        Payload::Download => "answers with a file",
    }
}

fn parameters(operation: &Operation) -> String {
    let mut text = String::new();
    for parameter in &operation.parameters {
        let comma = if text.is_empty() { "" } else { ", " };
        // Writing to a string does not fail.
        let _ = write!(
            text,
            "{comma}{} ({})",
            parameter.name,
            parameter.kind.as_str()
        );
    }
    text
}

fn secrets(operation: &Operation) -> String {
    match &operation.secrets_parameter {
        Some(name) => format!("of class secrets when the query has {name}, unless it is false"),
        None => String::new(),
    }
}
