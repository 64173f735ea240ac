//! Codes of errors, and the macro that makes each page of the manual the documentation of its constant.

use std::fmt;

/// A stable code of an error, with the page that explains it.
///
/// The page is the documentation of the constant itself, so that the manual, `docs/errors` and rustdoc
/// cannot disagree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Code {
    /// The code, such as `MS0101`.
    pub id: &'static str,
    /// The page in Markdown; its first line is the title.
    pub page: &'static str,
}

impl Code {
    /// Returns the title of the page.
    ///
    /// # Examples
    ///
    /// ```
    /// assert_eq!(mainstay_registry::codes::MISSING.title(), "A required provider is not registered");
    /// ```
    pub fn title(&self) -> &'static str {
        self.page.lines().next().unwrap_or_default().trim()
    }

    /// Returns the whole page as Markdown, under a heading of code and title, ready to print.
    ///
    /// The lines that rustdoc hides in examples are left out.
    pub fn markdown(&self) -> String {
        let mut text = format!("# {}: {}\n", self.id, self.title());
        let mut in_code = false;
        for line in self.page.lines().skip(1) {
            let line = line.strip_prefix(' ').unwrap_or(line).trim_end();
            if line.starts_with("```") {
                text.push_str(if in_code || line != "```" { line } else { "```rust" });
                in_code = !in_code;
            } else if in_code && (line == "#" || line.starts_with("# ")) {
                continue;
            } else {
                text.push_str(line);
            }
            text.push('\n');
        }
        text
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.id)
    }
}

/// Declares codes: the documentation of each is its page. Makes a constant per code, and `ALL`.
///
/// ```
/// mainstay_registry::codes! {
///     /// Something is on fire
///     ///
///     /// Put it out.
///     MS9901 FIRE;
/// }
/// assert_eq!(FIRE.id, "MS9901");
/// assert_eq!(ALL[0].title(), "Something is on fire");
/// ```
#[macro_export]
#[doc(hidden)]
macro_rules! codes {
    ( $( $(#[doc = $doc:literal])+ $id:ident $name:ident; )+ ) => {
        $(
            $(#[doc = $doc])+
            pub const $name: $crate::Code =
                $crate::Code { id: ::core::stringify!($id), page: ::core::concat!($($doc, "\n"),+) };
        )+
        /// All codes of this crate, in order.
        #[allow(unreachable_pub, reason = "in a private module they are a part of all")]
        pub const ALL: &[$crate::Code] = &[$($name),+];
    };
}
