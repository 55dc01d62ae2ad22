//! The parts of a `multipart/form-data` body.

use http::{HeaderMap, header::CONTENT_TYPE};

/// Most parts that are looked at.
const PARTS_MAX: usize = 100;

/// One field of a form, or one file.
pub(super) struct FormPart<'a> {
    pub(super) name: String,
    /// Only files have one.
    pub(super) file_name: Option<String>,
    pub(super) content: &'a [u8],
}

/// The parts in their order. `None`: the body is no such form.
pub(super) fn form_parts<'a>(headers: &HeaderMap, body: &'a [u8]) -> Option<Vec<FormPart<'a>>> {
    let content_type = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let boundary = parameter(content_type, "boundary")?;
    let delimiter = format!("--{boundary}");
    let mut rest = after(body, delimiter.as_bytes())?;
    let next = format!("\r\n{delimiter}");
    let mut parts = Vec::new();
    while let Some(part) = rest.strip_prefix(b"\r\n") {
        let end = find(part, next.as_bytes())?;
        parts.extend(form_part(part.get(..end)?));
        rest = part.get(end + next.len()..)?;
        if parts.len() == PARTS_MAX {
            break;
        }
    }
    Some(parts)
}

fn form_part(bytes: &[u8]) -> Option<FormPart<'_>> {
    let end = find(bytes, b"\r\n\r\n")?;
    let head = std::str::from_utf8(bytes.get(..end)?).ok()?;
    let disposition = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-disposition")
            .then_some(value)
    })?;
    Some(FormPart {
        name: parameter(disposition, "name")?,
        file_name: parameter(disposition, "filename"),
        content: bytes.get(end + 4..)?,
    })
}

/// The value of `name=value` or `name="value"` after a semicolon.
fn parameter(header: &str, name: &str) -> Option<String> {
    header.split(';').skip(1).find_map(|it| {
        let (known, value) = it.trim().split_once('=')?;
        known
            .eq_ignore_ascii_case(name)
            .then(|| value.trim_matches('"').to_owned())
    })
}

fn after<'a>(bytes: &'a [u8], what: &[u8]) -> Option<&'a [u8]> {
    bytes.get(find(bytes, what)? + what.len()..)
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|it| it == what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_and_files_are_told_apart() {
        let mut headers = HeaderMap::new();
        let content_type = "multipart/form-data; boundary=\"a b\"".parse().unwrap();
        headers.insert(CONTENT_TYPE, content_type);
        let body = b"--a b\r\nContent-Disposition: form-data; name=\"comment\"\r\n\r\n{}\r\n\
            --a b\r\ncontent-disposition: form-data; name=files; filename=\"a.txt\"\r\nContent-Type: text/plain\r\n\r\n\r\nx\r\n\r\n--a b--\r\n";
        let parts = form_parts(&headers, body).unwrap();
        let seen: Vec<_> = parts
            .iter()
            .map(|it| (&*it.name, it.file_name.as_deref(), it.content))
            .collect();
        assert_eq!(
            seen,
            [
                ("comment", None, &b"{}"[..]),
                ("files", Some("a.txt"), b"\r\nx\r\n")
            ]
        );
        assert!(form_parts(&HeaderMap::new(), body).is_none());
        assert!(form_parts(&headers, b"--a b\r\nContent-").is_none());
    }
}
