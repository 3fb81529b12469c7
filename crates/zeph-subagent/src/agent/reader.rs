//! Agents in Markdown: front matter in YAML that describes the agent, then its system prompt.
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
//! `name` and `description` are required. `output` is `text`, `json`, or a JSON schema as a table. Anchors,
//! aliases, tags and merge keys of YAML are refused, because they make a definition hard to review.

mod fields;
mod folder;
mod front_matter;
mod known;
mod program;

use std::path::Path;

use zeph_diagnostics::{Diagnostic, Diagnostics, Source, read_yaml};

use super::code;
use crate::{AgentCatalog, SubAgentDef};
use known::Known;

/// The largest definition file: 256 KiB.
pub const MAX_AGENT_BYTES: usize = 256 << 10;

/// Reads definitions of agents, and checks the tools that they name.
///
/// # Examples
/// ```
/// use zeph_subagent::AgentReader;
/// let text = b"---\nname: reader\ndescription: Reads\ntools: [read_fil]\n---\nYou read.\n";
/// assert!(AgentReader::new().read(text, "reader.md").is_ok());
///
/// let reader = AgentReader::new().known_tools(["read_file", "search"]);
/// let problems = reader.read(text, "reader.md").unwrap_err();
/// assert_eq!(
///     problems.to_string(),
///     r#"reader.md:4:9: [unknown_tool] there is no tool "read_fil" (did you mean "read_file"?)"#,
/// );
/// ```
#[derive(Clone, Debug, Default)]
pub struct AgentReader<'a> {
    tools: Option<Known<'a>>,
}

impl<'a> AgentReader<'a> {
    /// A reader that accepts every tool name.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the tools of the host; every other tool in a definition is then a problem.
    #[must_use]
    pub fn known_tools(mut self, tools: impl IntoIterator<Item = &'a str>) -> Self {
        let known = self.tools.get_or_insert_default();
        known.tools.extend(tools);
        self
    }

    /// Sets the servers whose tools, `SERVER__TOOL`, are known, too: which tools a server has is seen when it
    /// is connected.
    #[must_use]
    pub fn known_servers(mut self, servers: impl IntoIterator<Item = &'a str>) -> Self {
        let known = self.tools.get_or_insert_default();
        known.servers.extend(servers);
        self
    }

    /// Says of tools that are not known what they need, for the problem of an agent that lists one.
    #[must_use]
    pub fn missing_tools(mut self, tools: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let known = self.tools.get_or_insert_default();
        known.missing.extend(tools);
        self
    }

    /// Reads one definition; `source` is its name in messages, usually the file's path.
    ///
    /// A byte order mark and line ends of either kind are accepted. Blank lines around the prompt are
    /// not part of it. Takes time linear in the text.
    ///
    /// # Errors
    /// All problems, in the order of the text, each with its place. After a YAML syntax error only the
    /// prompt is checked, too.
    pub fn read(&self, bytes: &[u8], source: &str) -> Result<SubAgentDef, Diagnostics> {
        if bytes.len() > MAX_AGENT_BYTES {
            let len = bytes.len();
            let message = format!("the file has {len} bytes; the limit is {MAX_AGENT_BYTES}");
            let one = Diagnostic::new(code::TOO_LARGE, message);
            return Err(one.in_source(&Source::without_text(source)).into());
        }
        let text = match str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => {
                let at = error.valid_up_to();
                let source = Source::new(source, &String::from_utf8_lossy(&bytes[..at]));
                let one = Diagnostic::new(code::NOT_UTF8, format!("byte {at} is not UTF-8"));
                let one = one.at(at..at).help("save the file as UTF-8");
                return Err(one.in_source(&source).into());
            }
        };
        let source = Source::new(source, text);
        let mut problems = Diagnostics::in_source(&source);
        let agent = self.read_source(&source, &mut problems);
        problems.sorted().into_result()?;
        // Without problems there is a definition. It passes the same check as definitions from code.
        let agent = agent.unwrap_or_else(|| SubAgentDef::new("", "", ""));
        agent.check()?;
        Ok(agent)
    }

    fn read_source(&self, source: &Source, problems: &mut Diagnostics) -> Option<SubAgentDef> {
        let parts = front_matter::split(source.text(), problems)?;
        let prompt = parts.prompt(problems);
        let root = read_yaml(source, parts.yaml, problems)?;
        let agent = fields::read(&root, parts.opening, self.tools.as_ref(), problems);
        for one in problems.iter_mut() {
            let span = one
                .span
                .filter(|span| (root.span.start..parts.yaml.end).contains(&span.start));
            one.path = span.map(|span| root.pointer(span.start));
        }
        Some(SubAgentDef { prompt, ..agent? })
    }

    /// Reads every `*.md` of a folder into a catalogue, in the order of the file names.
    ///
    /// Folders within it, files whose name begins with a dot and files with another suffix are skipped. A
    /// symbolic link is a problem, because it can lead out of the folder. Blocks the thread for file I/O.
    ///
    /// # Errors
    /// The problems of all files together. Two agents with the same name are a problem.
    pub fn read_dir(&self, path: impl AsRef<Path>) -> Result<AgentCatalog, Diagnostics> {
        folder::read(self, path.as_ref())
    }
}
