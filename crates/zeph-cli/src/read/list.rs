//! `zeph list`: the runs of the database, newest first.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::store::Database;
use serde_json::{Value, json};
use zeph_common::format_duration;
use zeph_graph::{Spent, Timestamp};
use zeph_memory::{ListQuery, RawGraphStore as _, RunRow, RunSummary};
use zeph_runtime::{Owners, PostedRequest, posted_requests};

use super::money::spent_json;
use super::outside::GroupWait;
use super::page::{self, Cell, Page};
use super::posted;
use super::time::{ago, micros};
use crate::args::ListArgs;
use crate::context::{AppContext, command, now};
use crate::exit::{CliError, Exit};
use crate::out::{self, Tone};

/// The runs that are read at a time.
const PAGE: u32 = 500;
/// The most further runs that are counted.
const MOST_COUNTED: usize = 1_000;

pub(crate) async fn run(cx: &AppContext, args: &ListArgs) -> Result<Exit, CliError> {
    let found = match cx.open_store_read_only().await {
        Ok(store) => find(&store, args).await?,
        // A database that is named, perhaps with a typing error, must exist.
        Err(error) if error.code == "no_database" && !cx.names_db() => Found::default(),
        Err(error) => return Err(error),
    };
    if found.lines.is_empty() && !cx.json() {
        out::note_line(no_runs_message(args, found.is_filtered));
        return Ok(Exit::Completed);
    }
    let json = || Value::Array(found.lines.iter().map(Line::to_json).collect());
    Ok(page::print(cx, json, |page| table(page, &found, now())))
}

/// The runs of a list.
#[derive(Default)]
struct Found {
    lines: Vec<Line>,
    /// Further runs that were asked for.
    more: usize,
    /// Whether there are runs that were not asked for.
    is_filtered: bool,
}

async fn find(store: &Database, args: &ListArgs) -> Result<Found, CliError> {
    let owners = store.owners();
    // One look for each owner: a server is asked.
    let mut at_work = BTreeMap::new();
    let now = now();
    let mut query = ListQuery {
        limit: PAGE,
        open: args.open.then_some(true),
        ..ListQuery::default()
    };
    let mut found = Found::default();
    loop {
        let rows = store.list(query.clone()).await?;
        let Some(last) = rows.last() else { break };
        query.before = Some(last.cursor());
        for row in rows {
            let is_owned = match at_work.get(&row.epoch) {
                _ if !row.status.open => false,
                Some(known) => *known,
                None => {
                    let is_owned = store.holder(row.epoch).await?.is_some();
                    at_work.insert(row.epoch, is_owned);
                    is_owned
                }
            };
            let line = Line::new(owners.as_ref(), row, is_owned);
            if !line.is_wanted(args, now) {
                found.is_filtered = true;
            } else if found.lines.len() < args.limit as usize {
                found.lines.push(line);
            } else {
                found.more += 1;
            }
        }
        if found.more >= MOST_COUNTED {
            break;
        }
    }
    for line in found.lines.iter_mut().filter(|line| line.row.status.open) {
        line.requests = posted_requests(store, &line.row.run).await?;
    }
    Ok(found)
}

fn no_runs_message(args: &ListArgs, is_filtered: bool) -> String {
    if args.limit == 0 {
        "`-n 0` shows no runs; leave it out, or write a larger number".to_owned()
    } else if is_filtered {
        format!("no run matches; `{}` shows all", command(&["list"]))
    } else if args.open {
        format!(
            "no run is open; `{}` shows those that have ended",
            command(&["list"])
        )
    } else {
        let demo = command(&["demo"]);
        format!("no runs yet; `zeph run PLAN` starts one, `{demo}` shows how it works")
    }
}

/// A run with the values that its line shows.
struct Line {
    row: RunRow,
    /// Whether a process works on the run.
    is_owned: bool,
    /// The wait for another run of its group.
    waits: Option<GroupWait>,
    /// The requests in its inbox.
    requests: Vec<PostedRequest>,
}

fn table(page: &mut Page, found: &Found, now: Timestamp) {
    let lines = &found.lines;
    // Most runs call no model, so the column is shown only if a run has spent something.
    let show_spent = lines.iter().any(|line| line.spent() != Spent::default());
    let show_labels = lines
        .iter()
        .any(|line| !line.row.status.labels().is_empty());
    let cells: Vec<Vec<Cell>> = lines
        .iter()
        .map(|line| line.cells(now, show_spent, show_labels))
        .collect();
    let mut header = vec!["RUN", "STATE", "TASKS", "STARTED", "TOOK", "GOAL"];
    if show_spent {
        header.insert(5, "SPENT");
    }
    if show_labels {
        header.insert(header.len() - 1, "LABELS");
    }
    page.table(0, &header, &cells);
    if found.more > 0 {
        let number = match found.more {
            MOST_COUNTED.. => format!("more than {MOST_COUNTED}"),
            number => number.to_string(),
        };
        page.line(format!("… and {number} more; -n N shows N runs"));
    }
    if lines.iter().any(|line| line.row.is_damaged) {
        page.gap();
        page.line(format!(
            "lines marked DAMAGED are not as they were written: `{}` names the damage",
            command(&["verify"])
        ));
    }
    let waiting: Vec<String> = (lines.iter())
        .filter_map(|line| Some(format!("{} {}", line.row.run, line.waits.as_ref()?.words())))
        .collect();
    page.section("Waiting for other runs", &waiting);
    let asked: Vec<String> = (lines.iter())
        .flat_map(|line| line.requests.iter().map(|posted| (&line.row.run, posted)))
        .map(|(run, posted)| format!("{run}: {}", posted::words(posted)))
        .collect();
    page.section("Counts when the run is resumed", &asked);
    let open: Vec<&Line> = lines.iter().filter(|line| line.row.status.open).collect();
    // What no process works on needs a command.
    let newest = open.iter().find(|line| !line.is_owned).or(open.first());
    if let Some(newest) = newest {
        let run = newest.row.run.as_str();
        let are_open = match open.len() {
            1 => format!("{run} is open"),
            many => format!("{many} are open, among them {run}"),
        };
        let status = command(&["status", run]);
        page.gap();
        page.line(if newest.is_owned {
            format!("{are_open}: `{status}` shows what it does")
        } else {
            let resume = command(&["resume", run]);
            format!("{are_open}: `{status}` shows what it waits for, `{resume}` continues it")
        });
    }
}

/// The completed tasks and all tasks, and the others that have ended: `9/12, 1 failed, 2 canceled`.
fn tasks(summary: &RunSummary) -> String {
    let mut text = format!("{}/{}", summary.completed, summary.total);
    for (number, word) in [
        (summary.failed, "failed"),
        (summary.skipped, "skipped"),
        (summary.canceled, "canceled"),
    ] {
        if number > 0 {
            text.push_str(&format!(", {number} {word}"));
        }
    }
    text
}

/// `team=core, env=test`.
pub(crate) fn label_words(labels: &BTreeMap<String, String>) -> String {
    let words = labels.iter().map(|(name, value)| format!("{name}={value}"));
    words.collect::<Vec<_>>().join(", ")
}

/// Whether a run has all labels that are wanted, each as `NAME` or `NAME=VALUE`.
fn has_labels(labels: &BTreeMap<String, String>, wanted: &[String]) -> bool {
    wanted.iter().all(|one| match one.split_once('=') {
        Some((name, value)) => labels.get(name).is_some_and(|has| has == value),
        None => labels.contains_key(one),
    })
}

impl Line {
    fn new(owners: Option<&Owners>, row: RunRow, is_owned: bool) -> Self {
        let group = row.status.group().filter(|_| is_owned);
        let wait = |group: String| GroupWait::of(owners?, row.run.as_str(), &group);
        let waits = group.and_then(wait);
        Self {
            row,
            is_owned,
            waits,
            requests: Vec::new(),
        }
    }

    /// Whether the stored state of the run is active, but no process executes the run.
    fn is_interrupted(&self) -> bool {
        // The store has the state as a word of `RunState`, because it does not know that type.
        let is_active = matches!(&*self.row.status.state, "running" | "suspending");
        self.row.status.open && is_active && !self.is_owned
    }

    /// The state as it is shown.
    fn state(&self) -> &str {
        if self.is_interrupted() {
            "interrupted"
        } else {
            &self.row.status.state
        }
    }

    fn is_wanted(&self, args: &ListArgs, now: Timestamp) -> bool {
        let text = args.text.as_ref().map(|text| text.to_lowercase());
        let has = |text: &String| {
            self.row.run.as_str().contains(&**text)
                || self.row.title.to_lowercase().contains(&**text)
        };
        text.as_ref().is_none_or(has)
            && (args.state.is_empty() || args.state.iter().any(|state| state == self.state()))
            && (args.label.is_empty() || has_labels(&self.row.status.labels(), &args.label))
            && (args.group.as_ref())
                .is_none_or(|group| self.row.status.group().as_ref() == Some(group))
            && (args.since).is_none_or(|since| now.since(self.row.created_at) <= since)
    }

    fn cells(&self, now: Timestamp, show_spent: bool, show_labels: bool) -> Vec<Cell> {
        let row = &self.row;
        let state = match row.is_damaged {
            true => Cell::new(Tone::Bad, "DAMAGED"),
            false => Cell::new(Tone::of_state(self.state()), self.state().replace('_', " ")),
        };
        let dash = || "-".to_owned();
        let tasks = self.summary().map_or_else(dash, |summary| tasks(&summary));
        let took = self.took().map_or_else(dash, format_duration);
        let started = ago(row.created_at, now);
        let mut cells = vec![
            row.run.to_string().into(),
            state,
            tasks.into(),
            started.into(),
            took.into(),
        ];
        if show_spent {
            let spent = Some(self.spent()).filter(|spent| *spent != Spent::default());
            cells.push(spent.map_or_else(dash, |spent| spent.to_string()).into());
        }
        if show_labels {
            cells.push(label_words(&row.status.labels()).into());
        }
        cells.push(row.title.clone().into());
        cells
    }

    /// The time from the start of the run to its last save; `None` while the run is open.
    fn took(&self) -> Option<Duration> {
        let row = &self.row;
        (!row.status.open).then(|| row.updated_at.since(row.created_at))
    }

    fn spent(&self) -> Spent {
        self.summary().unwrap_or_default().spent()
    }

    fn summary(&self) -> Option<RunSummary> {
        self.row.status.summary()
    }

    fn to_json(&self) -> Value {
        let row = &self.row;
        let counts = self.summary().map(|summary| {
            json!({
                "total": summary.total,
                "completed": summary.completed,
                "failed": summary.failed,
                "skipped": summary.skipped,
                "canceled": summary.canceled,
                "running": summary.running,
                "asking": summary.asking,
            })
        });
        let mut json = json!({
            "run": row.run.as_str(),
            "title": row.title,
            "state": row.status.state,
            "open": row.status.open,
            "interrupted": self.is_interrupted(),
            "created_at_us": row.created_at.as_micros(),
            "updated_at_us": row.updated_at.as_micros(),
            "took_us": self.took().map(micros),
            "counts": counts,
            "labels": row.status.labels(),
            "group": row.status.group(),
            "waits_for": self.waits.as_ref().map(|wait| &wait.holder),
            "spent": spent_json(self.spent()),
            "requests": posted::to_json(&self.requests),
            "records": row.last_seq.get(),
        });
        if row.is_damaged {
            json["damaged"] = true.into();
        }
        json
    }
}

#[cfg(test)]
mod tests {
    use super::{Found, Line, table};
    use super::{RunRow, RunSummary};
    use crate::read::page::Page;
    use zeph_graph::{Seq, Timestamp};
    use zeph_memory::RunStatus;

    fn row(run: &str, title: &str, status: RunStatus) -> RunRow {
        RunRow {
            run: run.parse().unwrap(),
            title: title.into(),
            created_at: Timestamp::from_micros(1_000_000),
            updated_at: Timestamp::from_micros(3_500_000),
            last_seq: Seq::new(12),
            status,
            epoch: 1,
            is_damaged: false,
        }
    }

    #[test]
    fn the_list_has_one_line_for_each_run_and_a_hint_for_open_runs() {
        let summary = RunSummary {
            total: 12,
            completed: 9,
            failed: 1,
            skipped: 1,
            running: 1,
            tokens: 1200,
            micro_usd: 2500,
            ..RunSummary::default()
        };
        let ended = RunStatus::ended("timed_out").with_summary(&summary);
        let lines = vec![
            Line {
                row: row("r2", "a\r\n\u{202e}b\x1b[31m", RunStatus::open("running")),
                is_owned: false,
                waits: None,
                requests: Vec::new(),
            },
            Line {
                row: row("r1", "Weekly report", ended),
                is_owned: false,
                waits: None,
                requests: Vec::new(),
            },
        ];
        let mut page = Page::of_width(Some(110));
        let mut found = Found {
            lines,
            more: 180,
            is_filtered: false,
        };
        table(&mut page, &found, Timestamp::from_micros(201_000_000));
        let wanted = "\
RUN  STATE        TASKS                      STARTED    TOOK  SPENT                    GOAL
r2   interrupted  -                          3 min ago  -     -                        a\\r\\nb
r1   timed out    9/12, 1 failed, 1 skipped  3 min ago  2.5s  1200 tokens, 0.0025 USD  Weekly report
… and 180 more; -n N shows N runs

r2 is open: `zeph status r2` shows what it waits for, `zeph resume r2` continues it
";
        assert_eq!(page.plain(), wanted);
        let json = found.lines[1].to_json();
        assert_eq!(
            (&json["counts"]["completed"], &json["took_us"]),
            (&9.into(), &2_500_000.into())
        );
        // Another process works on it.
        found.lines[0].is_owned = true;
        let mut page = Page::of_width(None);
        table(&mut page, &found, Timestamp::from_micros(201_000_000));
        let text = page.plain();
        assert!(text.contains("r2   running"), "{text}");
        assert!(
            text.ends_with("r2 is open: `zeph status r2` shows what it does\n"),
            "{text}"
        );
    }
}
