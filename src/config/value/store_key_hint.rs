//! How to make a key of the store, in words and as a command.

use std::path::Path;

use crate::shell_word::shell_word;

/// The hint that says how to create a key of the store, in `file`, and how to name it.
pub(in crate::config) fn key_hint(file: &Path) -> String {
    let command = key_command(file);
    let name = file.file_name().unwrap_or(file.as_os_str()).display();
    format!("make a key with `{command}`, and write in [store]: seal = {{ file = \"{name}\" }}")
}

/// Makes a key of the store.
pub(in crate::config) fn key_command(file: &Path) -> String {
    let file = shell_word(&file.to_string_lossy());
    format!("head -c 32 /dev/urandom > {file} && chmod 600 {file}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_is_one_for_a_path_with_a_blank_too() {
        let command = key_command(Path::new("my dir/store.key"));
        assert!(command.contains("> 'my dir/store.key' && chmod 600 'my dir/store.key'"));
    }
}
