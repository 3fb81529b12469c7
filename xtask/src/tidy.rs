//! Tidy rules: checks on the text of every file.

mod manifest;
mod paths;
mod rust;
mod text;
mod words;

use std::path::Path;

use crate::finding::Finding;
use crate::mutants;
use crate::tree;
use crate::workspace::Workspace;

/// All violations in the repository.
pub(crate) fn check(workspace: &Workspace) -> Result<Vec<Finding>, String> {
    let root = &workspace.root;
    let words = words::Words::read(&tree::read(root, words::FILE)?)?;
    let mut found = Vec::new();
    for path in tree::files(root)? {
        let extension = Path::new(&path).extension().and_then(|ext| ext.to_str());
        let Some(extension @ ("rs" | "md" | "toml")) = extension else {
            continue;
        };
        let text = tree::read(root, &path)?;
        found.extend(paths::check(&path, &text));
        found.extend(text::spacing(&path, &text));
        match extension {
            "rs" => {
                found.extend(rust::check(&path, &text)?);
                found.extend(words.check(&path, &text));
            }
            "md" => {
                found.extend(text::fences(&path, &text));
                found.extend(words.check(&path, &text));
            }
            _ => {}
        }
    }
    found.extend(mutants::check(workspace)?);
    let root_manifest = tree::read(root, "Cargo.toml")?;
    found.extend(manifest::root(&root_manifest));
    let mut members = Vec::new();
    for each in &workspace.crates {
        let path = each.manifest.strip_prefix(root).unwrap_or(&each.manifest);
        let path = path.to_string_lossy().replace('\\', "/");
        let text = tree::read(root, &path)?;
        found.extend(manifest::member(&path, &text));
        members.push(text);
    }
    found.extend(manifest::unused(&root_manifest, &members)?);
    Ok(found)
}
