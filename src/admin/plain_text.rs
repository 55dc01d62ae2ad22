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
    text.chars()
        .map(|c| {
            if c.is_control() {
                char::REPLACEMENT_CHARACTER
            } else {
                c
            }
        })
        .collect()
}
