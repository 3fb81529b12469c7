//! Matching of written names with known ones: one rule for tasks, agents, tools, commands and arguments.

/// What a name names; these words around a name are not a part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Noun {
    Task,
    Agent,
    Tool,
    Command,
    Argument,
}

impl Noun {
    const fn words(self) -> &'static [&'static str] {
        match self {
            Self::Task => &["the", "task", "tasks", "step", "steps", "after"],
            Self::Agent => &["the", "agent", "agents", "subagent"],
            Self::Tool => &["the", "tool", "tools", "function"],
            Self::Command => &["the", "command"],
            Self::Argument => &["the", "argument"],
        }
    }
}

/// The forms of a name, from the closest to the loosest. Names with a common form may be the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Forms {
    /// In lower case, with one `-` for each run of other characters than letters and digits.
    pub(super) parted: String,
    /// The letters and digits, in lower case.
    pub(super) compact: String,
}

impl Forms {
    pub(super) fn of(name: &str) -> Self {
        let (mut parted, mut compact) = (String::new(), String::new());
        for c in name.chars().flat_map(char::to_lowercase) {
            if c.is_alphanumeric() {
                parted.push(c);
                compact.push(c);
            } else if !parted.is_empty() && !parted.ends_with('-') {
                parted.push('-');
            }
        }
        let kept = parted.trim_end_matches('-').len();
        parted.truncate(kept);
        Self { parted, compact }
    }

    /// The forms without the words around the name; `None` if there are none, or nothing else.
    pub(super) fn without(&self, noun: Noun) -> Option<Self> {
        let is_noun = |word: &&str| noun.words().contains(word);
        let words: Vec<&str> = self.parted.split('-').collect();
        let first = words.iter().position(|word| !is_noun(word))?;
        let last = words.iter().rposition(|word| !is_noun(word))?;
        let kept = &words[first..=last];
        (kept.len() < words.len()).then(|| Self {
            parted: kept.join("-"),
            compact: kept.concat(),
        })
    }
}

/// Whether a text has characters that a reader does not see, or that act on a terminal.
pub(super) fn has_hidden(text: &str) -> bool {
    *zeph_common::escape_terminal(text) != *text
}

/// Whether a text is none that anybody would write for a name: hidden characters, a path, a link.
pub(super) fn is_strange(text: &str) -> bool {
    has_hidden(text) || ["../", "..\\", "]("].iter().any(|one| text.contains(one))
}

/// Whether a sign at a name says the contrary of it, or leaves it open: `!a`, `~a`, `-a`, `a?`. Then the text
/// means the name only if it is the name to the letter.
pub(super) fn is_signed(text: &str) -> bool {
    let mut chars = text.chars();
    let (first, second) = (chars.next(), chars.next());
    let is_minus = matches!(first, Some('-' | '−')) && second.is_some_and(char::is_alphanumeric);
    is_minus || text.starts_with(['!', '~', '¬']) || text.ends_with(['?', '？'])
}

/// The known name that a text means: the text itself; else, without regard to case, to characters other
/// than letters and digits, and to the noun around it, the only one that fits.
pub(super) fn find<'a>(
    written: &str,
    names: impl Iterator<Item = &'a str> + Clone,
    noun: Noun,
) -> Option<&'a str> {
    let trimmed = written.trim();
    if let Some(name) = names.clone().find(|name| *name == trimmed) {
        return Some(name);
    }
    if is_strange(trimmed) || is_signed(trimmed) {
        return None;
    }
    let names: Vec<(&str, Forms)> = names.map(|name| (name, Forms::of(name))).collect();
    let wanted = Forms::of(trimmed);
    let without = wanted.without(noun);
    let candidates = std::iter::once(&wanted).chain(&without);
    for wanted in candidates.filter(|wanted| !wanted.compact.is_empty()) {
        for same in [
            |one: &Forms, other: &Forms| one.parted == other.parted,
            |one: &Forms, other: &Forms| one.compact == other.compact,
        ] {
            let mut fitting = names.iter().filter(|(_, forms)| same(forms, wanted));
            if let Some((name, _)) = fitting.next() {
                return fitting.all(|(other, _)| other == name).then_some(name);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{Forms, Noun, find};

    #[test]
    fn a_name_is_found_however_it_is_written() {
        let names = ["data-analyst", "read_file", "a-b", "ab", "read_file"];
        let meant = |written: &str, noun| find(written, names.iter().copied(), noun);
        for written in [
            "Data Analyst",
            "`data_analyst`",
            "[data-analyst]",
            "DataAnalyst",
            "the data-analyst agent",
            "agent: data-analyst",
        ] {
            assert_eq!(
                meant(written, Noun::Agent),
                Some("data-analyst"),
                "{written}"
            );
        }
        assert_eq!(meant("readFile()", Noun::Tool), Some("read_file"));
        // The closer form decides; where two fit equally well, none is meant.
        assert_eq!(meant("A_B", Noun::Tool), Some("a-b"));
        assert_eq!(meant("AB", Noun::Tool), Some("ab"));
        assert_eq!(find("a b", ["a-b", "a_b"].into_iter(), Noun::Task), None);
        for written in [
            "analyst",
            "",
            "-",
            "data\u{200B}-analyst",
            "agent",
            "!read_file",
            "-ab",
            "ab?",
        ] {
            assert_eq!(meant(written, Noun::Agent), None, "{written}");
        }
    }

    #[test]
    fn forms_keep_letters_of_every_script() {
        let forms = Forms::of(" «Das Öl» / 调查 ");
        assert_eq!(
            (&*forms.parted, &*forms.compact),
            ("das-öl-调查", "dasöl调查")
        );
    }
}
