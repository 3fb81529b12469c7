//! Transfer: an ended run as lines of JSON, which another store takes with the same hashes.
//!
//! The first line has the format, its version, and what describes the run; each further line has one row of
//! the journal with the contents that it added. Requests and drafts belong to open runs and are no part of it.

use std::fmt::Display;
use std::io::{self, BufRead, Write};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use zeph_graph::{ContentId, RunId, Seq, Timestamp};

use crate::chain::Chain;
use crate::error::StoreError;
use crate::row::{Content, ContentKind, Row};
use crate::run::{NewRun, RunStatus};
use crate::store::{Commit, Fence, RawGraphStore};
use crate::verify::{PartCounts, ROWS_AT_ONCE, Verified, check_rows, parts_of};

/// The version of the format: incremented when an older program could misread a line.
pub const TRANSFER_VERSION: u32 = 1;
/// The name of the format.
const FORMAT: &str = "zeph-run";

/// Why a run was not exported or imported. The store is as it was before.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransferError {
    /// The store refused, or a stored run is damaged.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The lines cannot be read or written.
    #[error("the exported run cannot be {what}: {source}")]
    Io {
        /// `read` or `written`.
        what: &'static str,
        /// The error of the system.
        source: io::Error,
    },
    /// The run has not ended. It continues in one store only.
    #[error("run {run} has not ended ({state}), and only an ended run can be stored elsewhere")]
    Open {
        /// The run.
        run: RunId,
        /// Its state.
        state: String,
    },
    /// The first line is not the beginning of an exported run.
    #[error("this is not an exported run: {0}")]
    NotARun(String),
    /// Another version of the format.
    #[error(
        "the exported run has version {found} of its format, and this program knows version {TRANSFER_VERSION}: use the program that wrote it"
    )]
    Version {
        /// The version of the lines.
        found: u32,
    },
    /// A line is not as it was written.
    #[error("line {line} is not as it was exported: {what}; export the run again")]
    Damaged {
        /// The number of the line, from 1.
        line: u64,
        /// The damage.
        what: String,
    },
}

/// The fields that every version of a first line has.
#[derive(Deserialize)]
struct Versioned {
    format: String,
    version: u32,
}

/// The first line.
#[derive(Serialize, Deserialize)]
struct HeadLine {
    format: String,
    version: u32,
    run: String,
    title: String,
    created_at_us: u64,
    header: Body,
    state: String,
    /// A `RunSummary` as JSON text.
    summary: String,
    status_hash: String,
    rows: u64,
    head: String,
}

/// A row of the journal.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RowLine {
    seq: u64,
    at_us: u64,
    /// JSON text, of which the hash is made.
    payload: String,
    hash: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    contents: Vec<PartLine>,
}

/// A part of a content.
#[derive(Serialize, Deserialize)]
struct PartLine {
    id: u32,
    kind: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    name: String,
    #[serde(flatten)]
    body: Body,
}

/// Bytes: as text if they are UTF-8.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Body {
    Text(String),
    Hex(String),
}

impl Body {
    fn new(bytes: &[u8]) -> Self {
        match str::from_utf8(bytes) {
            Ok(text) => Self::Text(text.to_owned()),
            Err(_) => Self::Hex(bytes.iter().map(|byte| format!("{byte:02x}")).collect()),
        }
    }

    fn into_bytes(self) -> Option<Bytes> {
        match self {
            Self::Text(text) => Some(text.into()),
            Self::Hex(digits) => {
                let pairs = digits.as_bytes().chunks(2);
                let byte = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok();
                let is_even = digits.len() % 2 == 0;
                pairs
                    .map(byte)
                    .collect::<Option<Vec<u8>>>()
                    .filter(|_| is_even)
                    .map(Bytes::from)
            }
        }
    }
}

/// Writes an ended run, with all of its contents, and verifies it meanwhile.
///
/// # Examples
/// ```
/// # use zeph_graph::Timestamp;
/// # use zeph_memory::{Chain, Commit, NewRun, Row, RunStatus};
/// use zeph_memory::{MemoryStore, RawGraphStore, export_run, import_run, verify};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (store, now) = (MemoryStore::new(), Timestamp::from_micros(1));
/// # let fence = store.claim("example", now).await?;
/// # let new = NewRun::new("k7m2xq9d".parse()?, "A first run", now, "{}");
/// # let mut chain = Chain::genesis(&new);
/// # let rows = vec![Row::new(now, r#"{"type":"opened"}"#)];
/// # store.commit(&Commit::one(chain.seal(rows, RunStatus::ended("failed")).creating(new)), fence).await?;
/// let run = "k7m2xq9d".parse()?;
/// let mut lines = Vec::new();
/// let exported = export_run(&store, &run, &mut lines).await?;
/// let other = MemoryStore::new();
/// let fence = other.claim("import", now).await?;
/// assert_eq!(import_run(&other, fence, &mut &*lines).await?.0, run);
/// assert_eq!(verify(&other, &run).await?.head, exported.head);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// If the run has not ended or is damaged, or the lines cannot be written.
pub async fn export_run(
    store: &dyn RawGraphStore,
    run: &RunId,
    lines: &mut (dyn Write + Send),
) -> Result<Verified, TransferError> {
    let stored = store.load(run).await?;
    if stored.status.open {
        let (run, state) = (run.clone(), stored.status.state);
        return Err(TransferError::Open { run, state });
    }
    let outline = store.outline(run).await?;
    check_rows(&stored, &outline)?;
    let (chain, status) = (&stored.chain, &stored.status);
    let status_hash = status.hash(
        chain.title_hash(),
        chain.last_seq(),
        chain.head(),
        chain.updated_at(),
    );
    let head = HeadLine {
        format: FORMAT.to_owned(),
        version: TRANSFER_VERSION,
        run: run.to_string(),
        title: stored.new.title,
        created_at_us: stored.new.created_at.as_micros(),
        header: Body::new(&stored.new.header),
        state: status.state.clone(),
        summary: status.summary.clone(),
        status_hash: status_hash.to_string(),
        rows: stored.rows.len() as u64,
        head: chain.head().to_string(),
    };
    write_line(lines, &head)?;
    let mut counts = PartCounts::default();
    let rows = stored.rows.chunks(ROWS_AT_ONCE);
    for (rows, known) in rows.zip(outline.rows.chunks(ROWS_AT_ONCE)) {
        let parts = parts_of(store, run, known).await?;
        for (row, known) in rows.iter().zip(known) {
            let contents = counts.row(run, known, &parts)?;
            let part = |content: &Content| PartLine {
                id: content.id.get(),
                kind: content.kind.to_string(),
                name: content.name.clone(),
                body: Body::new(&content.bytes),
            };
            let line = RowLine {
                seq: row.seq.get(),
                at_us: row.at.as_micros(),
                payload: row.payload.clone(),
                hash: known.hash.to_string(),
                contents: contents.into_iter().map(part).collect(),
            };
            write_line(lines, &line)?;
        }
    }
    lines.flush().map_err(written)?;
    Ok(Verified {
        rows: stored.rows.len() as u64,
        contents: counts.parts,
        head: chain.head(),
    })
}

/// Stores an exported run under its name, with its hashes. Everything is verified before anything is stored;
/// all of it is held in memory until then.
///
/// # Errors
/// If a line is not as it was exported, or the store has a run of that name already.
pub async fn import_run(
    store: &dyn RawGraphStore,
    fence: Fence,
    lines: &mut (dyn BufRead + Send),
) -> Result<(RunId, Verified), TransferError> {
    let mut lines = Lines { lines, number: 0 };
    let (new, status, head) = lines.head()?;
    let (mut rows, mut hashes) = (Vec::new(), Vec::new());
    while let Some(text) = lines.next()? {
        let line: RowLine = serde_json::from_str(&text).map_err(|error| lines.damaged(error))?;
        let place = Seq::new(rows.len() as u64 + 1);
        if line.seq != place.get() {
            return Err(lines.damaged(format!("row {} is in the place of row {place}", line.seq)));
        }
        let mut row = Row::new(Timestamp::from_micros(line.at_us), line.payload);
        for part in line.contents {
            let id = ContentId::new(part.id);
            let (Some(id), Some(bytes)) = (id, part.body.into_bytes()) else {
                return Err(lines.damaged("a content cannot be read"));
            };
            row = row.with(Content::named(
                id,
                ContentKind::new(part.kind),
                part.name,
                bytes,
            ));
        }
        rows.push(row);
        hashes.push(line.hash);
    }
    if rows.len() as u64 != head.rows {
        return Err(lines.damaged(format!("{} rows follow, not {}", rows.len(), head.rows)));
    }
    let run = new.run.clone();
    let append = Chain::genesis(&new).seal(rows, status);
    let mut contents = 0;
    for ((row, hash), line) in append.rows().iter().zip(&hashes).zip(2..) {
        if row.hash().to_string() != *hash {
            let what = "its hash is another one".to_owned();
            return Err(TransferError::Damaged { line, what });
        }
        contents += row.contents().len() as u64;
    }
    let is_whole = append.head().to_string() == head.head
        && append.status_hash().to_string() == head.status_hash;
    if !is_whole {
        let what = "its hash is another one".to_owned();
        return Err(TransferError::Damaged { line: 1, what });
    }
    let verified = Verified {
        rows: head.rows,
        contents,
        head: append.head(),
    };
    store
        .commit(&Commit::one(append.creating(new)), fence)
        .await?;
    Ok((run, verified))
}

/// The longest line: a record with its contents.
const MAX_LINE_BYTES: u64 = 256 << 20;

struct Lines<'a> {
    lines: &'a mut (dyn BufRead + Send),
    number: u64,
}

impl Lines<'_> {
    fn next(&mut self) -> Result<Option<String>, TransferError> {
        let mut line = String::new();
        let read = io::Read::take(&mut self.lines, MAX_LINE_BYTES).read_line(&mut line);
        let read = read.map_err(|source| TransferError::Io {
            what: "read",
            source,
        })?;
        self.number += 1;
        if read as u64 == MAX_LINE_BYTES {
            return Err(self.damaged(format!("it has more than {MAX_LINE_BYTES} bytes")));
        }
        Ok((read > 0).then_some(line))
    }

    /// The first line: what creates the run, its status, and the rest of the line.
    fn head(&mut self) -> Result<(NewRun, RunStatus, HeadLine), TransferError> {
        let text = self.next()?.unwrap_or_default();
        let not_a_run = |error: serde_json::Error| TransferError::NotARun(error.to_string());
        let Versioned { format, version } = serde_json::from_str(&text).map_err(not_a_run)?;
        if format != FORMAT {
            let why = format!("its format is {format:?}, not {FORMAT:?}");
            return Err(TransferError::NotARun(why));
        }
        if version != TRANSFER_VERSION {
            return Err(TransferError::Version { found: version });
        }
        let head: HeadLine = serde_json::from_str(&text).map_err(|error| self.damaged(error))?;
        let run: RunId = head.run.parse().map_err(|error| self.damaged(error))?;
        let header = match &head.header {
            Body::Text(text) => Some(Bytes::from(text.clone())),
            Body::Hex(digits) => Body::Hex(digits.clone()).into_bytes(),
        };
        let header = header.ok_or_else(|| self.damaged("its header cannot be read"))?;
        let at = Timestamp::from_micros(head.created_at_us);
        let new = NewRun::new(run, head.title.clone(), at, header);
        let status = RunStatus {
            summary: head.summary.clone(),
            ..RunStatus::ended(head.state.clone())
        };
        Ok((new, status, head))
    }

    fn damaged(&self, what: impl Display) -> TransferError {
        TransferError::Damaged {
            line: self.number,
            what: format!("{what}"),
        }
    }
}

fn write_line(lines: &mut dyn Write, line: &impl Serialize) -> Result<(), TransferError> {
    let text = serde_json::to_string(line).map_err(|error| written(error.into()))?;
    writeln!(lines, "{text}").map_err(written)
}

const fn written(source: io::Error) -> TransferError {
    TransferError::Io {
        what: "written",
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::MemoryStore;
    use crate::verify::verify;

    const NOW: Timestamp = Timestamp::from_micros(7);

    async fn stored(status: RunStatus) -> (MemoryStore, RunId) {
        let store = MemoryStore::new();
        let fence = store.claim("test", NOW).await.unwrap();
        let new = NewRun::new("r1".parse().unwrap(), "A title", NOW, "{}");
        let mut chain = Chain::genesis(&new);
        let id = ContentId::new(1).unwrap();
        let rows = vec![
            Row::new(NOW, r#"{"type": "opened"}"#),
            Row::new(NOW, "{}")
                .with(Content::new(id, ContentKind::OUTPUT, "\"text\""))
                .with(Content::named(
                    id,
                    ContentKind::OUTPUT,
                    "raw",
                    vec![0, 0xff],
                )),
        ];
        let append = chain.seal(rows, status).creating(new);
        store.commit(&Commit::one(append), fence).await.unwrap();
        (store, chain.run().clone())
    }

    async fn exported() -> String {
        let (store, run) = stored(RunStatus::ended("failed")).await;
        let mut lines = Vec::new();
        export_run(&store, &run, &mut lines).await.unwrap();
        String::from_utf8(lines).unwrap()
    }

    async fn imported(store: &MemoryStore, text: &str) -> Result<RunId, TransferError> {
        let fence = store.claim("import", NOW).await.unwrap();
        let imported = import_run(store, fence, &mut text.as_bytes()).await?;
        Ok(imported.0)
    }

    #[tokio::test]
    async fn an_imported_run_is_the_exported_one_and_is_not_imported_twice() {
        let (from, run) = stored(RunStatus::ended("failed")).await;
        let (to, text) = (MemoryStore::new(), exported().await);
        assert_eq!(imported(&to, &text).await.unwrap(), run);
        let head = verify(&from, &run).await.unwrap();
        assert_eq!(verify(&to, &run).await.unwrap(), head);
        assert_eq!(to.load(&run).await.unwrap(), from.load(&run).await.unwrap());
        let ids = [ContentId::new(1).unwrap()];
        let contents = to.contents(&run, &ids).await.unwrap();
        assert_eq!(contents, from.contents(&run, &ids).await.unwrap());
        let again = imported(&to, &text).await.unwrap_err();
        assert!(
            matches!(again, TransferError::Store(StoreError::Exists { .. })),
            "{again}"
        );
    }

    #[tokio::test]
    async fn what_was_changed_or_cut_is_refused_with_its_line_and_stores_nothing() {
        let text = exported().await;
        let cut: String = text
            .lines()
            .take(2)
            .map(|line| format!("{line}\n"))
            .collect();
        let doubled = format!("{text}{}", text.lines().last().unwrap());
        let table = [
            (text.replace("opened", "closed"), "line 2 "),
            (text.replace("00ff", "00fe"), "line 3 "),
            (text.replace("A title", "Another"), "line 2 "),
            (text.replace("\"failed\"", "\"completed\""), "line 1 "),
            (
                text.replace("\"seq\":2", "\"seq\":3"),
                "row 3 is in the place of row 2",
            ),
            (text.replace("00ff", "0ff"), "line 3 "),
            (cut, "1 rows follow, not 2"),
            (doubled, "row 2 is in the place of row 3"),
            (text.replace("\"version\":1", "\"version\":9"), "version 9"),
            (text.replace("zeph-run", "other"), "not an exported run"),
            (String::new(), "not an exported run"),
        ];
        for (changed, wanted) in table {
            let store = MemoryStore::new();
            let error = imported(&store, &changed).await.unwrap_err().to_string();
            assert!(error.contains(wanted), "{wanted}: {error}");
            let query = crate::run::ListQuery::default();
            assert_eq!(store.list(query).await.unwrap(), [], "{wanted}");
        }
    }

    #[tokio::test]
    async fn an_open_run_stays_where_it_is() {
        let (store, run) = stored(RunStatus::open("suspended")).await;
        let error = export_run(&store, &run, &mut Vec::new()).await.unwrap_err();
        assert!(matches!(error, TransferError::Open { .. }), "{error}");
    }
}
