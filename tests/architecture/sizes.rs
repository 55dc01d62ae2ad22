//! How long files and functions may grow.

use crate::{
    none,
    source_text::{functions, sources},
};

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;

#[test]
fn no_file_and_no_function_grows_too_long() {
    let mut findings = Vec::new();
    for file in sources() {
        let lines = file.text.lines().count();
        if lines > FILE_LINES_MAX {
            findings.push(format!(
                "{}:{lines}: longer than {FILE_LINES_MAX} lines",
                file.path
            ));
        }
        for (line, name, length) in functions(&file.code) {
            if length > FUNCTION_LINES_MAX {
                findings.push(format!(
                    "{}:{line}: `{name}` has {length} lines, more than {FUNCTION_LINES_MAX}",
                    file.path
                ));
            }
        }
    }
    none(&findings);
}
