//! Tables on a terminal: a row of headers, columns as wide as what is in them.

use std::fmt::Write as _;

/// How a column stands: names to the left, numbers to the right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Alignment {
    Left,
    Right,
}

/// The rows as lines, each indented by two spaces; the first is of headers. Two spaces are between columns.
#[must_use]
pub(super) fn table<const N: usize>(
    columns: [(&str, Alignment); N],
    rows: &[[String; N]],
) -> String {
    let header = columns.map(|(title, _)| title.to_owned());
    let all = || std::iter::once(&header).chain(rows);
    let widths: [usize; N] = std::array::from_fn(|column| {
        let lengths = all()
            .filter_map(|row| row.get(column))
            .map(|it| it.chars().count());
        lengths.max().unwrap_or_default()
    });
    let mut text = String::new();
    for row in all() {
        let mut line = String::from(" ");
        for ((cell, width), (_, alignment)) in row.iter().zip(widths).zip(columns) {
            // Writing to a String cannot fail.
            let _ = match alignment {
                Alignment::Left => write!(line, " {cell:<width$} "),
                Alignment::Right => write!(line, " {cell:>width$} "),
            };
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_left_and_numbers_right() {
        let columns = [("NAME", Alignment::Left), ("REQUESTS", Alignment::Right)];
        let rows = [["powerbi", "1,204"], ["x", "3"]].map(|row| row.map(String::from));
        assert_eq!(
            table(columns, &rows),
            "  NAME     REQUESTS\n  powerbi     1,204\n  x               3\n"
        );
    }
}
