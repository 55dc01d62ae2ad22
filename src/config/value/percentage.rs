//! Parses percentages: `80%`.

/// Why a text is not a percentage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a share is a whole number from 0 to 100 and a percent sign, such as \"80%\"")]
pub(crate) struct PercentageParseError;

/// Parses a percentage, 0 to 100.
pub(crate) fn parse(text: &str) -> Result<u8, PercentageParseError> {
    let digits = text
        .trim()
        .strip_suffix('%')
        .ok_or(PercentageParseError)?
        .trim_end();
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(PercentageParseError);
    }
    let share: u8 = digits.parse().map_err(|_| PercentageParseError)?;
    if share > 100 {
        Err(PercentageParseError)
    } else {
        Ok(share)
    }
}
