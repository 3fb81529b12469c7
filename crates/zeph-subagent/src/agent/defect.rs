//! Defects: everything that is wrong with definitions of agents, at once, each with a stable code.

use std::fmt;
use std::ops::Range;

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $word:literal,)*) => {
        /// What kind of defect it is. The words are stable, so that programs can compare them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum AgentCode {
            $($(#[$doc])* $variant,)*
        }

        impl AgentCode {
            /// Every code, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The stable word, such as `unknown_key`.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }
        }
    };
}

codes! {
    /// The front matter is not YAML.
    Syntax = "syntax",
    /// The bytes are not UTF-8.
    NotUtf8 = "not_utf8",
    /// The file, or a text in it, is larger than allowed.
    TooLarge = "too_large",
    /// There are more definitions, tools or tags than allowed.
    TooMany = "too_many",
    /// Lists and tables are nested too deeply.
    NestedTooDeeply = "nested_too_deeply",
    /// The file does not begin with a line `---`.
    NoFrontMatter = "no_front_matter",
    /// No line `---` ends the front matter.
    UnclosedFrontMatter = "unclosed_front_matter",
    /// Anchors, aliases, tags and merge keys of YAML have no place here.
    YamlFeature = "yaml_feature",
    /// A key is there twice.
    DuplicateKey = "duplicate_key",
    /// No key of that name is known there.
    UnknownKey = "unknown_key",
    /// A key that must be there is not.
    MissingKey = "missing_key",
    /// A value is of another type.
    WrongType = "wrong_type",
    /// A value is out of range, or not one of the known words.
    BadValue = "bad_value",
    /// A text is not a duration.
    BadDuration = "bad_duration",
    /// A limit is zero.
    ZeroLimit = "zero_limit",
    /// A text that is needed says nothing.
    EmptyText = "empty_text",
    /// There is nothing behind the front matter.
    EmptyPrompt = "empty_prompt",
    /// A name of an agent, a tool or a tag has a form that is not allowed.
    BadName = "bad_name",
    /// A text has control, invisible or reordering characters.
    HiddenCharacters = "hidden_characters",
    /// The same tool or tag is listed twice.
    DuplicateEntry = "duplicate_entry",
    /// The host has no tool of that name.
    UnknownTool = "unknown_tool",
    /// Two agents have the same name.
    DuplicateAgent = "duplicate_agent",
    /// Two agents' names differ in upper and lower case only.
    CaseFoldedDuplicate = "case_folded_duplicate",
    /// A file or folder could not be read.
    Unreadable = "unreadable",
    /// What is named like a definition is a link, a folder or a device.
    NotAFile = "not_a_file",
}

impl fmt::Display for AgentCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// One thing that is wrong with a definition.
///
/// What comes from the definition is quoted and inert in `message` and `help`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentDefect {
    /// What kind of defect it is.
    pub code: AgentCode,
    /// Where the definition comes from: the file, or `agent "name"`; inert.
    pub source: String,
    /// The key that it is about, such as `limits.max_turns`; empty when it is about no key.
    pub key: String,
    /// What is wrong.
    pub message: String,
    /// Where it is, when it comes from a text.
    pub at: Option<Spot>,
    /// What to do about it.
    pub help: Option<String>,
}

/// A place in the text of a definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spot {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// In bytes of the file, a byte order mark included; at the bounds of characters.
    pub span: Range<usize>,
}

impl AgentDefect {
    pub(crate) fn new(code: AgentCode, key: &str, message: impl Into<String>) -> Self {
        Self {
            code,
            source: String::new(),
            key: key.to_owned(),
            message: message.into(),
            at: None,
            help: None,
        }
    }

    /// The same, of a source by that name.
    pub(crate) fn of(mut self, source: &str) -> Self {
        self.source = zeph_common::escape_terminal(source).into_owned();
        self
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for AgentDefect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.source)?;
        if let Some(at) = &self.at {
            write!(f, ":{}:{}", at.line, at.column)?;
        }
        write!(f, ": [{}] {}", self.code, self.message)?;
        if let Some(help) = &self.help {
            write!(f, " ({help})")?;
        }
        Ok(())
    }
}

/// All defects found, at least one; those of one source are together, in the order of its text.
///
/// At most 100 are kept for one source. `Display` shows one a line, the first 50.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentDefects(Vec<AgentDefect>);

impl AgentDefects {
    pub(crate) fn one(defect: AgentDefect) -> Self {
        Self(vec![defect])
    }

    #[cfg(feature = "markdown")]
    pub(crate) fn all(all: Vec<AgentDefect>) -> Self {
        Self(all)
    }

    #[cfg(feature = "markdown")]
    pub(crate) fn into_vec(self) -> Vec<AgentDefect> {
        self.0
    }

    /// `Ok` if there is no defect.
    pub(crate) fn result(all: Vec<AgentDefect>) -> Result<(), Self> {
        if all.is_empty() {
            Ok(())
        } else {
            Err(Self(all))
        }
    }

    /// The defects.
    #[must_use]
    pub fn as_slice(&self) -> &[AgentDefect] {
        &self.0
    }

    /// The defects.
    pub fn iter(&self) -> std::slice::Iter<'_, AgentDefect> {
        self.0.iter()
    }
}

impl<'a> IntoIterator for &'a AgentDefects {
    type Item = &'a AgentDefect;
    type IntoIter = std::slice::Iter<'a, AgentDefect>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for AgentDefects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 50;
        for (index, one) in self.0.iter().take(SHOWN).enumerate() {
            let line_break = if index == 0 { "" } else { "\n" };
            write!(f, "{line_break}{one}")?;
        }
        if self.0.len() > SHOWN {
            write!(f, "\n… and {} more", self.0.len() - SHOWN)?;
        }
        Ok(())
    }
}

impl std::error::Error for AgentDefects {}

/// A text of a definition as it appears in a message: quoted, inert and not too long.
pub(crate) fn show(text: &str) -> String {
    const SHOWN: usize = 80;
    let cut = text.char_indices().nth(SHOWN);
    let shown = zeph_common::escape_terminal(cut.map_or(text, |(end, _)| &text[..end]));
    let dots = if cut.is_some() { "…" } else { "" };
    format!("\"{}\"{dots}", shown.replace('"', "\\\""))
}
