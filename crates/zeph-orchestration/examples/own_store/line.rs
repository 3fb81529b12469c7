//! Lines: each accepted operation as JSON, and an append read back from its line.

use std::error::Error;

use serde::{Deserialize, Serialize};
use zeph_orchestration::graph::RunId;
use zeph_orchestration::journal::{ContentId, Timestamp};
use zeph_orchestration::store::{
    Append, Chain, Commit, Content, ContentKind, Draft, Fence, KeyedResult, NewRun, ResultKey, Row,
    RunStatus,
};

/// Why a line cannot be read.
pub(crate) type Unreadable = Box<dyn Error + Send + Sync>;

/// One accepted operation. Times are microseconds.
#[derive(Serialize, Deserialize)]
pub(crate) enum Line {
    Claim(String, u64),
    Adopt(String, u64),
    Commit(
        u64,
        Vec<AppendLine>,
        Vec<u64>,
        Vec<DraftLine>,
        Vec<ResultLine>,
    ),
    Post(String, u64, String),
    Delete(Vec<String>, u64),
}

impl Line {
    pub(crate) fn commit(commit: &Commit, fence: Fence) -> Self {
        let appends = commit.appends.iter().map(AppendLine::from).collect();
        let settled = commit.settled.iter().map(|id| id.get()).collect();
        let drafts = commit.drafts.iter().map(|draft| {
            let bytes = draft.bytes.as_ref().map(|bytes| to_text(bytes));
            let (run, at) = (draft.run.to_string(), draft.at.as_micros());
            (run, draft.key.clone(), at, bytes)
        });
        let results = commit.results.iter();
        let results = results.map(|one| (one.key, one.run.to_string(), one.content.get()));
        let (drafts, results) = (drafts.collect(), results.collect());
        Self::Commit(fence.epoch, appends, settled, drafts, results)
    }
}

/// Key, run and content of a result.
pub(crate) type ResultLine = (ResultKey, String, u32);

/// The result of a line.
pub(crate) fn read_result((key, run, content): ResultLine) -> Result<KeyedResult, Unreadable> {
    let content = ContentId::new(content).ok_or("a content has the number 0")?;
    let run = run.parse()?;
    Ok(KeyedResult { key, run, content })
}

/// Run, key and time of a draft, and its bytes unless it is removed.
pub(crate) type DraftLine = (String, String, u64, Option<String>);

/// The draft of a line.
pub(crate) fn read_draft((run, key, at, bytes): DraftLine) -> Result<Draft, Unreadable> {
    let bytes = bytes.as_deref().map(to_bytes).transpose()?;
    Ok(Draft {
        run: run.parse()?,
        key,
        at: Timestamp::from_micros(at),
        bytes: bytes.map(Into::into),
    })
}

/// The data of an append, and the hash that seals all of it.
#[derive(Serialize, Deserialize)]
pub(crate) struct AppendLine {
    run: String,
    /// Title, time and header, if this append creates the run.
    new: Option<(String, u64, String)>,
    rows: Vec<RowLine>,
    status: (String, bool, String),
    seal: String,
}

/// Time and payload, and the id, kind, name and bytes of each content.
type RowLine = (u64, String, Vec<(u32, String, String, String)>);

impl From<&Append> for AppendLine {
    fn from(append: &Append) -> Self {
        let part = |part: &Content| {
            let (kind, name) = (part.kind.to_string(), part.name.clone());
            (part.id.get(), kind, name, to_text(&part.bytes))
        };
        let rows = append.rows().iter().map(|row| {
            let parts = row.contents().iter().map(part).collect();
            (row.at().as_micros(), row.payload().to_owned(), parts)
        });
        let begin = |new: &NewRun| {
            let created = new.created_at.as_micros();
            (new.title.clone(), created, to_text(&new.header))
        };
        let status = append.status().clone();
        Self {
            run: append.run().to_string(),
            new: append.genesis().map(begin),
            rows: rows.collect(),
            status: (status.state, status.open, status.summary),
            seal: append.status_hash().to_string(),
        }
    }
}

impl AppendLine {
    pub(crate) fn run(&self) -> Result<RunId, Unreadable> {
        Ok(self.run.parse()?)
    }

    /// The new run, if this append creates it.
    pub(crate) fn genesis(&self) -> Result<Option<NewRun>, Unreadable> {
        let Some((title, created, header)) = self.new.clone() else {
            return Ok(None);
        };
        let created = Timestamp::from_micros(created);
        let new = NewRun::new(self.run()?, title, created, to_bytes(&header)?);
        Ok(Some(new))
    }

    /// Seals the append again. Returns it, and whether its seal equals the stored one.
    pub(crate) fn reseal(self, chain: &mut Chain) -> Result<(Append, bool), Unreadable> {
        let genesis = self.genesis()?;
        let rows = self.rows.into_iter().map(read_row);
        let rows = rows.collect::<Result<_, _>>()?;
        let (state, open, summary) = self.status;
        let append = chain.seal(
            rows,
            RunStatus {
                state,
                open,
                summary,
            },
        );
        let sound = append.status_hash().to_string() == self.seal;
        Ok(match genesis {
            Some(new) => (append.creating(new), sound),
            None => (append, sound),
        })
    }
}

fn read_row((at, payload, parts): RowLine) -> Result<Row, Unreadable> {
    let mut row = Row::new(Timestamp::from_micros(at), payload);
    for (id, kind, name, bytes) in parts {
        let id = ContentId::new(id).ok_or("a content has the number 0")?;
        let (kind, bytes) = (ContentKind::new(kind), to_bytes(&bytes)?);
        row = row.with(Content::named(id, kind, name, bytes));
    }
    Ok(row)
}

/// Bytes as text, one character each: readable where they are ASCII, and lossless.
fn to_text(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

fn to_bytes(text: &str) -> Result<Vec<u8>, std::char::TryFromCharError> {
    text.chars().map(u8::try_from).collect()
}
