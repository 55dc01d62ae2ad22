//! Query parameters that choose among the records of a list.

use crate::sandbox::{
    call::ApiCall,
    world::{Record, integer, text},
};

/// Whether the parameter is absent or lists the number in this member: `2,17`.
pub(super) fn lists(call: &ApiCall<'_>, parameter: &str, record: &Record, member: &str) -> bool {
    call.query(parameter).is_none_or(|wanted| {
        wanted
            .split(',')
            .any(|it| it.trim().parse().ok() == integer(record, member))
    })
}

/// Whether the parameter is absent or a part of the text in this member, in any case.
pub(super) fn names(call: &ApiCall<'_>, parameter: &str, record: &Record, member: &str) -> bool {
    call.query(parameter).is_none_or(|wanted| {
        let known = text(record, member).unwrap_or_default().to_lowercase();
        known.contains(&wanted.to_lowercase())
    })
}

/// Whether the parameter is absent or what this member says.
pub(super) fn says(call: &ApiCall<'_>, parameter: &str, record: &Record, member: &str) -> bool {
    call.query(parameter)
        .is_none_or(|wanted| wanted.eq_ignore_ascii_case("true") == is_true(record, member))
}

/// Whether the record is not archived, or `includeArchived` asks for those too. `member` says whether it is.
pub(super) fn is_open(call: &ApiCall<'_>, record: &Record, member: &str) -> bool {
    call.request.query.is_true("includeArchived") || !is_true(record, member)
}

pub(super) fn is_true(record: &Record, member: &str) -> bool {
    record.get(member).is_some_and(|it| it == true)
}
