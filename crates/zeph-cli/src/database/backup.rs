//! `zeph backup`: copies the database into a file, and checks the copy.

use serde_json::json;
use zeph_common::format_size;
use zeph_memory_sqlite::SqliteStore;

use crate::args::BackupArgs;
use crate::context::AppContext;
use crate::exit::{CliError, Exit, is_there};
use crate::read::page::{self, count};
use crate::store::needs_file;

pub(crate) async fn run(cx: &AppContext, args: &BackupArgs) -> Result<Exit, CliError> {
    let store = cx.open_store_read_only().await?;
    if args.file.symlink_metadata().is_ok() {
        return Err(is_there(&args.file));
    }
    let on_server = || needs_file("use `pg_dump --schema=zeph`, or a backup of the server");
    let file = store.file().ok_or_else(on_server)?;
    file.backup(&args.file).await?;
    let copy = SqliteStore::open_read_only(&args.file).await?;
    let check = copy.check().await?;
    if let Some(damage) = check.findings.first() {
        let text = format!("{} is damaged: {damage}", args.file.display());
        let error = CliError::new(Exit::Store, text).code("damaged");
        return Err(error.help("`zeph verify` tells whether the database is damaged, too"));
    }
    let bytes = std::fs::metadata(&args.file).map_or(0, |file| file.len());
    let (runs, file) = (check.runs.len() as u64, args.file.display().to_string());
    let json = || json!({ "file": file, "runs": runs, "bytes": bytes });
    let line = format!(
        "{} copied to {file}, {}; --db {file} reads it, and it can be put in the place of the database",
        count(runs, "run"),
        format_size(bytes)
    );
    Ok(page::print(cx, json, |page| page.line(line)))
}
