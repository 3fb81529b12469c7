//! Tools for agents that list them: reading below the folder of a run, and with a right in the settings,
//! writing, running registered commands and HTTP GET.

mod find;
mod folder;
mod guarded;
mod http;
mod rights;
mod write;

pub(super) use rights::{add, missing, names};

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use schemars::JsonSchema;
use serde::Deserialize;
use zeph_executor::TaskError;
use zeph_planner::agent::{ToolError, Tools};
use zeph_subagent::{Effect, Tool, ToolOutput, tool_fn, with_effect};

use folder::Folder;

/// The names of the tools that need no right, as agents list them.
const NAMES: [&str; 3] = ["list_files", "read_file", "search_text"];

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct List {
    /// The folder, relative to the project, such as "src"; "." is the project itself.
    #[serde(default = "project")]
    path: String,
}

/// The folder that is meant if a model names none.
fn project() -> String {
    ".".to_owned()
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Read {
    /// The file, relative to the project.
    path: String,
    /// The first line to read, from 1; null for the beginning.
    #[serde(default)]
    from_line: Option<u32>,
    /// How many lines to read; null for all that fit.
    #[serde(default)]
    lines: Option<u32>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Search {
    /// The exact text to look for, case-sensitive.
    text: String,
    /// The folder to look in, relative to the project; "." is all of it.
    #[serde(default = "project")]
    path: String,
}

/// The tools of a folder. They never leave it, follow no link out of it, and skip hidden files, which often
/// contain keys and histories.
pub(crate) fn of(folder: &Path) -> Result<Tools, ToolError> {
    let folder = Arc::new(Folder::new(folder));
    let mut tools = Tools::new();
    let here = Arc::clone(&folder);
    let tool = tool_fn(
        NAMES[0],
        "Lists a folder of the project: names, folders end in /",
        move |_, of: List| aside(Arc::clone(&here), move |folder, _| folder.list(&of.path)),
    );
    tools.add(with_effect(Effect::Pure, tool))?;
    let here = Arc::clone(&folder);
    let tool = tool_fn(
        NAMES[1],
        "Reads a text file of the project, at most 64 KiB at once",
        move |_, of: Read| {
            aside(Arc::clone(&here), move |folder, _| {
                folder.read(&of.path, of.from_line.unwrap_or(1), of.lines)
            })
        },
    );
    tools.add(with_effect(Effect::Pure, tool))?;
    let tool = tool_fn(
        NAMES[2],
        "Finds the lines of the project's text files in which a text stands",
        move |_, of: Search| {
            aside(Arc::clone(&folder), move |folder, stop| {
                find::find(folder, &of.text, &of.path, stop)
            })
        },
    );
    tools.add(with_effect(Effect::Pure, tool))?;
    Ok(tools)
}

/// A tool that has only a name, for plans that are not run.
pub(super) fn named(name: &str) -> Arc<dyn Tool> {
    tool_fn(name, "A tool of an MCP server", |_, _: Nothing| async {
        Err::<String, _>(TaskError::permanent("the tool is not connected"))
    })
}

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

/// Runs blocking work on a thread of its own, and stops it when the future is dropped.
async fn aside(
    folder: Arc<Folder>,
    work: impl FnOnce(&Folder, &AtomicBool) -> Result<String, TaskError> + Send + 'static,
) -> Result<ToolOutput, TaskError> {
    let waiting = Waiting(Arc::default());
    let stop = Arc::clone(&waiting.0);
    let done = tokio::task::spawn_blocking(move || work(&folder, &stop)).await;
    drop(waiting);
    let text = done.map_err(|error| {
        TaskError::permanent("the tool broke down")
            .with_code("tool_broke")
            .with_source(error)
    })??;
    Ok(text.into())
}

/// Stops the work when it is dropped.
struct Waiting(Arc<AtomicBool>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::of;
    use serde_json::json;
    use std::fs;
    use std::os::unix::fs::symlink;
    use zeph_subagent::tool_conformance;

    #[tokio::test]
    async fn the_tools_keep_the_rules_of_tools() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.txt"), "one\ntwo\n").unwrap();
        symlink("/etc", folder.path().join("out")).unwrap();
        assert_eq!(of(folder.path()).unwrap().names().len(), 3);
        let here = std::sync::Arc::new(super::Folder::new(folder.path()));
        let list = zeph_subagent::tool_fn("list", "Lists", move |_, of: super::List| {
            super::aside(std::sync::Arc::clone(&here), move |folder, _| {
                folder.list(&of.path)
            })
        });
        tool_conformance::check(list, json!({})).await.unwrap();
    }
}
