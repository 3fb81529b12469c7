//! The log: a locked file of lines, and the state that is folded from them in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use zeph_orchestration::graph::RunId;
use zeph_orchestration::journal::Timestamp;
use zeph_orchestration::store::{
    Append, Chain, Commit, Fence, MemoryStore, RawGraphStore, RequestId, StoreError,
};

use crate::line::{AppendLine, Line, Unreadable, read_draft, read_result};

/// The file, and the state that is folded from its lines.
pub(crate) struct Log {
    path: PathBuf,
    /// The number of bytes that are folded.
    folded: u64,
    pub(crate) state: MemoryStore,
    /// The chain heads of the runs whose last append was read from the file.
    chains: BTreeMap<RunId, Chain>,
    /// Runs with an append that was changed in the file.
    damaged: BTreeSet<RunId>,
    /// The error of a failed write. Nothing is written after it until the next claim.
    broken: Option<String>,
}

impl Log {
    /// Opens the file, or creates an empty one.
    pub(crate) async fn open(path: &Path) -> Result<Self, StoreError> {
        let path = Self::create(path).map_err(|error| StoreError::io("opening the file", error))?;
        let mut log = Self::new(path, None);
        log.enter().await?;
        Ok(log)
    }

    fn create(path: &Path) -> io::Result<PathBuf> {
        File::options().append(true).create(true).open(path)?;
        let path = path.canonicalize()?;
        if let Some(folder) = path.parent() {
            // A new file survives a crash only if its folder is synced too.
            File::open(folder)?.sync_all()?;
        }
        Ok(path)
    }

    fn new(path: PathBuf, broken: Option<String>) -> Self {
        Self {
            path,
            folded: 0,
            state: MemoryStore::new(),
            chains: BTreeMap::new(),
            damaged: BTreeSet::new(),
            broken,
        }
    }

    /// Locks the file until the returned handle is dropped, and folds the new lines.
    pub(crate) async fn enter(&mut self) -> Result<File, StoreError> {
        let failed = |error| StoreError::io("reading the runs", error);
        let (file, lines) = self.unread().map_err(failed)?;
        if file.metadata().map_err(failed)?.len() < self.folded {
            let path = self.path.clone();
            return Err(StoreError::Replaced { path });
        }
        // A last line without a line end was never acknowledged: its writer crashed before.
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            let read = match serde_json::from_slice(line) {
                Ok(read) if line.ends_with(b"\n") => self.fold(read).await,
                Err(error) if line.ends_with(b"\n") || self.folded == 0 => Err(error.into()),
                Ok(_) | Err(_) => break,
            };
            read.map_err(|error| StoreError::NotADatabase {
                path: self.path.clone(),
                why: format!("what follows byte {} is no line: {error}", self.folded),
            })?;
            self.folded += line.len() as u64;
        }
        Ok(file)
    }

    fn unread(&self) -> io::Result<(File, Vec<u8>)> {
        let mut file = File::options().read(true).append(true).open(&self.path)?;
        file.lock()?;
        file.seek(SeekFrom::Start(self.folded))?;
        let mut lines = Vec::new();
        file.read_to_end(&mut lines)?;
        Ok((file, lines))
    }

    /// As [`enter`](Self::enter), for a write. After a failed write it is an error until the next claim.
    pub(crate) async fn enter_to_write(&mut self) -> Result<File, StoreError> {
        match self.broken.clone() {
            Some(what) => Err(StoreError::Broken { what }),
            None => self.enter().await,
        }
    }

    /// As [`enter`](Self::enter), for a claim, which ends the state after a failed write.
    pub(crate) async fn enter_anew(&mut self) -> Result<File, StoreError> {
        self.broken = None;
        self.enter().await
    }

    /// Applies a commit to the state.
    pub(crate) async fn accept(&mut self, commit: &Commit, fence: Fence) -> Result<(), StoreError> {
        for append in &commit.appends {
            self.check_sound(append.run())?;
            // From here on only the state has the chain head of this run.
            self.chains.remove(append.run());
        }
        self.state.commit(commit, fence).await
    }

    async fn fold(&mut self, line: Line) -> Result<(), Unreadable> {
        let at = Timestamp::from_micros;
        match line {
            Line::Claim(owner, time) => drop(self.state.claim(&owner, at(time)).await?),
            Line::Adopt(run, epoch) => {
                let row = self.state.get(&run.parse()?).await?;
                let fence = Fence { epoch };
                self.state.adopt(&row.run, row.epoch, fence).await?;
            }
            Line::Commit(epoch, lines, settled, drafts, results) => {
                let mut commit = Commit::default();
                for line in lines {
                    commit.appends.push(self.reseal(line).await?);
                }
                commit.settled = settled.into_iter().map(RequestId::new).collect();
                let drafts = drafts.into_iter().map(read_draft);
                commit.drafts = drafts.collect::<Result<_, _>>()?;
                let results = results.into_iter().map(read_result);
                commit.results = results.collect::<Result<_, _>>()?;
                self.state.commit(&commit, Fence { epoch }).await?;
            }
            Line::Post(run, time, body) => {
                self.state.post(&run.parse()?, at(time), &body).await?;
            }
            Line::Delete(runs, epoch) => {
                let runs: Vec<RunId> = runs
                    .iter()
                    .map(|run| run.parse())
                    .collect::<Result<_, _>>()?;
                self.delete(&runs, Fence { epoch }).await?;
            }
        }
        Ok(())
    }

    /// Seals an append again. If the seal differs, the append was changed, and its run counts as damaged.
    async fn reseal(&mut self, line: AppendLine) -> Result<Append, Unreadable> {
        let run = line.run()?;
        let mut chain = match (line.genesis()?, self.chains.remove(&run)) {
            (Some(new), _) => Chain::genesis(&new),
            (None, Some(chain)) => chain,
            (None, None) => self.state.load(&run).await?.chain,
        };
        let (append, sound) = line.reseal(&mut chain)?;
        if !sound {
            self.damaged.insert(run.clone());
        }
        self.chains.insert(run, chain);
        Ok(append)
    }

    /// Writes and syncs the line of an operation that the state has accepted.
    pub(crate) fn write(&mut self, mut file: &File, line: &Line) -> Result<(), StoreError> {
        let written = serde_json::to_vec(line)
            .map_err(io::Error::from)
            .and_then(|mut text| {
                text.push(b'\n');
                file.set_len(self.folded)?;
                file.write_all(&text)?;
                file.sync_data()?;
                Ok(text.len() as u64)
            });
        match written {
            Ok(len) => self.folded += len,
            Err(error) => {
                // After a failed sync the line may be lost later, so it is removed.
                file.set_len(self.folded).ok();
                *self = Self::new(self.path.clone(), Some(error.to_string()));
                return Err(StoreError::io("writing a line", error));
            }
        }
        Ok(())
    }

    pub(crate) async fn delete(
        &mut self,
        runs: &[RunId],
        fence: Fence,
    ) -> Result<Vec<RunId>, StoreError> {
        let deleted = self.state.delete_all(runs, fence).await?;
        for run in &deleted {
            self.chains.remove(run);
            self.damaged.remove(run);
        }
        Ok(deleted)
    }

    pub(crate) fn check_sound(&self, run: &RunId) -> Result<(), StoreError> {
        if self.damaged.contains(run) {
            let what = "an append of it is not as it was written";
            return Err(StoreError::damaged(run, None, what));
        }
        Ok(())
    }
}
