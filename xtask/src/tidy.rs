//! Tidy rules: what every file of the house keeps to, checked on its text.

mod manifest;
mod paths;
mod rust;
mod text;

use std::path::Path;

use crate::finding::Finding;
use crate::source;
use crate::tree;
use crate::workspace::Workspace;

/// Everything that is untidy in the repository.
pub(crate) fn check(workspace: &Workspace) -> Result<Vec<Finding>, String> {
    let root = &workspace.root;
    let mut found = Vec::new();
    for source in source::all(root)? {
        found.extend(rust::check(&source));
        found.extend(paths::in_source(&source));
        found.extend(text::spacing(
            &source.path,
            &tree::read(root, &source.path)?,
        ));
    }
    for path in tree::files(root)? {
        match Path::new(&path).extension().and_then(|ext| ext.to_str()) {
            Some("md") => {
                let text = tree::read(root, &path)?;
                found.extend(text::fences(&path, &text));
                found.extend(paths::in_text(&path, &text));
                found.extend(text::spacing(&path, &text));
            }
            Some("toml") => {
                let text = tree::read(root, &path)?;
                found.extend(paths::in_text(&path, &text));
                found.extend(text::spacing(&path, &text));
            }
            _ => {}
        }
    }
    found.extend(manifest::root(&tree::read(root, "Cargo.toml")?));
    for each in &workspace.crates {
        let path = each.manifest.strip_prefix(root).unwrap_or(&each.manifest);
        let path = path.to_string_lossy().replace('\\', "/");
        let text = tree::read(root, &path)?;
        found.extend(manifest::member(&path, &text));
    }
    Ok(found)
}
