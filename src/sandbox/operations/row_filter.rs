//! Which rows of a device's parts a query is about: patches by status, services by name, and so on.

use serde_json::Value;

use crate::sandbox::{
    answer::bad_request,
    call::ApiCall,
    response::SandboxResponse,
    time_text::parse_time,
    world::{Record, integer},
};

/// What a row must have.
pub(super) struct RowFilter {
    /// Members and their values, in any case.
    equal: Vec<(&'static str, String)>,
    installed_before: Option<u64>,
    installed_after: Option<u64>,
    /// `ts`: the device was seen at this time or after it.
    seen_since: Option<u64>,
}

impl RowFilter {
    /// `members` can be asked for by a parameter of the same name.
    ///
    /// # Errors
    /// 400: a time is none.
    pub(super) fn of(
        call: &ApiCall<'_>,
        members: &[&'static str],
    ) -> Result<Self, SandboxResponse> {
        let equal = members.iter().filter_map(|member| {
            let wanted = call.query(member).filter(|it| !it.is_empty())?;
            Some((*member, wanted.to_owned()))
        });
        Ok(Self {
            equal: equal.collect(),
            installed_before: time(call, "installedBefore")?,
            installed_after: time(call, "installedAfter")?,
            seen_since: time(call, "ts")?,
        })
    }

    pub(super) fn fits(&self, row: &Record) -> bool {
        let has = |(member, wanted): &(&str, String)| {
            row.get(*member)
                .and_then(Value::as_str)
                .is_some_and(|it| it.eq_ignore_ascii_case(wanted))
        };
        self.equal.iter().all(has)
            && (self.is_about_all_times()
                || integer(row, "installedAt").is_some_and(|at| self.fits_installation(at)))
    }

    const fn is_about_all_times(&self) -> bool {
        self.installed_before.is_none() && self.installed_after.is_none()
    }

    pub(super) fn fits_installation(&self, at: u64) -> bool {
        self.installed_before.is_none_or(|before| at < before)
            && self.installed_after.is_none_or(|after| at > after)
    }

    pub(super) fn fits_device(&self, device: &Record) -> bool {
        self.seen_since
            .is_none_or(|since| integer(device, "lastUpdate").is_some_and(|at| at >= since))
    }
}

/// The time in a parameter of the query, in seconds since 1970.
///
/// # Errors
/// 400: it is none.
pub(super) fn time(call: &ApiCall<'_>, name: &str) -> Result<Option<u64>, SandboxResponse> {
    call.query(name)
        .filter(|it| !it.is_empty())
        .map(|text| {
            parse_time(text)
                .map(|it| it.start)
                .ok_or_else(|| bad_request(&format!("{name} is no time")))
        })
        .transpose()
}
