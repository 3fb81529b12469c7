//! `zeph artifact`: lists the artifacts of a task, or writes one into a file.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use zeph_common::format_size;
use zeph_executor::{Artifact, TaskOutput};

use super::page::{self, Page};
use crate::args::ArtifactArgs;
use crate::context::{AppContext, command_with};
use crate::exit::{CliError, Exit, write_file};
use crate::out;

pub(crate) async fn run(cx: &AppContext, args: &ArtifactArgs) -> Result<Exit, CliError> {
    let (store, view) = cx.load_run(Some(&args.run)).await?;
    let task = view.task(&args.task)?;
    let output = view.output(&store, task).await?.unwrap_or_default();
    let name = view.graph().task(task).name();
    let Some(wanted) = &args.artifact else {
        let artifacts: Vec<Artifact> = output.artifacts().collect();
        let json =
            || json!({ "run": view.run.as_str(), "task": name, "artifacts": to_json(&output) });
        return Ok(page::print(cx, json, |page| {
            if artifacts.is_empty() {
                page.line(format!(
                    "the task {name} of run {} has no artifacts",
                    view.run
                ));
                return;
            }
            render(page, 0, &artifacts);
            let first = artifacts.first().map_or("", |one| &one.name);
            page.next(&[command_with(
                &["artifact", view.run.as_str()],
                &[name, first],
            )]);
        }));
    };
    let found = output.artifacts().find(|one| one.name == *wanted);
    let artifact = found.ok_or_else(|| {
        let names: Vec<String> = output.artifacts().map(|one| one.name).collect();
        let near = zeph_diagnostics::suggest(wanted, names.iter().map(String::as_str));
        let list = command_with(&["artifact", view.run.as_str()], &[name]);
        let help = match near {
            Some(near) => format!("did you mean {near:?}? `{list}` lists all"),
            None => format!("`{list}` lists what it has"),
        };
        let message = format!(
            "the task {name} of run {} has no artifact {wanted:?}",
            view.run
        );
        CliError::new(Exit::Usage, message)
            .code("no_such_artifact")
            .help(help)
    })?;
    // The last part of a clean name is a file name.
    let base = || PathBuf::from(artifact.name.rsplit('/').next().unwrap_or_default());
    let path = args.output.clone().unwrap_or_else(base);
    if path == Path::new("-") {
        out::bytes(&artifact.bytes);
        return Ok(Exit::Completed);
    }
    let unwritable = |error: &io::Error| {
        let text = format!(
            "the artifact cannot be written to {}: {error}",
            path.display()
        );
        CliError::new(Exit::Usage, text).code("bad_file")
    };
    write_file(&path, &artifact.bytes, args.force, unwritable)?;
    if artifact.executable {
        let mode = fs::metadata(&path).map(|about| about.permissions().mode());
        // As the user's umask allows: who may read may execute.
        let set = mode.and_then(|mode| {
            fs::set_permissions(&path, Permissions::from_mode(mode | ((mode & 0o444) >> 2)))
        });
        set.map_err(|error| unwritable(&error))?;
    }
    let size = format_size(artifact.bytes.len() as u64);
    let line = format!(
        "{} is written: {size}, BLAKE3 {}",
        path.display(),
        artifact.hash()
    );
    let json = || {
        json!({
            "run": view.run.as_str(),
            "task": name,
            "artifact": one_json(&artifact),
            "file": path.to_string_lossy(),
        })
    };
    Ok(page::print(cx, json, |page| page.line(line)))
}

/// A table with names, sizes and hashes.
pub(super) fn render(page: &mut Page, indent: usize, artifacts: &[Artifact]) {
    let row = |one: &Artifact| {
        vec![
            one.name.clone(),
            format_size(one.bytes.len() as u64),
            one.hash(),
        ]
    };
    let rows: Vec<_> = artifacts.iter().map(row).collect();
    page.table(indent, &["ARTIFACT", "SIZE", "BLAKE3"], &rows);
}

pub(super) fn to_json(output: &TaskOutput) -> Vec<Value> {
    output.artifacts().map(|one| one_json(&one)).collect()
}

fn one_json(artifact: &Artifact) -> Value {
    json!({
        "name": artifact.name,
        "bytes": artifact.bytes.len(),
        "blake3": artifact.hash(),
        "executable": artifact.executable,
    })
}
