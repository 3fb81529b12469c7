//! `--junit FILE` and `zeph junit`: a run as JUnit XML.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::Path;

use zeph_orchestration::RunReport;
use zeph_runtime::RunView;

use crate::args::JunitArgs;
use crate::context::AppContext;
use crate::exit::{CliError, Exit};
use crate::out;

pub(crate) async fn run(cx: &AppContext, args: &JunitArgs) -> Result<Exit, CliError> {
    let (store, view) = cx.load_run(Some(&args.run)).await?;
    let report = view.full_report(&store).await?;
    match args.file.as_deref().filter(|path| *path != Path::new("-")) {
        Some(path) => write(path, &view, &report)?,
        None => out::bytes(zeph_orchestration::junit(&view, &report).as_bytes()),
    }
    Ok(Exit::Completed)
}

/// Makes the file of a report before the run, so that a name that cannot be written costs no run.
pub(crate) fn prepare(path: Option<&Path>) -> Result<(), CliError> {
    let Some(path) = path else { return Ok(()) };
    let opened = OpenOptions::new().append(true).create(true).open(path);
    opened.map(drop).map_err(|error| unwritable(path, &error))
}

/// Writes the report of a run over the file.
pub(super) fn write(path: &Path, view: &RunView, report: &RunReport) -> Result<(), CliError> {
    let text = zeph_orchestration::junit(view, report);
    let mut options = OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).open(path);
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| unwritable(path, &error))
}

fn unwritable(path: &Path, error: &io::Error) -> CliError {
    let text = format!(
        "the report cannot be written to {}: {error}",
        path.display()
    );
    CliError::new(Exit::Usage, text).code("bad_file")
}
