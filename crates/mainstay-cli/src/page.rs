//! What a verb prints, and with which exit code.

/// What a verb prints on standard output, and the exit code that belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Page {
    /// The text, with its last newline.
    pub text: String,
    /// 0, or 78 when what was printed would not start.
    pub exit_code: u8,
}

impl Page {
    pub(crate) fn new(mut text: String, exit_code: u8) -> Self {
        if !text.ends_with('\n') {
            text.push('\n');
        }
        Self { text, exit_code }
    }
}
