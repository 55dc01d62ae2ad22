//! How an operation hands out a long list in pages, and whether NinjaOne keeps the place.

/// How an operation hands out a long list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Paging {
    /// All at once.
    Whole,
    /// `after`: the last id of the page before.
    After,
    /// `newerThan` and `olderThan`: ids as well.
    NewerThan,
    /// `cursor`: the name of a place that NinjaOne keeps.
    Cursor,
    /// The same by another name.
    CursorName,
    /// In the body of a POST.
    LastCursorId,
    /// Of an operation that the configuration adds.
    Unknown,
}

impl Paging {
    /// All values.
    pub const ALL: [Self; 7] = [
        Self::Whole,
        Self::After,
        Self::NewerThan,
        Self::Cursor,
        Self::CursorName,
        Self::LastCursorId,
        Self::Unknown,
    ];

    /// As in `operations.tsv`: the parameter's name, or `-` for none.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Whole => "-",
            Self::After => "after",
            Self::NewerThan => "newerThan",
            Self::Cursor => "cursor",
            Self::CursorName => "cursorName",
            Self::LastCursorId => "lastCursorId",
            Self::Unknown => "?",
        }
    }

    /// The value of this word; none if there is no such one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|paging| paging.as_str() == text)
    }

    /// Whether a read with this query moves a place on that NinjaOne keeps: the same query, sent again, may get the page after
    /// the one that was lost (one name for all pages: seen by others, `ninjaone/facts.md`). A first page has no place yet.
    #[must_use]
    pub fn moves_cursor(self, query: Option<&str>) -> bool {
        let names: &[&str] = match self {
            Self::Whole | Self::After | Self::NewerThan | Self::LastCursorId => return false,
            Self::Cursor => &["cursor"],
            Self::CursorName => &["cursorName"],
            Self::Unknown => &["cursor", "cursorName"],
        };
        let parameters = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        let mut given = parameters.map(|(name, _)| name);
        // How the other end compares names is not known, so any case counts.
        given.any(|given| names.iter().any(|it| it.eq_ignore_ascii_case(&given)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_that_names_a_cursor_moves_it_and_a_first_page_does_not() {
        for query in [
            "cursor=c1",
            "pageSize=2&cursor=c1",
            "%63ursor=c1",
            "CURSOR=c1",
            "cursor",
        ] {
            assert!(Paging::Cursor.moves_cursor(Some(query)), "{query}");
            assert!(Paging::Unknown.moves_cursor(Some(query)), "{query}");
            assert!(!Paging::After.moves_cursor(Some(query)), "{query}");
        }
        for query in [
            None,
            Some(""),
            Some("pageSize=2"),
            Some("df=cursor=c1"),
            Some("x=cursor"),
        ] {
            assert!(!Paging::Cursor.moves_cursor(query), "{query:?}");
        }
        assert!(Paging::CursorName.moves_cursor(Some("cursorName=c1")));
        assert!(!Paging::CursorName.moves_cursor(Some("cursor=c1")));
    }
}
