//! Reads `multipart/form-data`: the files and fields that a form carries.

use http::{HeaderMap, header::CONTENT_TYPE};
use percent_encoding::percent_decode_str;

/// Further parts are ignored.
const PARTS_MAX: usize = 64;

/// A field or a file of a form.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FormPart<'a> {
    pub(super) name: String,
    /// `None`: a field.
    pub(super) file_name: Option<String>,
    pub(super) content_type: Option<String>,
    pub(super) bytes: &'a [u8],
}

/// The request carries no form of this kind.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("The body must be multipart/form-data with a boundary")]
pub(super) struct FormPartsError;

/// The parts in the order received. The last one may have lost its end: of a long body we keep the beginning only.
pub(super) fn parse<'a>(
    headers: &HeaderMap,
    body: &'a [u8],
) -> Result<Vec<FormPart<'a>>, FormPartsError> {
    let content_type = headers.get(CONTENT_TYPE).and_then(|it| it.to_str().ok());
    let boundary = content_type
        .filter(|it| it.to_ascii_lowercase().starts_with("multipart/form-data"))
        .and_then(|it| parameter(it, "boundary"))
        .filter(|it| !it.is_empty())
        .ok_or(FormPartsError)?;
    let delimiter = format!("\r\n--{boundary}");
    let opening = delimiter.as_bytes().get(2..).unwrap_or_default();
    let (_, mut rest) = split(body, opening).ok_or(FormPartsError)?;
    let mut parts = Vec::new();
    while parts.len() < PARTS_MAX && !rest.starts_with(b"--") {
        let Some((_, after)) = split(rest, b"\r\n") else {
            break;
        };
        let (part, after) = split(after, delimiter.as_bytes()).unwrap_or((after, b"--"));
        parts.extend(form_part(part));
        rest = after;
    }
    Ok(parts)
}

/// What is before and after the first occurrence.
fn split<'a>(bytes: &'a [u8], separator: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = bytes
        .windows(separator.len())
        .position(|it| it == separator)?;
    let after = bytes.get(at + separator.len()..)?;
    Some((bytes.get(..at)?, after))
}

/// `None`: it has no name, or its headers have no end.
fn form_part(part: &[u8]) -> Option<FormPart<'_>> {
    let (head, bytes) = split(part, b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(head);
    let header = |name: &str| {
        head.lines().find_map(|line| {
            let (known, value) = line.split_once(':')?;
            known
                .trim()
                .eq_ignore_ascii_case(name)
                .then(|| value.trim())
        })
    };
    let disposition = header("content-disposition")?;
    Some(FormPart {
        name: parameter(disposition, "name")?,
        file_name: encoded_file_name(disposition).or_else(|| parameter(disposition, "filename")),
        content_type: header("content-type").map(str::to_owned),
        bytes,
    })
}

/// Of RFC 5987: `filename*=UTF-8''na%C3%AFve.txt`.
fn encoded_file_name(disposition: &str) -> Option<String> {
    let value = parameter(disposition, "filename*")?;
    let text = value.rsplit('\'').next()?;
    Some(percent_decode_str(text).decode_utf8_lossy().into_owned())
}

/// A parameter of a header's value: `; name=value` or `; name="value"`. A quote ends a quoted value.
fn parameter(header: &str, wanted: &str) -> Option<String> {
    let (_, mut rest) = header.split_once(';')?;
    while let Some((name, value)) = rest.split_once('=') {
        let (value, after) = match value.strip_prefix('"') {
            Some(quoted) => {
                let (value, after) = quoted.split_once('"')?;
                (value, after.split_once(';').map_or("", |(_, after)| after))
            }
            None => value.split_once(';').unwrap_or((value, "")),
        };
        if name.trim().eq_ignore_ascii_case(wanted) {
            return Some(value.trim().to_owned());
        }
        rest = after;
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use http::HeaderValue;

    use super::*;

    fn headers(content_type: &'static str) -> HeaderMap {
        let value = HeaderValue::from_static(content_type);
        HeaderMap::from_iter([(CONTENT_TYPE, value)])
    }

    #[test]
    fn fields_and_files_are_told_apart() {
        let body = b"preamble\r\n--x y\r\nContent-Disposition: form-data; name=\"folderId\"\r\n\r\n7\r\n--x y\r\n\
            content-disposition: form-data; filename=\"a;b.txt\"; name=files\r\nContent-Type: text/plain\r\n\r\none\r\ntwo\r\n--x y--\r\n";
        let parts = parse(&headers("multipart/form-data; boundary=\"x y\""), body).unwrap();
        assert_eq!(parts.len(), 2);
        assert_eq!((&*parts[0].name, parts[0].bytes), ("folderId", &b"7"[..]));
        assert_eq!(parts[0].file_name, None);
        assert_eq!(parts[1].file_name.as_deref(), Some("a;b.txt"));
        assert_eq!(parts[1].content_type.as_deref(), Some("text/plain"));
        assert_eq!(parts[1].bytes, b"one\r\ntwo");
    }

    #[test]
    fn a_part_without_an_end_is_kept_as_far_as_it_goes() {
        let body = b"--b\r\nContent-Disposition: form-data; name=f; filename*=UTF-8''na%C3%AFve.txt\r\n\r\nbegin";
        let parts = parse(&headers("multipart/form-data; boundary=b"), body).unwrap();
        assert_eq!(parts[0].file_name.as_deref(), Some("na\u{ef}ve.txt"));
        assert_eq!(parts[0].bytes, b"begin");
    }

    #[test]
    fn what_is_no_such_form_is_refused() {
        for content_type in [
            "application/json",
            "multipart/form-data",
            "multipart/form-data; boundary=",
        ] {
            assert_eq!(
                parse(&headers(content_type), b"--\r\n"),
                Err(FormPartsError)
            );
        }
        assert_eq!(
            parse(&headers("multipart/form-data; boundary=b"), b"{}"),
            Err(FormPartsError)
        );
    }
}
