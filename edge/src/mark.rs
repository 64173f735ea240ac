//! What a snapshot was made of, and what it says: whoever sees several can tell whether they belong
//! together.

use std::fmt;

/// The mark of a snapshot's value, made once, when the value is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    /// The checksum of the file's text that it was derived from.
    of: u64,
    /// What it says, in one line.
    value: String,
    /// The checksum of that.
    sum: u64,
}

impl Mark {
    pub(crate) fn new(of: u64, value: String) -> Self {
        Self { of, sum: checksum(value.as_bytes()), value }
    }

    /// The text that it was derived from, as a checksum.
    pub(crate) fn of(&self) -> u64 {
        self.of
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "of {:016x} sum {:016x} {}", self.of, self.sum, self.value)
    }
}

/// FNV-1a, 64 bits: it tells texts apart, and keeps nobody from forging one.
pub(crate) fn checksum(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_one_of_the_books() {
        assert_eq!(checksum(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(checksum(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(checksum(b"foobar"), 0x8594_4171_f739_67e8);
    }
}
