//! By how much something that a caller sent is larger than allowed.

use std::fmt;

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

/// What was allowed and what was sent, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ExceededSize {
    /// The most that is taken.
    pub allowed: u64,
    /// What was announced or sent; none where reading stopped before its end.
    pub sent: Option<u64>,
}

/// As the rest of a sentence: "has 20,971,520 bytes, and at most 16 MiB (16,777,216 bytes) are allowed".
impl fmt::Display for ExceededSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let allowed = Bytes(self.allowed);
        match self.sent {
            Some(sent) => write!(f, "has {}, and at most ", Bytes(sent))?,
            None => f.write_str("is longer than the allowed ")?,
        }
        let (unit, name) = match self.allowed {
            whole if whole >= MIB && whole % MIB == 0 => (MIB, "MiB"),
            whole if whole >= KIB && whole % KIB == 0 => (KIB, "KiB"),
            _ => (1, ""),
        };
        if unit > 1 {
            write!(f, "{} {name} ({allowed})", self.allowed / unit)?;
        } else {
            allowed.fmt(f)?;
        }
        if self.sent.is_some() {
            f.write_str(" are allowed")?;
        }
        Ok(())
    }
}

/// With a comma after each group of three digits.
struct Bytes(u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (position, digit) in digits.chars().enumerate() {
            if position > 0 && (digits.len() - position).is_multiple_of(3) {
                f.write_str(",")?;
            }
            write!(f, "{digit}")?;
        }
        f.write_str(if self.0 == 1 { " byte" } else { " bytes" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_told_in_the_unit_of_the_setting_and_in_bytes() {
        let of = |allowed, sent| ExceededSize { allowed, sent }.to_string();
        assert_eq!(
            of(16 << 20, Some(20_971_520)),
            "has 20,971,520 bytes, and at most 16 MiB (16,777,216 bytes) are allowed"
        );
        assert_eq!(
            of(8 << 10, None),
            "is longer than the allowed 8 KiB (8,192 bytes)"
        );
        assert_eq!(
            of(100, Some(1000)),
            "has 1,000 bytes, and at most 100 bytes are allowed"
        );
    }
}
