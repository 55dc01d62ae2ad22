//! Finds the references in a `Link` header (RFC 8288 section 3), so that they can be replaced and nothing else is touched.

use std::ops::Range;

/// Where the references of a `Link` value stand: each link's target, and the context that its `anchor` names. Ends at the first
/// thing that is not a link.
#[must_use]
pub fn references(value: &str) -> Vec<Range<usize>> {
    let mut reader = LinkReader { value, at: 0 };
    let mut found = Vec::new();
    while reader.skip_to_link() && reader.read_link(&mut found).is_some() {}
    found
}

struct LinkReader<'a> {
    value: &'a str,
    at: usize,
}

impl LinkReader<'_> {
    fn rest(&self) -> &str {
        self.value.get(self.at..).unwrap_or_default()
    }

    fn skip(&mut self, chars: &[char]) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches(chars).len();
    }

    fn take(&mut self, sign: char) -> Option<()> {
        self.rest().strip_prefix(sign)?;
        self.at += sign.len_utf8();
        Some(())
    }

    /// Up to `end`, which is taken as well.
    fn take_until(&mut self, end: char) -> Option<Range<usize>> {
        let length = self.rest().find(end)?;
        let range = self.at..self.at + length;
        self.at = range.end + end.len_utf8();
        Some(range)
    }

    /// RFC 9110 section 5.6.1: elements of a list may be empty.
    fn skip_to_link(&mut self) -> bool {
        self.skip(&[' ', '\t', ',']);
        self.rest().starts_with('<')
    }

    /// `<reference>`, then parameters. None if it does not end as a link does.
    fn read_link(&mut self, found: &mut Vec<Range<usize>>) -> Option<()> {
        self.take('<')?;
        let target = self.take_until('>')?;
        found.push(target);
        loop {
            self.skip(&[' ', '\t']);
            if self.take(';').is_none() {
                break;
            }
            self.skip(&[' ', '\t']);
            self.read_parameter(found)?;
        }
        (self.rest().is_empty() || self.rest().starts_with(',')).then_some(())
    }

    /// `name`, `name=token` or `name="quoted"`. Blanks around `=` are bad, but sent (RFC 8288 appendix B.3).
    fn read_parameter(&mut self, found: &mut Vec<Range<usize>>) -> Option<()> {
        let name = self.read_token();
        self.skip(&[' ', '\t']);
        if self.take('=').is_none() {
            return Some(());
        }
        self.skip(&[' ', '\t']);
        let value = if self.rest().starts_with('"') {
            self.read_quoted()?
        } else {
            self.read_token()
        };
        let is_anchor = self.value.get(name)?.eq_ignore_ascii_case("anchor");
        if is_anchor {
            found.push(value);
        }
        Some(())
    }

    fn read_token(&mut self) -> Range<usize> {
        let ends = |it: char| matches!(it, ';' | ',' | '=' | '"' | ' ' | '\t');
        let length = self.rest().find(ends).unwrap_or(self.rest().len());
        let range = self.at..self.at + length;
        self.at = range.end;
        range
    }

    /// A quoted string (RFC 9110 section 5.6.4), without its quotes.
    fn read_quoted(&mut self) -> Option<Range<usize>> {
        self.take('"')?;
        let begin = self.at;
        let mut is_escaped = false;
        for (offset, sign) in self.rest().char_indices() {
            if sign == '"' && !is_escaped {
                let range = begin..begin + offset;
                self.at = range.end + 1;
                return Some(range);
            }
            is_escaped = sign == '\\' && !is_escaped;
        }
        None
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn found(value: &str) -> Vec<&str> {
        references(value).into_iter().map(|it| &value[it]).collect()
    }

    #[test]
    fn targets_and_anchors_are_found_and_nothing_in_parameters_is_taken_for_one() {
        assert_eq!(found("</a>; rel=next"), ["/a"]);
        assert_eq!(found("</a,b;c>;rel=\"next\",<d>"), ["/a,b;c", "d"]);
        assert_eq!(
            found("</a>; title=\"x, <no>; \\\"<no>\"; rel = next , </b>;anchor=\"/c\";flag"),
            ["/a", "/b", "/c"]
        );
        assert_eq!(found(" , ,<a> , ,"), ["a"]);
        assert_eq!(found("<a>;Anchor=b"), ["a", "b"]);
        assert_eq!(found("<>"), [""]);
    }

    #[test]
    fn reading_ends_where_the_value_is_no_link() {
        assert_eq!(found(""), [""; 0]);
        assert_eq!(found("/a; rel=next"), [""; 0]);
        assert_eq!(found("<a"), [""; 0]);
        assert_eq!(found("<a> <b>"), ["a"]);
        assert_eq!(found("<a>;title=\"open, <b>"), ["a"]);
        assert_eq!(found("<a>\"x\"<b>, <c>"), ["a"]);
    }
}
