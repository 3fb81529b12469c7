//! Reads a folder with the definitions of agents.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::{AgentReader, MAX_AGENT_BYTES};
use zeph_diagnostics::{Code, Diagnostic, Diagnostics, Source};

use crate::agent::code;
use crate::{AgentCatalog, MAX_AGENTS, SubAgentDef};

/// Reads every definition in a folder; reports the problems of all files.
pub(super) fn read(reader: &AgentReader<'_>, dir: &Path) -> Result<AgentCatalog, Diagnostics> {
    let files = files(dir).map_err(|error| {
        let message = format!("the folder cannot be read: {error}");
        let help = "name the folder that holds the *.md files of the agents";
        problem(dir, code::UNREADABLE, message).help(help)
    })?;
    if files.len() > MAX_AGENTS {
        let count = files.len();
        let message = format!("the folder has {count} definitions; the limit is {MAX_AGENTS}");
        return Err(problem(dir, code::TOO_MANY, message).into());
    }
    let mut catalog = AgentCatalog::new();
    let mut problems = Diagnostics::new();
    for path in files {
        let added = read_file(reader, &path)
            .and_then(|agent| catalog.insert(agent, &path.to_string_lossy()));
        if let Err(found) = added {
            problems.append(found);
        }
    }
    problems.into_result().map(|()| catalog)
}

/// The paths of `*.md` in a folder, without hidden ones, sorted.
fn files(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let hidden = path
            .file_name()
            .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        let markdown = path
            .extension()
            .is_some_and(|ending| ending.eq_ignore_ascii_case("md"));
        if markdown && !hidden {
            all.push(path);
        }
    }
    all.sort();
    Ok(all)
}

fn read_file(reader: &AgentReader<'_>, path: &Path) -> Result<SubAgentDef, Diagnostics> {
    let unreadable = |error: io::Error| {
        let message = format!("the file cannot be read: {error}");
        problem(path, code::UNREADABLE, message).help("check its permissions")
    };
    // Checked before the file is opened: opening a pipe blocks until another process writes into it.
    let kind = fs::symlink_metadata(path).map_err(unreadable)?.file_type();
    if !kind.is_file() {
        let what = if kind.is_symlink() {
            "a symbolic link"
        } else if kind.is_dir() {
            "a folder"
        } else {
            "a pipe, socket or device"
        };
        let one = problem(
            path,
            code::NOT_A_FILE,
            format!("this is {what}, not a file"),
        );
        let help = "put the definition itself there, or give it another ending";
        return Err(one.help(help).into());
    }
    let mut bytes = Vec::new();
    // One byte above the limit is enough to see that the file is too large.
    let limit = MAX_AGENT_BYTES as u64 + 1;
    let file = File::open(path).map_err(unreadable)?;
    file.take(limit)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    reader.read(&bytes, &path.to_string_lossy())
}

fn problem(path: &Path, code: Code, message: String) -> Diagnostic {
    Diagnostic::new(code, message).in_source(&Source::without_text(&path.to_string_lossy()))
}
