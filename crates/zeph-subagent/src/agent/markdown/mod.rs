//! Agents in Markdown: front matter in YAML that says what an agent is, then its system prompt.
//!
//! ```text
//! ---
//! name: analyst
//! description: Groups and counts things in text
//! model: ollama::qwen3:8b
//! tools: [read_file, search]
//! tags: [analysis]
//! limits:
//!   max_turns: 6
//!   max_output_tokens: 2000
//!   max_input_tokens: 8000
//!   timeout: 5m
//! output: json
//! ---
//! You group things by area. Answer with the groups, the largest first.
//! ```
//!
//! `name` and `description` must be there. `output` is `text`, `json`, or a JSON schema written as a
//! table. Anchors, aliases, tags and merge keys of YAML are refused: nothing in a definition is worth
//! a file that says something else than it shows.

mod dir;
mod fields;
mod front;
mod scalar;
mod told;
mod yaml;

use std::collections::BTreeSet;
use std::path::Path;

use crate::{AgentCatalog, AgentCode, AgentDefect, AgentDefects, SubAgentDef};
use told::Told;

/// The largest file of a definition: 256 KiB.
pub const MAX_AGENT_BYTES: usize = 256 << 10;

/// Reads definitions, and knows what they may name.
///
/// # Examples
/// ```
/// use zeph_subagent::AgentReader;
/// let text = b"---\nname: reader\ndescription: Reads\ntools: [read_fil]\n---\nYou read.\n";
/// assert!(AgentReader::new().read(text, "reader.md").is_ok());
///
/// let reader = AgentReader::new().known_tools(["read_file", "search"]);
/// let defects = reader.read(text, "reader.md").unwrap_err();
/// assert_eq!(
///     defects.to_string(),
///     r#"reader.md:4:9: [unknown_tool] there is no tool "read_fil" (did you mean "read_file"?)"#,
/// );
/// ```
#[derive(Clone, Debug, Default)]
pub struct AgentReader<'a> {
    tools: Option<BTreeSet<&'a str>>,
}

impl<'a> AgentReader<'a> {
    /// A reader that takes any tool's name.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Names the tools that the host has; others are defects then.
    #[must_use]
    pub fn known_tools(mut self, tools: impl IntoIterator<Item = &'a str>) -> Self {
        self.tools = Some(tools.into_iter().collect());
        self
    }

    /// Reads one definition; `source` is what its defects call it, usually the file's name.
    ///
    /// A byte order mark and line ends of either kind are fine. Blank lines around the prompt are
    /// not part of it. Takes time linear in the text.
    ///
    /// # Errors
    /// All that is wrong, in the order of the text, each with its place. After a syntax error what
    /// the front matter says is not known, so only the prompt is looked at besides.
    pub fn read(&self, bytes: &[u8], source: &str) -> Result<SubAgentDef, AgentDefects> {
        if bytes.len() > MAX_AGENT_BYTES {
            let len = bytes.len();
            let message = format!("the file has {len} bytes, and may have {MAX_AGENT_BYTES}");
            let defect = AgentDefect::new(AgentCode::TooLarge, "", message);
            return Err(AgentDefects::one(defect.of(source)));
        }
        let (text, broken) = match str::from_utf8(bytes) {
            Ok(text) => (text, None),
            Err(error) => {
                let (good, _) = bytes.split_at(error.valid_up_to());
                (str::from_utf8(good).unwrap_or_default(), Some(error))
            }
        };
        let mut told = Told::new(text, source);
        if let Some(error) = broken {
            let message = format!("byte {} is not UTF-8", error.valid_up_to());
            let defect = AgentDefect::new(AgentCode::NotUtf8, "", message);
            told.add(
                text.len()..text.len(),
                defect.help("save the file as UTF-8"),
            );
            return Err(told.into_defects());
        }
        let agent = self.read_text(text, &mut told);
        match agent {
            Some(agent) if told.is_empty() => {
                // What was read field by field passes the one check that all definitions pass.
                agent.check()?;
                Ok(agent)
            }
            _ => Err(told.into_defects()),
        }
    }

    fn read_text(&self, text: &str, told: &mut Told<'_>) -> Option<SubAgentDef> {
        let parts = front::split(text, told)?;
        let prompt = parts.prompt(told);
        let root = yaml::read(&text[parts.yaml.clone()], parts.yaml.start, told)?;
        let mut agent = fields::read(root, &parts, self.tools.as_ref(), told)?;
        agent.prompt = prompt;
        Some(agent)
    }

    /// Reads every `*.md` of a folder into a catalogue.
    ///
    /// In the order of their names; folders within are not entered, names that begin with a dot are
    /// left out, and files that do not end in `.md` are left alone. A symbolic link is a defect:
    /// what it shows is not what the folder holds. Blocks on the file system.
    ///
    /// # Errors
    /// The defects of all files together, two agents of one name among them.
    pub fn read_dir(&self, path: impl AsRef<Path>) -> Result<AgentCatalog, AgentDefects> {
        dir::read(self, path.as_ref())
    }
}

impl SubAgentDef {
    /// Reads a definition from Markdown with front matter, with any tools; needs the feature
    /// `markdown`. See [`AgentReader`] for more.
    ///
    /// # Errors
    /// As [`AgentReader::read`].
    ///
    /// # Examples
    /// ```
    /// use zeph_subagent::SubAgentDef;
    /// let text = "---\nname: analyst\ndescription: Counts things\nlimits: {max_turns: 2}\n---\n\nYou count.\n";
    /// let agent = SubAgentDef::from_markdown(text, "analyst.md")?;
    /// assert_eq!((agent.name.as_str(), agent.limits.max_turns), ("analyst", 2));
    /// assert_eq!(agent.prompt, "You count.");
    /// # Ok::<(), zeph_subagent::AgentDefects>(())
    /// ```
    pub fn from_markdown(text: &str, source: &str) -> Result<Self, AgentDefects> {
        AgentReader::new().read(text.as_bytes(), source)
    }
}

impl AgentCatalog {
    /// Reads every `*.md` of a folder, with any tools; needs the feature `markdown`.
    ///
    /// # Errors
    /// As [`AgentReader::read_dir`].
    pub fn load_dir(path: impl AsRef<Path>) -> Result<Self, AgentDefects> {
        AgentReader::new().read_dir(path)
    }
}
