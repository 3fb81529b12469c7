//! Patterns of file names below a folder: `dist/*.tar.gz`, `src/**`.

use std::fmt;

use glob::{MatchOptions, Pattern};

/// The most parts of a pattern, between its slashes.
const MAX_PARTS: usize = 60;

/// A pattern of the names of files below a folder, with `/` between their parts.
///
/// `*` stands for any characters of one part, `?` for one, `[ab]` for one of those, and the part `**` for any
/// number of folders; at the end, for all files below. Neither matches a name that begins with a dot, which has to
/// be written.
///
/// # Examples
/// ```
/// use zeph_common::FilePattern;
/// let pattern = FilePattern::parse("src/**/*.rs")?;
/// assert!(pattern.is_match("src/lib.rs") && pattern.is_match("src/a/b/c.rs"));
/// assert!(!pattern.is_match("src/a/.hidden.rs"));
/// assert!(FilePattern::parse("../secret").is_err());
/// # Ok::<(), zeph_common::BadFilePattern>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilePattern {
    text: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    /// `**`
    Folders,
    One(Pattern),
}

/// How far a name has matched a pattern: the parts that may be next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PatternState(u64);

/// A text that is no pattern of files below a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadFilePattern(String);

impl fmt::Display for BadFilePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadFilePattern {}

impl FilePattern {
    /// Reads a pattern. A leading `./` counts for nothing.
    ///
    /// # Errors
    /// If it is empty or absolute, has a part `..`, an empty part or more than 60 parts, or is no pattern.
    pub fn parse(text: &str) -> Result<Self, BadFilePattern> {
        let bad = |why: &str| Err(BadFilePattern(why.to_owned()));
        if text.starts_with('/') {
            return bad("it begins with `/`, and must be relative to the folder of the task");
        }
        let mut parts = Vec::new();
        for part in text.split('/').filter(|part| *part != ".") {
            match part {
                "" if text.is_empty() => return bad("it is empty"),
                "" => {
                    return bad(
                        "a part between its slashes is empty; for a folder write `FOLDER/**`",
                    );
                }
                ".." => return bad("it has `..`, and must stay in the folder of the task"),
                "**" if parts.last() == Some(&Part::Folders) => {}
                "**" => parts.push(Part::Folders),
                part => match Pattern::new(part) {
                    Ok(pattern) => parts.push(Part::One(pattern)),
                    Err(error) => return bad(&format!("{part:?} is no pattern: {}", error.msg)),
                },
            }
        }
        match parts.len() {
            0 => bad("it names the folder itself"),
            1..=MAX_PARTS => Ok(Self {
                text: text.to_owned(),
                parts,
            }),
            _ => bad("it has more than 60 parts"),
        }
    }

    /// The pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The state before the first part of a name.
    #[must_use]
    pub fn start(&self) -> PatternState {
        PatternState(self.closed(1))
    }

    /// The state after one more part of a name.
    #[must_use]
    pub fn step(&self, state: PatternState, part: &str) -> PatternState {
        let mut next = 0;
        for (at, one) in self.parts.iter().enumerate() {
            if state.0 & (1 << at) == 0 {
                continue;
            }
            match one {
                Part::Folders if part.starts_with('.') => {}
                Part::Folders => next |= 1 << at,
                Part::One(pattern) if matches(pattern, part) => next |= 1 << (at + 1),
                Part::One(_) => {}
            }
        }
        PatternState(self.closed(next))
    }

    /// Whether a folder whose name leads to this state may have files that match.
    #[must_use]
    pub fn may_go_on(&self, state: PatternState) -> bool {
        state.0 & ((1 << self.parts.len()) - 1) != 0
    }

    /// Whether a file whose name leads to this state matches.
    #[must_use]
    pub fn is_end(&self, state: PatternState) -> bool {
        state.0 & (1 << self.parts.len()) != 0
    }

    /// Whether a name matches.
    #[must_use]
    pub fn is_match(&self, name: &str) -> bool {
        let parts = name.split('/');
        self.is_end(parts.fold(self.start(), |state, part| self.step(state, part)))
    }

    /// `**` may stand for nothing.
    fn closed(&self, mut states: u64) -> u64 {
        for (at, part) in self.parts.iter().enumerate() {
            if states & (1 << at) != 0 && *part == Part::Folders {
                states |= 1 << (at + 1);
            }
        }
        states
    }
}

fn matches(pattern: &Pattern, part: &str) -> bool {
    let options = MatchOptions {
        case_sensitive: true,
        require_literal_separator: true,
        require_literal_leading_dot: true,
    };
    // `*.gz` would match `.gz`, with nothing for the star.
    let is_hidden = part.starts_with('.') && !pattern.as_str().starts_with('.');
    !is_hidden && pattern.matches_with(part, options)
}

#[cfg(test)]
mod tests {
    use super::FilePattern;

    #[test]
    fn a_pattern_matches_the_whole_name() {
        for (pattern, names, others) in [
            (
                "a.txt",
                &["a.txt"][..],
                &["b.txt", "x/a.txt", "a.txt/b"][..],
            ),
            (
                "./dist/*.gz",
                &["dist/x.gz"],
                &["dist/.gz", "dist/a/x.gz", "dist"],
            ),
            (
                "src/**",
                &["src/a", "src/a/b"],
                &["src/.a", "src/.git/b", "srcs/a"],
            ),
            ("**/*.rs", &["a.rs", "x/y/a.rs"], &["x/.y/a.rs", "a.rsx"]),
            ("**/t/**/x", &["t/x", "a/t/b/c/x"], &["x", "t/y"]),
            (".github/*", &[".github/ci"], &["github/ci"]),
            ("a[0-9]?", &["a1b"], &["a1", "ab1"]),
        ] {
            let one = FilePattern::parse(pattern).expect("is a pattern");
            assert!(names.iter().all(|name| one.is_match(name)), "{pattern}");
            assert!(!others.iter().any(|name| one.is_match(name)), "{pattern}");
        }
    }

    #[test]
    fn a_folder_without_a_match_below_is_not_entered() {
        let pattern = FilePattern::parse("src/*/a.rs").expect("is a pattern");
        let state = |name: &str| {
            let parts = name.split('/');
            parts.fold(pattern.start(), |state, part| pattern.step(state, part))
        };
        for (folder, enters) in [
            ("src", true),
            ("src/x", true),
            ("src/x/y", false),
            ("target", false),
        ] {
            assert_eq!(pattern.may_go_on(state(folder)), enters, "{folder}");
        }
    }

    #[test]
    fn what_leaves_the_folder_is_refused() {
        for (text, why) in [
            ("", "is empty"),
            (".", "the folder itself"),
            ("/etc/passwd", "begins with `/`"),
            ("a/../../b", "`..`"),
            ("dist/", "`FOLDER/**`"),
            ("a[", "is no pattern"),
            ("a**b", "is no pattern"),
        ] {
            let error = FilePattern::parse(text).expect_err(text);
            assert!(error.to_string().contains(why), "{text}: {error}");
        }
        assert!(FilePattern::parse(&"a/".repeat(61)).is_err());
    }
}
