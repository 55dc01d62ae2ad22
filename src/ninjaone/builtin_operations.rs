//! Parses `operations.tsv`: one row for each operation, columns by position, `-` for an empty one.

use crate::{
    net::Method,
    ninjaone::{
        operation::{
            Operation, Parameter, ParameterKind, Payload, RequiredIdentity, RiskClass, Scope,
        },
        paging::Paging,
    },
};

/// The table that is built in. A row that does not parse is left out; the tests hold that none is.
const TABLE: &str = include_str!("operations.tsv");

const COLUMNS: usize = 12;

const SECRETS_NOTE: &str = "secrets-if:";

/// The built-in operations in the order of the table, numbered from 0.
#[must_use]
pub fn builtin_operations() -> Vec<Operation> {
    TABLE
        .lines()
        .skip(1)
        .filter_map(parse_row)
        .enumerate()
        .map(|(index, operation)| Operation { index, ..operation })
        .collect()
}

fn parse_row(row: &str) -> Option<Operation> {
    let mut cells = row.split('\t');
    let columns: [&str; COLUMNS] = std::array::from_fn(|_| cells.next().unwrap_or_default());
    let [
        method,
        template,
        id,
        tag,
        scope,
        basis,
        class,
        identity,
        body,
        paging,
        notes,
        parameters,
    ] = columns;
    Some(Operation {
        index: 0,
        id: id.into(),
        method: Method::parse(method)?,
        template: template.into(),
        tag: tag.into(),
        scope: Scope::parse(scope)?,
        scope_basis: basis.into(),
        class: RiskClass::parse(class)?,
        required_identity: RequiredIdentity::parse(identity)?,
        payload: Payload::parse(body)?,
        parameters: parse_parameters(parameters)?,
        secrets_parameter: secrets_parameter(notes),
        paging: Paging::parse(paging)?,
        notes: notes.into(),
    })
}

/// `id:int,uid:text`, or `-`.
fn parse_parameters(cell: &str) -> Option<Box<[Parameter]>> {
    if cell == "-" {
        return Some(Box::default());
    }
    cell.split(',')
        .map(|pair| {
            let (name, kind) = pair.split_once(':')?;
            Some(Parameter {
                name: name.into(),
                kind: ParameterKind::parse(kind)?,
            })
        })
        .collect()
}

/// `showSecureValues` of the note `secrets-if:showSecureValues=true`.
fn secrets_parameter(notes: &str) -> Option<Box<str>> {
    notes
        .split(',')
        .find_map(|note| note.strip_prefix(SECRETS_NOTE))
        .and_then(|switch| switch.strip_suffix("=true"))
        .map(Into::into)
}
