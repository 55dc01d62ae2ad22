//! Text that came from elsewhere, made fit for a terminal.

/// An error's text may come from the network: it must stay on one line and not control the terminal.
#[must_use]
pub fn single_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

/// A caller chose this text, so each control character is shown as one that does nothing.
#[must_use]
pub fn escape_control(text: &str) -> String {
    text.chars().map(escaped).collect()
}

/// The same for a text of several lines, such as another program's: the lines stay.
#[must_use]
pub fn escape_control_in_lines(text: &str) -> String {
    let kept = |c| if c == '\n' { c } else { escaped(c) };
    text.chars().map(kept).collect()
}

fn escaped(c: char) -> char {
    if c.is_control() {
        char::REPLACEMENT_CHARACTER
    } else {
        c
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_controls_a_terminal_is_left_and_lines_stay_where_there_are_any() {
        let text = "a\u{1b}[2J\u{9b}1m\r\u{7f}\nb";
        assert_eq!(
            escape_control(text),
            "a\u{fffd}[2J\u{fffd}1m\u{fffd}\u{fffd}\u{fffd}b"
        );
        assert_eq!(
            escape_control_in_lines(text),
            "a\u{fffd}[2J\u{fffd}1m\u{fffd}\u{fffd}\nb"
        );
    }
}
