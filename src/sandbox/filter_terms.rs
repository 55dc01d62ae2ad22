//! The grammar of NinjaOne's filters (`df`, `sf`, `ptf`, `stf`): terms that all must hold, joined by `AND`.
//!
//! The forms are those that NinjaOne documents: `field = value` (`eq`), `!=` (`<>`, `neq`), `in (a, b)`, `nin (a, b)` (`notin`,
//! `!in`), `<` (`lt`, `before`), `>` (`gt`, `after`), `between (a, b)`, `field value`, and a field alone. `AND` is also `&&`.
//! There is no `OR`. Operators and fields can be written in any case.

/// One condition of a filter.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FilterTerm {
    /// In lower case.
    pub(super) field: String,
    pub(super) operator: FilterOperator,
    pub(super) values: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FilterOperator {
    /// The field alone: `offline`.
    Bare,
    /// The field and a value: `group 563`.
    Of,
    /// One of the values.
    In,
    /// None of the values.
    NotIn,
    Before,
    After,
    Between,
}

/// Why a text is no filter.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("The filter is not understood: {0}")]
pub(super) struct FilterError(pub(super) String);

/// All terms of a filter; none if the text is blank.
///
/// # Errors
/// The text does not have the form of a filter.
pub(super) fn parse_terms(text: &str) -> Result<Vec<FilterTerm>, FilterError> {
    let tokens = tokens(text);
    if tokens.is_empty() {
        return Ok(Vec::new());
    }
    tokens.split(|it| is_and(it)).map(term).collect()
}

fn is_and(token: &str) -> bool {
    token == "&&" || token.eq_ignore_ascii_case("and")
}

/// Words, brackets, commas and operators.
fn tokens(text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length =
            if let Some(symbol) = ["&&", "!=", "<>"].iter().find(|it| rest.starts_with(**it)) {
                symbol.len()
            } else if "()=<>,".contains(first) {
                1
            } else {
                let ends = |it: char| it.is_whitespace() || "()=<>,&".contains(it);
                // A word has at least one character, whichever it is.
                let start = first.len_utf8();
                start
                    + rest[start..]
                        .find(|it| ends(it) || it == '!')
                        .unwrap_or(rest.len() - start)
            };
        let (token, more) = rest.split_at(length);
        tokens.push(token);
        rest = more.trim_start();
    }
    tokens
}

fn term(tokens: &[&str]) -> Result<FilterTerm, FilterError> {
    let wrong = || FilterError(format!("'{}' is no condition", tokens.join(" ")));
    let (field, rest) = tokens.split_first().ok_or_else(wrong)?;
    if !field.starts_with(|it: char| it.is_ascii_alphabetic()) {
        return Err(wrong());
    }
    let (operator, values) = match rest {
        [] => (FilterOperator::Bare, Vec::new()),
        [value] => (FilterOperator::Of, vec![*value]),
        [operator, operand @ ..] => {
            let is_list = takes_list(operator).ok_or_else(wrong)?;
            (
                operator_named(operator).ok_or_else(wrong)?,
                operands(operand, is_list).ok_or_else(wrong)?,
            )
        }
    };
    if values.iter().any(|it| !is_value(it)) {
        return Err(wrong());
    }
    Ok(FilterTerm {
        field: field.to_ascii_lowercase(),
        operator,
        values: values.into_iter().map(str::to_owned).collect(),
    })
}

fn operator_named(token: &str) -> Option<FilterOperator> {
    Some(match &*token.to_ascii_lowercase() {
        "=" | "eq" | "in" => FilterOperator::In,
        "!=" | "<>" | "neq" | "nin" | "notin" | "!in" => FilterOperator::NotIn,
        "<" | "lt" | "before" => FilterOperator::Before,
        ">" | "gt" | "after" => FilterOperator::After,
        "between" => FilterOperator::Between,
        _ => return None,
    })
}

/// Whether the operator is followed by a list in brackets. `None`: it is no operator.
fn takes_list(token: &str) -> Option<bool> {
    operator_named(token)?;
    let lists = ["in", "nin", "notin", "!in", "between"];
    Some(lists.iter().any(|it| token.eq_ignore_ascii_case(it)))
}

fn operands<'t>(tokens: &[&'t str], is_list: bool) -> Option<Vec<&'t str>> {
    match tokens {
        [value] if !is_list => Some(vec![*value]),
        ["(", inner @ .., ")"] if is_list => inner
            .split(|it| *it == ",")
            .map(|item| match item {
                [value] => Some(*value),
                _ => None,
            })
            .collect(),
        _ => None,
    }
}

fn is_value(token: &str) -> bool {
    operator_named(token).is_none() && !token.starts_with(['(', ')', ',', '&', '!'])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::{FilterOperator::*, *};

    #[test]
    fn every_operator_has_its_aliases() {
        for (operators, wanted, operand) in [
            (&["=", "eq", "EQ"][..], In, "7"),
            (&["!=", "<>", "neq"], NotIn, "7"),
            (&["<", "lt", "before"], Before, "7"),
            (&[">", "gt", "after"], After, "7"),
            (&["in", "IN"], In, "(7)"),
            (&["nin", "notin", "!in"], NotIn, "(7)"),
            (&["between"], Between, "(7)"),
        ] {
            for operator in operators {
                let terms = parse_terms(&format!("org {operator} {operand}")).unwrap();
                assert_eq!(terms.len(), 1);
                assert_eq!(
                    (terms[0].operator, &*terms[0].values),
                    (wanted, &["7".to_owned()][..]),
                    "{operator}"
                );
            }
        }
    }

    #[test]
    fn blanks_do_not_matter_where_a_symbol_stands() {
        let close = parse_terms("org=2&&class in(MAC,LINUX_SERVER)and offline").unwrap();
        let wide =
            parse_terms(" org = 2 AND class IN ( MAC , LINUX_SERVER ) AND offline ").unwrap();
        assert_eq!(close, wide);
        assert_eq!(close.len(), 3);
        assert_eq!(parse_terms("group 563").unwrap()[0].operator, Of);
        assert_eq!(parse_terms("org!=2").unwrap()[0].operator, NotIn);
        assert_eq!(parse_terms("  "), Ok(Vec::new()));
    }

    #[test]
    fn what_has_no_form_is_refused() {
        for text in [
            "AND",
            "org =",
            "= 2",
            "org = 2 AND",
            "AND org = 2",
            "org = 2 org = 3",
            "org in 2",
            "org in (2",
            "org in ()",
            "org in (2,)",
            "org = (2)",
            "org == 2",
            "org = 2 OR org = 3",
            "org = 2, 3",
            "(org = 2)",
            "org ~ 2",
            "org not in (2)",
            "org = 2 & offline",
            "org in (2 3)",
            "class =",
            "!offline",
            "not offline x",
        ] {
            assert!(parse_terms(text).is_err(), "{text}");
        }
    }
}
