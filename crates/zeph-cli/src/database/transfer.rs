//! `zeph export` and `zeph import`: an ended run as lines of JSON, for another database.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, BufWriter};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use serde_json::json;
use zeph_graph::RunId;
use zeph_memory::{TransferError, Verified, export_run, import_run};

use super::claim;
use crate::args::{ExportArgs, ImportArgs};
use crate::context::{AppContext, command, find_run};
use crate::exit::{CliError, Exit, is_there};
use crate::out;
use crate::read::page::{self, count};

/// The name of standard input and output.
const STANDARD: &str = "-";

pub(crate) async fn export(cx: &AppContext, args: &ExportArgs) -> Result<Exit, CliError> {
    let store = cx.open_store_read_only().await?;
    let run = find_run(&store, Some(&args.run), None).await?;
    let Some(path) = args
        .file
        .as_deref()
        .filter(|path| *path != Path::new(STANDARD))
    else {
        let mut stdout = out::Stdout;
        export_run(&store, &run, &mut stdout).await?;
        return Ok(Exit::Completed);
    };
    let mut options = OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(path);
    let file = file.map_err(|error| {
        if error.kind() == io::ErrorKind::AlreadyExists {
            return is_there(path);
        }
        unusable(path, &error)
    })?;
    let mut lines = BufWriter::new(file);
    let exported = export_run(&store, &run, &mut lines).await;
    let exported = exported.inspect_err(|_| {
        // The file is this command's own.
        let _ = std::fs::remove_file(path);
    })?;
    let again = command(&["import", &path.display().to_string()]);
    let line = format!(
        "run {run} is exported: {}; `{again}` stores it in another database",
        words(&exported)
    );
    let json = || to_json(&run, &exported);
    Ok(page::print(cx, json, |page| page.line(line)))
}

pub(crate) async fn import(cx: &AppContext, args: &ImportArgs) -> Result<Exit, CliError> {
    let store = cx.open_store().await?;
    let fence = claim(&store, "import").await?;
    let (run, imported) = if args.file == Path::new(STANDARD) {
        import_run(&store, fence, &mut BufReader::new(io::stdin())).await?
    } else {
        let file = File::open(&args.file).map_err(|error| unusable(&args.file, &error))?;
        import_run(&store, fence, &mut BufReader::new(file)).await?
    };
    let show = command(&["show", run.as_str()]);
    let line = format!(
        "run {run} is imported: {}; `{show}` shows it",
        words(&imported)
    );
    let json = || to_json(&run, &imported);
    Ok(page::print(cx, json, |page| page.line(line)))
}

fn words(verified: &Verified) -> String {
    let (rows, contents) = (verified.rows, verified.contents);
    format!("{}, {}", count(rows, "record"), count(contents, "content"))
}

fn to_json(run: &RunId, verified: &Verified) -> serde_json::Value {
    json!({
        "run": run.as_str(),
        "records": verified.rows,
        "contents": verified.contents,
        "head": verified.head.to_string(),
    })
}

fn unusable(path: &Path, error: &io::Error) -> CliError {
    let text = format!("{} cannot be used: {error}", path.display());
    CliError::new(Exit::Usage, text).code("bad_file")
}

impl From<TransferError> for CliError {
    fn from(error: TransferError) -> Self {
        let text = error.to_string();
        let usage = |code| Self::new(Exit::Usage, text.as_str()).code(code);
        match error {
            TransferError::Store(error) => error.into(),
            TransferError::Io { .. } => Self::new(Exit::Internal, text).code("io"),
            TransferError::Open { run, .. } => usage("open").help(format!(
                "`{}` finishes it, `{}` ends it",
                command(&["resume", run.as_str()]),
                command(&["cancel", run.as_str()])
            )),
            TransferError::NotARun(_) => usage("not_an_export")
                .help("`zeph export RUN FILE` writes a file that can be imported"),
            TransferError::Version { .. } => usage("newer"),
            TransferError::Damaged { .. } => Self::new(Exit::Store, text).code("damaged"),
            _ => Self::new(Exit::Internal, text),
        }
    }
}
