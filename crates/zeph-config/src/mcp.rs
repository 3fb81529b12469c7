//! Servers of the Model Context Protocol: the tables `[mcp.NAME]` of a file.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use zeph_diagnostics::{Diagnostic, Diagnostics, Node, Table, quote};

use crate::code;

/// The keys of a server.
const KEYS: [&str; 11] = [
    "command",
    "url",
    "tools",
    "read_only",
    "trust_hints",
    "approve",
    "timeout",
    "env",
    "pass_env",
    "token_env",
    "in_clear",
];
/// The longest time-out.
const MAX_TIMEOUT: Duration = Duration::from_secs(3_600);

/// A server of the Model Context Protocol, whose tools agents may list.
///
/// # Examples
/// ```
/// use zeph_config::{Layers, McpTransport};
/// let file = r#"
/// [mcp.files]
/// command = ["mcp-server-filesystem", "docs"]
/// read_only = ["read_text_file", "list_directory"]
/// "#;
/// let config = Layers::new().user_file(file, "config.toml").resolve()?.config;
/// let files = &config.mcp["files"];
/// assert!(matches!(&files.transport, McpTransport::Command(argv) if argv.len() == 2));
/// assert!(files.needs_approval("write_file", false));
/// assert!(!files.needs_approval("read_text_file", false));
/// # Ok::<(), zeph_config::Diagnostics>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct McpConfig {
    /// How the server is reached.
    pub transport: McpTransport,
    /// The tools that agents may list, by the server's names. Default: all of them.
    pub tools: Option<BTreeSet<String>>,
    /// The tools that change nothing, by the server's names. Default: none.
    pub read_only: BTreeSet<String>,
    /// Whether a tool counts as reading only if the server says so. Default false: a server can say anything.
    pub trust_hints: bool,
    /// Whether a person approves the tasks that may call a tool which does not only read.
    pub approve: McpApproval,
    /// The time-out of the start and of each call. Default 60 s, from 1 ms to one hour.
    pub timeout: Duration,
    /// Variables of the program, with their values. Secrets belong into `pass_env`.
    pub env: BTreeMap<String, String>,
    /// Variables of this process that the program gets although they have keys. Their values are redacted.
    pub pass_env: Vec<String>,
    /// The variable with the token that is sent to the address. Its value is redacted.
    pub token_env: Option<String>,
    /// Whether what is sent, also a token, may travel unencrypted to another machine.
    pub in_clear: bool,
}

/// How a server is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum McpTransport {
    /// A program and its arguments, over its standard input and output.
    Command(Vec<String>),
    /// An address, over streamable HTTP.
    Url(String),
}

/// Whether a person approves tasks with tools that may change something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum McpApproval {
    /// Before the task starts.
    #[default]
    Ask,
    /// Never: the author of the settings has decided.
    Never,
}

impl McpConfig {
    /// A server with the default rules.
    #[must_use]
    pub fn new(transport: McpTransport) -> Self {
        Self {
            transport,
            tools: None,
            read_only: BTreeSet::new(),
            trust_hints: false,
            approve: McpApproval::Ask,
            timeout: Duration::from_secs(60),
            env: BTreeMap::new(),
            pass_env: Vec::new(),
            token_env: None,
            in_clear: false,
        }
    }

    /// Whether agents may list a tool, by the server's name for it.
    #[must_use]
    pub fn allows(&self, tool: &str) -> bool {
        self.tools.as_ref().is_none_or(|tools| tools.contains(tool))
    }

    /// Whether a tool only reads. `hinted` is what the server says.
    #[must_use]
    pub fn only_reads(&self, tool: &str, hinted: bool) -> bool {
        self.read_only.contains(tool) || (self.trust_hints && hinted)
    }

    /// Whether a person approves the tasks that may call a tool. `hinted` is what the server says about
    /// reading only.
    #[must_use]
    pub fn needs_approval(&self, tool: &str, hinted: bool) -> bool {
        self.approve == McpApproval::Ask && !self.only_reads(tool, hinted)
    }

    /// The program or the address, as text for messages: of an address without its query, which often holds a key.
    ///
    /// # Examples
    /// ```
    /// use zeph_config::{McpConfig, McpTransport};
    /// let url = "https://mcp.example.com/mcp?key=abc".to_owned();
    /// let config = McpConfig::new(McpTransport::Url(url));
    /// assert_eq!(config.target(), "https://mcp.example.com/mcp?…");
    /// ```
    #[must_use]
    pub fn target(&self) -> String {
        match &self.transport {
            McpTransport::Command(argv) => argv.join(" "),
            McpTransport::Url(url) => match url.split_once('?') {
                Some((address, _)) => format!("{address}?…"),
                None => url.clone(),
            },
        }
    }
}

/// Reads the table `mcp`. A server with a problem is omitted.
pub(crate) fn read(node: &Node, problems: &mut Diagnostics) -> BTreeMap<String, McpConfig> {
    let mut servers = BTreeMap::new();
    if let Some(table) = node.any_table("`mcp`", problems) {
        for entry in table.entries() {
            if !is_name(&entry.key) {
                let message = format!("{} cannot be the name of a server", quote(&entry.key));
                let one = Diagnostic::new(code::BAD_VALUE, message).at(entry.key_span);
                problems.push(one.help("use 1 to 24 of a-z, 0-9 and '-', beginning with a letter"));
                continue;
            }
            let what = format!("mcp.{}", entry.key);
            if let Some(server) = server(&what, &entry.node, problems) {
                servers.insert(entry.key.clone(), server);
            }
        }
    }
    servers
}

/// Without `_`, so that the name of a tool, `SERVER__TOOL`, has one meaning.
fn is_name(text: &str) -> bool {
    text.len() <= 24
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

fn server(path: &str, node: &Node, problems: &mut Diagnostics) -> Option<McpConfig> {
    let before = problems.len();
    let table = node.table(&format!("`{path}`"), &KEYS, problems)?;
    let mut server = McpConfig::new(transport(path, &table, problems)?);
    let names = |key: &str, problems: &mut Diagnostics| -> Option<Vec<String>> {
        let names = table
            .get(key)?
            .strings(&format!("`{path}.{key}`"), problems)?;
        Some(names.into_iter().map(str::to_owned).collect())
    };
    server.tools = names("tools", problems).map(BTreeSet::from_iter);
    server.read_only = names("read_only", problems)
        .map(BTreeSet::from_iter)
        .unwrap_or_default();
    server.pass_env = names("pass_env", problems).unwrap_or_default();
    if let Some(node) = table.get("trust_hints") {
        let what = format!("`{path}.trust_hints`");
        server.trust_hints = node.boolean(&what, problems).unwrap_or_default();
    }
    if let Some(node) = table.get("approve") {
        let words = [("ask", McpApproval::Ask), ("never", McpApproval::Never)];
        let word = node.word(&format!("`{path}.approve`"), &words, problems);
        server.approve = word.unwrap_or_default();
    }
    if let Some(node) = table.get("timeout") {
        let what = format!("`{path}.timeout`");
        let time = node.duration(&what, problems).unwrap_or(server.timeout);
        if time < Duration::from_millis(1) || time > MAX_TIMEOUT {
            let message = format!("{what} must be from 1ms to 1h");
            problems.push(Diagnostic::new(code::BAD_VALUE, message).at(node.span));
        }
        server.timeout = time;
    }
    if let Some(node) = table.get("env") {
        let what = format!("`{path}.env`");
        for entry in node.any_table(&what, problems)?.entries() {
            let what = format!("`{path}.env.{}`", entry.key);
            let value = entry.node.string(&what, problems).unwrap_or_default();
            server.env.insert(entry.key.clone(), value.to_owned());
        }
    }
    if let Some(node) = table.get("token_env") {
        let name = node.string(&format!("`{path}.token_env`"), problems);
        server.token_env = name.map(str::to_owned);
    }
    if let Some(node) = table.get("in_clear") {
        let what = format!("`{path}.in_clear`");
        server.in_clear = node.boolean(&what, problems).unwrap_or_default();
    }
    misplaced(path, &table, &server.transport, problems);
    (problems.len() == before).then_some(server)
}

fn transport(path: &str, table: &Table<'_>, problems: &mut Diagnostics) -> Option<McpTransport> {
    match (table.entry("command"), table.entry("url")) {
        (Some(entry), None) => {
            let what = format!("`{path}.command`");
            let argv = entry.node.strings(&what, problems)?;
            if argv.first().is_none_or(|program| program.trim().is_empty()) {
                let message = format!("{what} names no program");
                problems.push(Diagnostic::new(code::BAD_VALUE, message).at(entry.node.span));
                return None;
            }
            let argv = argv.into_iter().map(str::to_owned);
            Some(McpTransport::Command(argv.collect()))
        }
        (None, Some(entry)) => {
            let what = format!("`{path}.url`");
            let url = entry.node.string(&what, problems)?;
            if !url.starts_with("https://") && !url.starts_with("http://") {
                let message = format!("{what} must begin with https:// or http://");
                problems.push(Diagnostic::new(code::BAD_VALUE, message).at(entry.node.span));
                return None;
            }
            let (_, rest) = url.split_once("://").unwrap_or_default();
            let host = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
            if host.is_empty() || host.contains('@') {
                let one = if host.is_empty() {
                    Diagnostic::new(code::BAD_VALUE, format!("{what} names no host"))
                } else {
                    let message = format!("{what} must not have a user name or a password");
                    Diagnostic::new(code::BAD_VALUE, message)
                        .help("name the variable with the token in `token_env`")
                };
                problems.push(one.at(entry.node.span));
                return None;
            }
            Some(McpTransport::Url(url.to_owned()))
        }
        (Some(_), Some(url)) => {
            let message = format!("`{path}` has both `command` and `url`");
            problems.push(Diagnostic::new(code::CONFLICT, message).at(url.key_span));
            None
        }
        (None, None) => {
            let message = format!("`{path}` has neither `command` nor `url`");
            let one = Diagnostic::new(code::MISSING_KEY, message).at(table.span);
            problems.push(one.help("add `command = [\"PROGRAM\"]`, or `url = \"https://…\"`"));
            None
        }
    }
}

/// Reports keys that only the other transport uses.
fn misplaced(path: &str, table: &Table<'_>, transport: &McpTransport, problems: &mut Diagnostics) {
    let (keys, other): (&[&str], _) = match transport {
        McpTransport::Command(_) => (&["token_env", "in_clear"], "url"),
        McpTransport::Url(_) => (&["env", "pass_env"], "command"),
    };
    for key in keys {
        if let Some(entry) = table.entry(key) {
            let message = format!("`{path}.{key}` is for a server with `{other}`");
            problems.push(Diagnostic::new(code::CONFLICT, message).at(entry.key_span));
        }
    }
}
