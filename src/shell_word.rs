//! A text as a shell takes it for one word, in commands that we print for people to paste.

/// Quoted where the shell would read it as anything else (POSIX, Shell Command Language, section 2.2).
#[must_use]
pub(crate) fn shell_word(text: &str) -> String {
    let is_plain = |it: char| it.is_ascii_alphanumeric() || "/._-+@%:".contains(it);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}
