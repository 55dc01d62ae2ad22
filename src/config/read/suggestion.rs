//! "Did you mean": finds the known name that is closest to a misspelt one.

/// Minimum similarity, from 0 to 1, for a word to be suggested.
const SIMILARITY_MIN: f64 = 0.75;
/// Words longer than this are not compared: the comparison is quadratic.
const WORD_BYTES_MAX: usize = 128;

/// What other programs call a setting, and what it is called here.
const SYNONYMS: [(&str, &str); 14] = [
    ("host", "url"),
    ("hostname", "url"),
    ("base_url", "url"),
    ("address", "url"),
    ("instance", "url"),
    ("server", "url"),
    ("domain", "url"),
    ("id", "client_id"),
    ("secret", "client_secret"),
    ("token", "key"),
    ("api_key", "key"),
    ("rules", "allow"),
    ("permissions", "allow"),
    ("scope", "scopes"),
];

/// The name in `known` that means the same as `written` means elsewhere.
#[must_use]
pub(in crate::config) fn synonym<'a>(written: &str, known: &[&'a str]) -> Option<&'a str> {
    let plain = written.to_lowercase().replace('-', "_");
    let mut fitting = SYNONYMS.iter().filter(|(other, _)| *other == plain);
    fitting.find_map(|(_, ours)| known.iter().find(|name| *name == ours).copied())
}

/// The name in `known` that `written` was probably meant to be.
#[must_use]
pub(in crate::config) fn closest_match<'a, I>(written: &str, known: I) -> Option<&'a str>
where
    I: IntoIterator<Item = &'a str>,
{
    if written.is_empty() || written.len() > WORD_BYTES_MAX {
        return None;
    }
    let plain = written.to_lowercase().replace('-', "_");
    let likeness =
        |word: &str| strsim::jaro_winkler(&plain, &word.to_lowercase().replace('-', "_"));
    let mut best: Option<(&str, f64)> = None;
    for word in known {
        if word.len() > WORD_BYTES_MAX {
            continue;
        }
        let score = likeness(word);
        if score >= SIMILARITY_MIN && best.is_none_or(|(_, highest)| score > highest) {
            best = Some((word, score));
        }
    }
    best.map(|(word, _)| word)
}
