//! The tools that a host has, for the check of a definition.

use std::collections::{BTreeMap, BTreeSet};

use zeph_diagnostics::{Diagnostic, quote};

use crate::agent::{check, code};

/// Between the name of a server and that of its tool.
const SEPARATOR: &str = "__";

#[derive(Clone, Debug, Default)]
pub(super) struct Known<'a> {
    pub(super) tools: BTreeSet<&'a str>,
    pub(super) servers: BTreeSet<&'a str>,
    /// Tools that the host does not have, and what they need.
    pub(super) missing: BTreeMap<&'a str, &'a str>,
}

impl Known<'_> {
    /// The problem of a tool that the host does not have.
    pub(super) fn problem(&self, tool: &str) -> Option<Diagnostic> {
        if self.tools.contains(tool) {
            return None;
        }
        let no_tool = |help: String| {
            let message = format!("there is no tool {}", quote(tool));
            Some(Diagnostic::new(code::UNKNOWN_TOOL, message).help(help))
        };
        if let Some(needs) = self.missing.get(tool) {
            return no_tool((*needs).to_owned());
        }
        match tool.split_once(SEPARATOR) {
            Some((server, _)) if self.servers.contains(server) => None,
            Some((server, _)) => no_tool(format!(
                "it would be one of the MCP server {}, and the settings have no table [mcp.{server}]",
                quote(server)
            )),
            None => check::unknown_tool(tool, &self.tools),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Known;

    #[test]
    fn what_a_tool_needs_is_said() {
        let known = Known {
            tools: ["read_file"].into(),
            servers: ["files"].into(),
            missing: [("write_file", "set tools.write")].into(),
        };
        assert!(known.problem("read_file").is_none());
        assert!(known.problem("files__write").is_none());
        let said = |tool| known.problem(tool).map(|one| one.to_string());
        let text = said("write_file").unwrap_or_default();
        assert!(text.contains("set tools.write"), "{text}");
        let text = said("web__get").unwrap_or_default();
        assert!(text.contains("[mcp.web]"), "{text}");
        let text = said("read_fil").unwrap_or_default();
        assert!(text.contains("did you mean"), "{text}");
    }
}
