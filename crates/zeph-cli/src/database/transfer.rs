//! `zeph export` and `zeph import`: an ended run as lines of JSON, for another database.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use serde_json::json;
use zeph_common::escape_terminal;
use zeph_graph::{RunEnd, RunId};
use zeph_memory::{MemoryStore, TransferError, Verified, export_run, import_run};
use zeph_runtime::RunView;

use super::claim;
use crate::args::{ExportArgs, ImportArgs};
use crate::context::{AppContext, command, find_run, now};
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
    // The file is read twice: first into memory, where it has to be a run as this program would read it.
    let text = if args.file == Path::new(STANDARD) {
        read_all(&mut io::stdin())
    } else {
        File::open(&args.file).and_then(|mut file| read_all(&mut file))
    };
    let text = text.map_err(|error| unusable(&args.file, &error))?;
    check_run(&text).await?;
    let (run, imported) = import_run(&store, fence, &mut text.as_slice()).await?;
    let show = command(&["show", run.as_str()]);
    let line = format!(
        "run {run} is imported: {}; `{show}` shows it",
        words(&imported)
    );
    let json = || to_json(&run, &imported);
    Ok(page::print(cx, json, |page| page.line(line)))
}

/// The most bytes of a file that is imported.
const MAX_BYTES: u64 = 4 << 30;

fn read_all(from: &mut dyn io::Read) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    if from.take(MAX_BYTES).read_to_end(&mut text)? as u64 == MAX_BYTES {
        return Err(io::Error::other("it has more than 4 GiB"));
    }
    Ok(text)
}

/// Refuses a file whose hashes are right and whose records are not those of a run that ended as it says.
async fn check_run(text: &[u8]) -> Result<(), CliError> {
    let memory = MemoryStore::new();
    let fence = claim(&memory, "import").await?;
    let mut lines = text;
    let (run, _) = import_run(&memory, fence, &mut lines).await?;
    let refused = |why: String| {
        let text = format!("run {run} of the file is not imported: {why}");
        CliError::new(Exit::Store, text).code("damaged")
    };
    let view = RunView::load(&memory, &run).await;
    let view = view.map_err(|error| refused(error.to_string()))?;
    let end = view.scheduler.end().map(RunEnd::word);
    if end != Some(view.status.state.as_str()) {
        let state = escape_terminal(&view.status.state).into_owned();
        return Err(refused(format!("its records do not end as {state:?}")));
    }
    if view.created_at.max(view.updated_at) > now() {
        return Err(refused("it is of the future".to_owned()));
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use zeph_graph::Timestamp;
    use zeph_memory::{Chain, Commit, NewRun, RawGraphStore as _, Row, RunStatus};

    use super::{MemoryStore, check_run, claim, export_run, now};

    /// The export of a run without tasks, with these records and that state. Its hashes are right.
    async fn exported(created_at: Timestamp, records: &[&str], state: &str) -> Vec<u8> {
        let store = MemoryStore::new();
        let fence = claim(&store, "test").await.expect("it is in memory");
        let run = "r1".parse().expect("a name");
        let header = zeph_graph::wire::encode_header(&zeph_graph::Header {
            graph: zeph_graph::TaskGraph::new(),
            policy: zeph_graph::Policy::default(),
        });
        let new = NewRun::new(run, "A title", created_at, header);
        let mut chain = Chain::genesis(&new);
        let rows = records.iter().map(|record| Row::new(created_at, *record));
        let append = chain.seal(rows.collect(), RunStatus::ended(state));
        let commit = Commit::one(append.creating(new));
        store.commit(&commit, fence).await.expect("it is in memory");
        let mut lines = Vec::new();
        let exported = export_run(&store, chain.run(), &mut lines).await;
        exported.expect("it has ended");
        lines
    }

    const OPENED: &str = r#"{"type":"opened"}"#;
    const ENDED: &str = r#"{"type":"ended","end":"completed"}"#;

    #[tokio::test]
    async fn only_a_run_that_ended_as_it_says_is_imported() {
        let past = Timestamp::from_micros(7);
        let whole = exported(past, &[OPENED, ENDED], "completed").await;
        assert!(check_run(&whole).await.is_ok());
        let later = now().after(std::time::Duration::from_secs(3_600));
        for (at, records, state) in [
            (past, &[OPENED, ENDED][..], "failed"),
            (past, &[OPENED, ENDED], "no such state"),
            (past, &[OPENED], "completed"),
            (past, &[OPENED, "garbage"], "completed"),
            (past, &[ENDED, OPENED], "completed"),
            (later, &[OPENED, ENDED], "completed"),
        ] {
            let forged = exported(at, records, state).await;
            assert!(check_run(&forged).await.is_err(), "{records:?} {state}");
        }
    }
}
