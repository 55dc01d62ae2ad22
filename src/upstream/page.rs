//! Judges pages: HTML where the API answers with JSON. NinjaOne shows one when a limit is reached, as often as it says 429; gateways
//! and firewalls before it show theirs for errors of any kind. Status, method and text tell them apart, because what is taken
//! for a limit slows down everybody who shares the tenant.

use std::{borrow::Cow, io::Read, time::Duration};

use flate2::read::{DeflateDecoder, GzDecoder, ZlibDecoder};
use http::{StatusCode, header};
use memchr::memmem;

use crate::{
    net::response::ResponseHeaders,
    ninjaone::{api_error, operation::Payload},
};

use super::{
    attempt_result::{AttemptResult, ErrorPage, UpstreamResponse},
    tenant_upstream::ThrottleKind,
};

/// How much of a page is read, in bytes as it was sent.
const PAGE_BYTES_MAX: usize = 64 * 1024;
/// How much text a compressed page may unfold into, in bytes.
const PAGE_TEXT_BYTES_MAX: u64 = 64 * 1024;
/// How long a page is waited for; then it is judged by what has come.
const PAGE_WAIT_MS_MAX: u64 = 2_000;

/// What pages of limits say, in lower case.
const LIMIT_WORDS: [&[u8]; 3] = [
    b"rate limit",
    b"too many requests",
    b"request limit exceeded",
];

/// Whether a response to be judged here says that it is a page. Redirects carry pages by custom, and an operation that downloads
/// a file may return one: then the response says that it is an attachment.
pub(super) fn is_page(status: StatusCode, headers: &ResponseHeaders, payload: Payload) -> bool {
    let content_type = headers.get(&header::CONTENT_TYPE);
    let is_html = content_type
        .and_then(|it| it.to_str().ok())
        .is_some_and(api_error::is_html);
    let is_attachment =
        payload == Payload::Download && headers.contains(&header::CONTENT_DISPOSITION);
    is_html && !status.is_redirection() && !is_attachment
}

/// Reads a page and judges it. `is_read`: the request changes nothing, so being told to send it again does no harm.
/// `retry_after` is what the response says.
pub(super) async fn judge(
    mut response: UpstreamResponse,
    is_read: bool,
    retry_after: Option<Duration>,
) -> AttemptResult {
    let wait_max = Duration::from_millis(PAGE_WAIT_MS_MAX);
    let text = response.body.read_start(PAGE_BYTES_MAX, wait_max).await;
    if response.body.is_ended() {
        return pass_on_without_type(response);
    }
    let status = response.status;
    let names_limit = || decoded(&text, &response.headers).is_some_and(|it| names_limit(&it));
    let is_throttle = is_read
        && match status.as_u16() {
            200 => true,
            403 | 503 => names_limit(),
            _ => false,
        };
    if is_throttle {
        return AttemptResult::Throttled(ThrottleKind::HtmlPage, retry_after);
    }
    AttemptResult::Page(ErrorPage {
        status,
        retry_after,
        shows_limit: !is_read && status.is_success() && names_limit(),
    })
}

/// There is no page: only its type was announced.
pub(super) fn pass_on_without_type(mut response: UpstreamResponse) -> AttemptResult {
    response.headers.remove(&header::CONTENT_TYPE);
    response.into()
}

/// The text of a page, as far as it can be decoded; none if it is encoded in a way that is not read here.
fn decoded<'a>(bytes: &'a [u8], headers: &ResponseHeaders) -> Option<Cow<'a, [u8]>> {
    let mut encodings = headers
        .iter()
        .filter(|(name, _)| **name == header::CONTENT_ENCODING);
    let Some((_, encoding)) = encodings.next() else {
        return Some(Cow::Borrowed(bytes));
    };
    let encoding = encoding.to_str().ok()?.trim().to_ascii_lowercase();
    if encodings.next().is_some() {
        return None;
    }
    Some(match encoding.as_str() {
        "" | "identity" => Cow::Borrowed(bytes),
        "gzip" | "x-gzip" => Cow::Owned(unfolded(GzDecoder::new(bytes))),
        // RFC 9110 section 8.4.1.2: with the zlib format around it, which some servers leave out.
        "deflate" => {
            let text = unfolded(ZlibDecoder::new(bytes));
            Cow::Owned(if text.is_empty() {
                unfolded(DeflateDecoder::new(bytes))
            } else {
                text
            })
        }
        _ => return None,
    })
}

/// What a decoder gives, up to the bound or to where it fails: a page is cut where its first bytes end.
fn unfolded(decoder: impl Read) -> Vec<u8> {
    let mut text = Vec::new();
    // The text before an error stays.
    drop(decoder.take(PAGE_TEXT_BYTES_MAX).read_to_end(&mut text));
    text
}

fn names_limit(page: &[u8]) -> bool {
    let contains_words = |text: &[u8]| {
        LIMIT_WORDS
            .iter()
            .any(|words| memmem::find(text, words).is_some())
    };
    contains_words(&normalized(page, false)) || contains_words(&normalized(page, true))
}

/// A page's text in lower case, with one blank where it has some. `without_tags`: a tag counts as a blank.
fn normalized(page: &[u8], without_tags: bool) -> Vec<u8> {
    const NO_BREAK_SPACE: &[u8] = b"&nbsp;";
    let mut text = Vec::with_capacity(page.len());
    let (mut rest, mut is_in_tag) = (page, false);
    while let [byte, after @ ..] = rest {
        rest = after;
        is_in_tag |= without_tags && *byte == b'<';
        let is_blank = if *byte == b'&' && after.starts_with(&NO_BREAK_SPACE[1..]) {
            rest = &after[NO_BREAK_SPACE.len() - 1..];
            true
        } else {
            is_in_tag || byte.is_ascii_whitespace()
        };
        is_in_tag &= *byte != b'>';
        if !is_blank {
            text.push(byte.to_ascii_lowercase());
        } else if text.last().is_some_and(|it| *it != b' ') {
            text.push(b' ');
        }
    }
    text
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use std::io::Write;

    use flate2::{
        Compression,
        write::{DeflateEncoder, GzEncoder, ZlibEncoder},
    };
    use http::HeaderValue;

    use super::*;

    #[test]
    fn words_of_a_limit_are_found_however_a_page_is_laid_out() {
        for page in [
            "<html><title>429 Too Many Requests</title></html>",
            "<p>You have exceeded the RATE\r\n   LIMIT</p>",
            "<p>Rate&nbsp;limit reached</p>",
            "<h1>Request <b>limit</b> exceeded</h1>",
            "<!-- rate limited -->",
        ] {
            assert!(names_limit(page.as_bytes()), "{page}");
        }
        for page in [
            "",
            "<html>Bad Gateway</html>",
            "<p>The interest rate</p><p>has no limit</p>",
            "<p>too many cooks</p>",
            "<",
            "&",
            "&nbsp;",
        ] {
            assert!(!names_limit(page.as_bytes()), "{page}");
        }
    }

    fn text_of(bytes: &[u8], encodings: &[&'static str]) -> Option<Vec<u8>> {
        let mut headers = ResponseHeaders::default();
        for encoding in encodings {
            let value = HeaderValue::from_static(encoding);
            headers.append(header::CONTENT_ENCODING, value);
        }
        decoded(bytes, &headers).map(Cow::into_owned)
    }

    fn gzipped(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn gzip_and_deflate_are_read_and_nothing_else() {
        let page = b"<html>rate limit</html>".repeat(20);
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
        zlib.write_all(&page).unwrap();
        let mut deflate = DeflateEncoder::new(Vec::new(), Compression::default());
        deflate.write_all(&page).unwrap();

        assert_eq!(text_of(&page, &[]).unwrap(), page);
        assert_eq!(text_of(&page, &["identity"]).unwrap(), page);
        assert_eq!(text_of(&gzipped(&page), &["GZip"]).unwrap(), page);
        assert_eq!(text_of(&gzipped(&page), &["x-gzip"]).unwrap(), page);
        assert_eq!(
            text_of(&zlib.finish().unwrap(), &["deflate"]).unwrap(),
            page
        );
        assert_eq!(
            text_of(&deflate.finish().unwrap(), &["deflate"]).unwrap(),
            page
        );
        for others in [&["br"][..], &["gzip, gzip"], &["gzip", "gzip"]] {
            assert_eq!(text_of(&gzipped(&page), others), None, "{others:?}");
        }
    }

    #[test]
    fn a_cut_page_is_read_as_far_as_it_goes_and_a_long_one_up_to_the_bound() {
        let text = b"rate limit ".repeat(100_000);
        let page = gzipped(&text);
        let most = usize::try_from(PAGE_TEXT_BYTES_MAX).unwrap();

        assert_eq!(text_of(&page, &["gzip"]).unwrap().len(), most);
        let cut = text_of(&page[..page.len() / 2], &["gzip"]).unwrap();
        assert!(names_limit(&cut));
        assert_eq!(text_of(b"no gzip", &["gzip"]).unwrap(), b"");
    }
}
