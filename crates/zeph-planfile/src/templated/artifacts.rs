//! Artifacts of dependencies, as files in a private folder of the attempt.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::{Map, Value};
use tempfile::TempDir;
use zeph_executor::{Artifact, TaskError, TaskInput};

use crate::references::{Reference, references_in};
use crate::template::texts_mut;

/// The field of a task with its artifacts: their paths by name.
pub(crate) const ARTIFACTS: &str = "artifacts";

/// What expressions get for the artifacts of each task: a text for each name.
pub(super) type Texts = BTreeMap<String, Value>;

/// The artifacts that the expressions of an attempt use. Its folder is removed with it.
#[derive(Debug, Default)]
pub(super) struct Materialised {
    pub(super) paths: Texts,
    _folder: Option<TempDir>,
}

/// The dependencies whose artifacts the expressions of these parameters use.
fn used<'a>(params: &Value, input: &'a TaskInput) -> Vec<(&'a str, Vec<Artifact>)> {
    let mut params = params.clone();
    let texts = texts_mut(&mut params).into_iter();
    let found = texts.flat_map(|text| references_in(text.as_str().unwrap_or_default()));
    let names = found.filter_map(|reference| match reference {
        Reference::Task { name, field } => (field == ARTIFACTS).then_some(name),
        Reference::Param(_) | Reference::Run(_) | Reference::Item | Reference::ItemIndex => None,
    });
    let names: BTreeSet<String> = names.collect();
    let parents = input
        .parents
        .iter()
        .filter(|(name, _)| names.contains(*name));
    let artifacts = parents.filter_map(|(name, parent)| {
        let output = parent.output.as_ref()?;
        Some((name.as_str(), output.artifacts().collect()))
    });
    artifacts.collect()
}

/// A text for each artifact that the parameters use, without files.
pub(super) fn described(
    params: &Value,
    input: &TaskInput,
    text: impl Fn(&Artifact) -> String,
) -> Texts {
    let one = |artifact: &Artifact| (artifact.name.clone(), text(artifact).into());
    let used = used(params, input).into_iter();
    used.map(|(task, artifacts)| {
        let texts: Map<String, Value> = artifacts.iter().map(one).collect();
        (task.to_owned(), texts.into())
    })
    .collect()
}

/// Writes the artifacts that the parameters use. Only the user may read the folder.
pub(super) async fn materialise(
    params: &Value,
    input: &TaskInput,
) -> Result<Materialised, TaskError> {
    let used = used(params, input).into_iter();
    let used: Vec<(String, Vec<Artifact>)> = used
        .map(|(task, artifacts)| (task.to_owned(), artifacts))
        .collect();
    if used.iter().all(|(_, artifacts)| artifacts.is_empty()) {
        let none = |(task, _)| (task, Map::new().into());
        let paths = used.into_iter().map(none).collect();
        return Ok(Materialised {
            paths,
            _folder: None,
        });
    }
    let written = tokio::task::spawn_blocking(move || write(&used)).await?;
    written.map_err(|error| {
        TaskError::retryable("the artifacts cannot be written into a temporary folder")
            .with_code("artifacts_unwritable")
            .with_source(error)
    })
}

fn write(used: &[(String, Vec<Artifact>)]) -> io::Result<Materialised> {
    let mut builder = tempfile::Builder::new();
    let private = Permissions::from_mode(0o700);
    let folder = builder
        .prefix("zeph-artifacts-")
        .permissions(private)
        .tempdir()?;
    let mut paths = Texts::new();
    // The name of a task may have a slash, and its number has none.
    for (number, (task, artifacts)) in used.iter().enumerate() {
        let below = folder.path().join(number.to_string());
        let mut written = Map::new();
        for artifact in artifacts {
            let path = below.join(&artifact.name);
            write_one(&path, artifact)?;
            let text = path.to_str();
            let text = text.ok_or_else(|| io::Error::other("its name is not UTF-8"))?;
            written.insert(artifact.name.clone(), text.into());
        }
        paths.insert(task.clone(), written.into());
    }
    Ok(Materialised {
        paths,
        _folder: Some(folder),
    })
}

fn write_one(path: &Path, artifact: &Artifact) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::write(path, &artifact.bytes)?;
    let mode = if artifact.executable { 0o700 } else { 0o600 };
    fs::set_permissions(path, Permissions::from_mode(mode))
}
