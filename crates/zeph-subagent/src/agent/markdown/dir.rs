//! Reading a folder of definitions.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::{AgentReader, MAX_AGENT_BYTES};
use crate::{AgentCatalog, AgentCode, AgentDefect, AgentDefects, MAX_AGENTS};

/// The most defects that one folder is told of.
const MOST: usize = 1_000;

pub(crate) fn read(reader: &AgentReader<'_>, dir: &Path) -> Result<AgentCatalog, AgentDefects> {
    let files = files(dir).map_err(|error| {
        let message = format!("the folder cannot be read: {error}");
        let help = "give the folder that holds the agents' *.md files";
        let defect = AgentDefect::new(AgentCode::Unreadable, "", message).help(help);
        of(dir, defect)
    })?;
    let mut catalog = AgentCatalog::new();
    let mut found = Vec::new();
    if files.len() > MAX_AGENTS {
        let count = files.len();
        let message = format!("the folder has {count} definitions, and may have {MAX_AGENTS}");
        let defect = AgentDefect::new(AgentCode::TooMany, "", message);
        return Err(of(dir, defect));
    }
    for path in files {
        if found.len() >= MOST {
            break;
        }
        match read_file(reader, &path) {
            Ok(agent) => {
                let added = catalog.insert(agent, &path.to_string_lossy());
                found.extend(added.err().map(AgentDefects::into_vec).unwrap_or_default());
            }
            Err(defects) => found.extend(defects.into_vec()),
        }
    }
    found.truncate(MOST);
    AgentDefects::result(found).map(|()| catalog)
}

/// What is named like a definition, by name in order.
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

fn read_file(reader: &AgentReader<'_>, path: &Path) -> Result<crate::SubAgentDef, AgentDefects> {
    let unreadable = |error: io::Error| {
        let message = format!("the file cannot be read: {error}");
        let defect = AgentDefect::new(AgentCode::Unreadable, "", message);
        of(path, defect.help("check who may read it"))
    };
    // Looked at before it is opened: opening a pipe waits for somebody to write into it.
    let kind = fs::symlink_metadata(path).map_err(unreadable)?.file_type();
    if !kind.is_file() {
        let what = if kind.is_symlink() {
            "a symbolic link"
        } else if kind.is_dir() {
            "a folder"
        } else {
            "a pipe, socket or device"
        };
        let message = format!("this is {what}, and no file");
        let defect = AgentDefect::new(AgentCode::NotAFile, "", message);
        let help = "put the definition itself there, or give it another ending";
        return Err(of(path, defect.help(help)));
    }
    let mut bytes = Vec::new();
    // One byte more than allowed is enough to see that it is too large, however large it is.
    let most = MAX_AGENT_BYTES as u64 + 1;
    let file = File::open(path).map_err(unreadable)?;
    file.take(most)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    reader.read(&bytes, &path.to_string_lossy())
}

fn of(path: &Path, defect: AgentDefect) -> AgentDefects {
    AgentDefects::one(defect.of(&path.to_string_lossy()))
}
