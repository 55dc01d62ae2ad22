//! The audit log as it is on disk.

use std::{fs, path::Path};

use ninjaone_proxy::audit::log_file;
use serde_json::Value;

/// Every whole line in `directory`, oldest first.
pub(crate) fn texts(directory: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    for file in log_file::list_log_files(directory).unwrap() {
        let text = fs::read_to_string(file.path).unwrap();
        let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
        lines.extend(whole.split_terminator('\n').map(str::to_owned));
    }
    lines
}

/// The same, read.
pub(crate) fn lines(directory: &Path) -> Vec<Value> {
    let texts = texts(directory).into_iter();
    let read =
        texts.map(|it| serde_json::from_str(&it).unwrap_or_else(|_| panic!("no JSON: {it}")));
    read.collect()
}
