//! Operations that page by a cursor: `{"cursor":{…},"results":[…]}`, generated row by row while they are sent.

use std::{
    collections::{HashMap, VecDeque},
    sync::MutexGuard,
    time::Duration,
};

use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};

use crate::{clock::Moment, lock::Lock, ninjaone::paging::Paging};

use super::{
    api::ApiCall,
    creation::mix,
    response::SandboxResponse,
    samples,
    world::{Device, NOW},
};

/// Rows of a page, unless `pageSize` says otherwise.
const PAGE_ROWS: usize = 100;

const PAGE_ROWS_MAX: usize = 10_000;

/// Most open cursors; a new one evicts the oldest.
const CURSORS_MAX: usize = 1_000;

const CURSOR_LIFE: Duration = Duration::from_mins(15);

/// Approximate size of the chunks of a long response, in bytes.
const CHUNK_BYTES: usize = 16 * 1024;

const PROGRAMS_PER_DEVICE: usize = 480;

/// The value of a secure field, shown only with `showSecureValues`.
const SECURE_VALUE: &str = "sandbox-secure-value";

const PROGRAMS: [(&str, &str); 6] = [
    ("7-Zip", "Igor Pavlov"),
    ("Mozilla Firefox", "Mozilla"),
    ("Microsoft Edge", "Microsoft Corporation"),
    ("LibreOffice", "The Document Foundation"),
    ("PuTTY", "Simon Tatham"),
    ("VLC media player", "VideoLAN"),
];

/// A client's position in a report. Only the same client may continue from it, and only in the same report.
#[derive(Clone)]
struct ReportCursor {
    operation: usize,
    client: usize,
    next: usize,
    ends: Moment,
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
    fn open(&self) -> MutexGuard<'_, OpenCursors> {
        self.0.lock()
    }

    /// The next row of the cursor `name`, if the client of `call` may continue from it.
    fn position(&self, name: &str, call: &ApiCall<'_>) -> Option<usize> {
        let cursor = self.open().by_name.get(name).cloned()?;
        let fits = cursor.operation == call.operation.index
            && cursor.client == call.bearer.client
            && Moment::now() < cursor.ends;
        fits.then_some(cursor.next)
    }

    /// Opens a cursor at row `next` and gives its name.
    fn add(&self, call: &ApiCall<'_>, next: usize) -> String {
        let mut open = self.open();
        open.count += 1;
        let name = format!(
            "{:016x}{:016x}",
            mix(call.state.seed ^ mix(open.count)),
            mix(open.count.wrapping_mul(31)),
        );
        if open.by_age.len() == CURSORS_MAX
            && let Some(oldest) = open.by_age.pop_front()
        {
            open.by_name.remove(&oldest);
        }
        open.by_age.push_back(name.clone());
        open.by_name.insert(
            name.clone(),
            ReportCursor {
                operation: call.operation.index,
                client: call.bearer.client,
                next,
                ends: Moment::now().plus(CURSOR_LIFE),
            },
        );
        name
    }
}

/// The response of an operation that pages by a cursor and whose row format is known.
pub(super) fn respond(call: &ApiCall<'_>) -> Option<SandboxResponse> {
    if call.operation.paging != Paging::Cursor {
        return None;
    }
    let rows = ReportSource::of(call)?;
    Some(page(call, rows).unwrap_or_else(|refusal| refusal))
}

fn page(call: &ApiCall<'_>, source: ReportSource) -> Result<SandboxResponse, SandboxResponse> {
    let query = &call.request.query;
    let start = match query.get("cursor").filter(|name| !name.is_empty()) {
        None => 0,
        Some(name) => call.state.cursors.position(name, call).ok_or_else(|| {
            let message = "The cursor does not exist or has expired";
            SandboxResponse::application_error(StatusCode::BAD_REQUEST, "INVALID_CURSOR", message)
        })?,
    };
    let size = query
        .number("pageSize")
        .and_then(|size| usize::try_from(size).ok())
        .unwrap_or(PAGE_ROWS)
        .clamp(1, PAGE_ROWS_MAX);
    let total = source.total();
    let end = total.min(start.saturating_add(size));
    let cursor = (end < total).then(|| {
        json!({
            "name": call.state.cursors.add(call, end),
            "offset": start,
            "count": end - start,
            "expires": NOW + CURSOR_LIFE.as_secs_f64(),
        })
    });
    Ok(SandboxResponse::rows(ReportRows::new(
        cursor.as_ref(),
        source,
        start,
        end,
    )))
}

/// What the rows of a report are made from.
struct ReportSource {
    devices: Vec<Device>,
    kind: RowKind,
}

enum RowKind {
    /// Programs: many rows a device, so that there is something long to read.
    Software,
    /// The same row for each device.
    Sample { row: Value, secure: bool },
}

impl ReportSource {
    fn of(call: &ApiCall<'_>) -> Option<Self> {
        let kind = if &*call.operation.id == "getSoftware" {
            RowKind::Software
        } else {
            let sample = samples::sample(&call.operation.id)?;
            RowKind::Sample {
                row: sample.get("results")?.get(0)?.clone(),
                secure: call.request.query.is_true("showSecureValues"),
            }
        };
        let devices = call.state.world.data().devices.clone();
        Some(Self { devices, kind })
    }

    fn total(&self) -> usize {
        match self.kind {
            RowKind::Software => self.devices.len() * PROGRAMS_PER_DEVICE,
            RowKind::Sample { .. } => self.devices.len(),
        }
    }

    fn row(&self, index: usize) -> Value {
        match &self.kind {
            RowKind::Software => {
                let device = self.devices.get(index / PROGRAMS_PER_DEVICE);
                program(device, index % PROGRAMS_PER_DEVICE)
            }
            RowKind::Sample { row, secure } => {
                for_device(row.clone(), self.devices.get(index), *secure)
            }
        }
    }
}

fn program(device: Option<&Device>, number: usize) -> Value {
    let (name, publisher) = PROGRAMS
        .get(number % PROGRAMS.len())
        .copied()
        .unwrap_or_default();
    let edition = number / PROGRAMS.len() + 1;
    json!({
        "installDate": "2026-03-02",
        "location": format!("C:\\Program Files\\{name} {edition}"),
        "name": format!("{name} {edition}"),
        "publisher": publisher,
        "size": 4096 * edition,
        "version": format!("{edition}.{number}.0"),
        "deviceId": device.map(|it| it.id),
        "timestamp": NOW,
    })
}

/// The sample row, with the device's own values filled in.
fn for_device(mut row: Value, device: Option<&Device>, secure: bool) -> Value {
    let (Some(device), Some(members)) = (device, row.as_object_mut()) else {
        return row;
    };
    let known = [
        ("deviceId", json!(device.id)),
        ("entityId", json!(device.id)),
        ("organizationId", json!(device.organization_id)),
        ("locationId", json!(device.location_id)),
        ("offline", json!(device.offline)),
        ("fields", fields(device, secure)),
    ];
    for (name, value) in known {
        if let Some(member) = members.get_mut(name) {
            *member = value;
        }
    }
    row
}

/// One field that anybody may read and one that is masked unless secure values are asked for.
fn fields(device: &Device, secure: bool) -> Value {
    let password = if secure { SECURE_VALUE } else { "********" };
    json!({"assetTag": device.details.system.serial_number, "localAdminPassword": password})
}

/// A page of rows that is serialised chunk by chunk.
pub(super) struct ReportRows {
    head: Option<String>,
    source: ReportSource,
    next: usize,
    end: usize,
    is_done: bool,
}

impl ReportRows {
    fn new(cursor: Option<&Value>, source: ReportSource, start: usize, end: usize) -> Self {
        let head = match cursor {
            Some(cursor) => format!("{{\"cursor\":{cursor},\"results\":["),
            None => "{\"results\":[".to_owned(),
        };
        Self {
            head: Some(head),
            source,
            next: start,
            end,
            is_done: false,
        }
    }

    /// The next bytes; `None` when all have been given.
    pub(super) fn next_chunk(&mut self) -> Option<Bytes> {
        if self.is_done {
            return None;
        }
        let is_first = self.head.is_some();
        let mut chunk = self.head.take().unwrap_or_default();
        let start = self.next;
        while self.next < self.end && chunk.len() < CHUNK_BYTES {
            if !(is_first && self.next == start) {
                chunk.push(',');
            }
            chunk.push_str(&self.source.row(self.next).to_string());
            self.next += 1;
        }
        if self.next == self.end {
            chunk.push_str("]}");
            self.is_done = true;
        }
        Some(chunk.into())
    }
}
