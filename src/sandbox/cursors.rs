//! Cursors: a client's place in a report, kept here and moved on by each page.
//!
//! One name leads through all pages, as some clients report. Others report a new name with each page: the switch
//! `new_cursor_names` does that. A page after the last one has no rows and still a cursor.

use std::collections::{HashMap, VecDeque};

use http::StatusCode;
use serde_json::{Value, json};

use crate::lock::Lock;

use super::{
    answer::Report,
    call::ApiCall,
    report_rows::ReportRows,
    response::SandboxResponse,
    schema::{ApiDescription, Expression, complete},
    seeded_rng::mix,
};

/// Rows of a page, unless `pageSize` says otherwise.
const PAGE_ROWS: usize = 100;

const PAGE_ROWS_MAX: usize = 10_000;

/// Most open cursors; a new one evicts the oldest.
const CURSORS_MAX: usize = 1_000;

const CURSOR_LIFE_SECONDS: u64 = 900;

/// Only the same client may continue, and only in the same report.
#[derive(Clone)]
struct ReportCursor {
    operation: usize,
    client: usize,
    next: usize,
    /// In seconds since 1970, by the sandbox's clock.
    ends: u64,
}

/// The open cursors. Their state is in the server, not in their names.
#[derive(Default)]
pub(super) struct Cursors(Lock<OpenCursors>);

#[derive(Default)]
struct OpenCursors {
    by_name: HashMap<String, ReportCursor>,
    by_age: VecDeque<String>,
    count: u64,
}

impl Cursors {
    pub(super) fn clear(&self) {
        *self.0.lock() = OpenCursors::default();
    }

    /// The next row of the cursor `name`, if the client of `call` may continue from it.
    fn position(&self, name: &str, call: &ApiCall<'_>, now: u64) -> Option<usize> {
        let cursor = self.0.lock().by_name.get(name).cloned()?;
        let fits = cursor.operation == call.operation.index
            && cursor.client == call.bearer.client
            && now < cursor.ends;
        fits.then_some(cursor.next)
    }

    /// Moves the cursor `name` to row `next`, or opens one. Gives its name.
    fn keep(&self, name: Option<&str>, call: &ApiCall<'_>, (next, ends): (usize, u64)) -> String {
        let mut open = self.0.lock();
        if let Some(name) = name
            && let Some(cursor) = open.by_name.get_mut(name)
        {
            (cursor.next, cursor.ends) = (next, ends);
            return name.to_owned();
        }
        open.add(call, next, ends)
    }
}

impl OpenCursors {
    fn add(&mut self, call: &ApiCall<'_>, next: usize, ends: u64) -> String {
        self.count += 1;
        let name = format!(
            "{:016x}{:016x}",
            mix(call.seed ^ mix(self.count)),
            mix(self.count.wrapping_mul(31)),
        );
        if self.by_age.len() == CURSORS_MAX
            && let Some(oldest) = self.by_age.pop_front()
        {
            self.by_name.remove(&oldest);
        }
        self.by_age.push_back(name.clone());
        let cursor = ReportCursor {
            operation: call.operation.index,
            client: call.bearer.client,
            next,
            ends,
        };
        self.by_name.insert(name.clone(), cursor);
        name
    }
}

/// What the pages of a report name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum CursorNames {
    OneForAll,
    NewWithEach,
}

/// The page of a report that the call asks for.
///
/// # Errors
/// 400: its cursor does not exist, has expired, or is of another client or report.
pub(super) fn page(
    cursors: &Cursors,
    names: CursorNames,
    call: &ApiCall<'_>,
    now: u64,
    (status, report): (StatusCode, Report),
) -> Result<SandboxResponse, SandboxResponse> {
    let given = call.query("cursor").filter(|name| !name.is_empty());
    let start = match given {
        None => 0,
        Some(name) => cursors
            .position(name, call, now)
            .ok_or_else(no_such_cursor)?,
    };
    let end = report.total.min(start.saturating_add(page_rows(call)));
    let kept = given.filter(|_| names == CursorNames::OneForAll);
    let ends = now + CURSOR_LIFE_SECONDS;
    let cursor = json!({
        "name": cursors.keep(kept, call, (end, ends)),
        "offset": start,
        "count": end - start,
        "expires": ends,
    });
    let rows = ReportRows::new(&cursor, completed(call, report), start, end);
    Ok(SandboxResponse::rows(status, rows))
}

fn page_rows(call: &ApiCall<'_>) -> usize {
    call.request
        .query
        .number("pageSize")
        .and_then(|size| usize::try_from(size).ok())
        .unwrap_or(PAGE_ROWS)
        .clamp(1, PAGE_ROWS_MAX)
}

/// The rows in the form that the description declares for the items of `results`.
fn completed(call: &ApiCall<'_>, report: Report) -> Box<dyn Fn(usize) -> Value + Send> {
    let (seed, row) = (call.seed, report.row);
    let item = row_type(&call.operation.id);
    Box::new(move |index| match item {
        Some(item) => complete(item, row(index), seed),
        None => row(index),
    })
}

fn row_type(operation: &str) -> Option<Expression> {
    let schema = ApiDescription::get();
    let Expression::Named(report) = schema.answer(operation)?.answer? else {
        return None;
    };
    let results = schema
        .members(report)
        .iter()
        .find(|it| it.name == "results")?;
    match results.expression {
        Expression::List(item) => Some(Expression::parse(item)),
        _ => None,
    }
}

fn no_such_cursor() -> SandboxResponse {
    let message = "The cursor does not exist or has expired";
    SandboxResponse::application_error(StatusCode::BAD_REQUEST, "INVALID_CURSOR", message)
}
