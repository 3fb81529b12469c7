//! `zeph replay`: a run's journal decided once more from what happened, and compared record by record.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use zeph_graph::wire::{self, GraphSpec};
use zeph_graph::{ContentId, Entry, Record};
use zeph_memory::RawGraphStore;
use zeph_runtime::RunView;
use zeph_scheduler::{Patches, replay};
use zeph_subagent::TaskErrorRecord;

use crate::args::RunRef;
use crate::cx::Cx;
use crate::exit::{CliError, Exit};
use crate::out::{self, Tone};
use crate::read::status;

pub(crate) async fn run(cx: &Cx, args: &RunRef) -> Result<Exit, CliError> {
    let store = cx.open_store_read_only().await?;
    let run = match &args.run {
        Some(text) => cx.find_run(&store, text).await?,
        None => status::newest(&store, None).await?,
    };
    let view = RunView::load(&store, &run).await?;
    let header = store.load(&run).await?.new.header;
    let damaged = |why: String| CliError::new(Exit::Store, why).code("damaged");
    let header = wire::decode_header(&String::from_utf8_lossy(&header))
        .map_err(|error| damaged(error.to_string()))?;
    let patches = patches(&store, &view).await?;
    let waits = waits(&store, &view).await?;
    let replayed = replay(&|| header.clone(), &view.entries, &patches, &|entry| {
        waits.get(&error_of(entry)?).copied()
    });
    let difference = replayed.as_ref().err().map(ToString::to_string);
    let records = view.entries.len();
    if cx.json() {
        out::json(&json!({
            "run": run.as_str(),
            "records": records,
            "same": difference.is_none(),
            "first_difference": difference,
        }));
    } else if let Some(difference) = &difference {
        out::line(format!(
            "{} run {run}: {}",
            Tone::Bad.paint("differs"),
            zeph_common::inert(difference)
        ));
        out::line(format!(
            "  `zeph verify {run}` tells whether the journal is damaged; if it is not, another version of zeph has decided this run"
        ));
    } else {
        out::line(format!(
            "{} run {run}: {records} records, decided once more and the same",
            Tone::Good.paint("ok")
        ));
    }
    Ok(if difference.is_some() {
        Exit::Failed
    } else {
        Exit::Completed
    })
}

/// The patches that the graph has grown by.
async fn patches(store: &dyn RawGraphStore, view: &RunView) -> Result<Patches, CliError> {
    let ids: Vec<ContentId> = (view.entries.iter())
        .filter_map(|entry| {
            let Record::Amended { content, .. } = entry.record else {
                return None;
            };
            Some(content)
        })
        .collect();
    let mut patches = Patches::new();
    for part in contents(store, view, &ids).await? {
        let text = String::from_utf8_lossy(&part.bytes);
        let patch = GraphSpec::from_json(&text)
            .map_err(|error| CliError::new(Exit::Store, error.to_string()).code("damaged"))?;
        patches.insert(part.id, patch);
    }
    Ok(patches)
}

/// The waits that errors asked for: an input that no record holds.
async fn waits(
    store: &dyn RawGraphStore,
    view: &RunView,
) -> Result<BTreeMap<ContentId, Duration>, CliError> {
    let ids: Vec<ContentId> = view.entries.iter().filter_map(error_of).collect();
    let read = |part: zeph_memory::Content| {
        let error: TaskErrorRecord = serde_json::from_slice(&part.bytes).ok()?;
        Some((part.id, Duration::from_millis(error.retry_after_ms?)))
    };
    let parts = contents(store, view, &ids).await?;
    Ok(parts.into_iter().filter_map(read).collect())
}

/// What the executor said when the attempt failed.
const fn error_of(entry: &Entry) -> Option<ContentId> {
    let Record::AttemptFailed { error, .. } = entry.record else {
        return None;
    };
    error
}

async fn contents(
    store: &dyn RawGraphStore,
    view: &RunView,
    ids: &[ContentId],
) -> Result<Vec<zeph_memory::Content>, CliError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    Ok(store.contents(&view.run, ids).await?)
}
