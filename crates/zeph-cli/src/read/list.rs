//! `zeph list`: the runs of the database, newest first.

use std::time::Duration;

use serde_json::{Value, json};
use zeph_common::format_duration;
use zeph_graph::{Spent, Timestamp};
use zeph_memory::{ListQuery, RawGraphStore as _, RunRow, RunSummary};
use zeph_runtime::{Owners, PostedRequest, posted_requests};

use super::money::spent_json;
use super::page::{self, Page};
use super::posted;
use super::time::{ago, micros};
use crate::args::ListArgs;
use crate::context::{AppContext, command, now};
use crate::exit::{CliError, Exit};
use crate::out;

pub(crate) async fn run(cx: &AppContext, args: &ListArgs) -> Result<Exit, CliError> {
    let lines = match cx.open_store_read_only().await {
        Ok(store) => {
            let query = ListQuery {
                limit: args.limit,
                open: args.open.then_some(true),
                ..ListQuery::default()
            };
            let owners = cx.owners(&store);
            let mut lines = Vec::new();
            for row in store.list(query).await? {
                let requests = match row.status.open {
                    true => posted_requests(&store, &row.run).await?,
                    false => Vec::new(),
                };
                lines.push(Line {
                    interrupted: is_interrupted(&owners, &row),
                    requests,
                    row,
                });
            }
            lines
        }
        // A database that is named, perhaps with a typing error, must exist.
        Err(error) if error.code == "no_database" && !cx.names_db() => Vec::new(),
        Err(error) => return Err(error),
    };
    if lines.is_empty() && !cx.json() {
        out::note_line(no_runs_message(args));
        return Ok(Exit::Completed);
    }
    let json = || Value::Array(lines.iter().map(Line::to_json).collect());
    Ok(page::print(cx, json, |page| table(page, &lines, now())))
}

/// Whether the stored state of a run is active, but no process executes the run.
fn is_interrupted(owners: &Owners, row: &RunRow) -> bool {
    // The store has the state as a word of `RunState`, because it does not know that type.
    let is_active = matches!(row.status.state.as_str(), "running" | "suspending");
    row.status.open && is_active && owners.holder(row.epoch).is_none()
}

fn no_runs_message(args: &ListArgs) -> String {
    if args.limit == 0 {
        "`-n 0` shows no runs; leave it out, or write a larger number".to_owned()
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
    /// Whether the process of an unfinished run has ended.
    interrupted: bool,
    /// The requests in its inbox.
    requests: Vec<PostedRequest>,
}

fn table(page: &mut Page, lines: &[Line], now: Timestamp) {
    // Most runs call no model, so the column is shown only if a run has spent something.
    let show_spent = lines.iter().any(|line| line.spent() != Spent::default());
    let cells: Vec<Vec<String>> = lines
        .iter()
        .map(|line| line.cells(now, show_spent))
        .collect();
    let mut header = vec!["RUN", "STATE", "TASKS", "STARTED", "TOOK", "GOAL"];
    if show_spent {
        header.insert(5, "SPENT");
    }
    page.table(0, &header, &cells);
    if lines.iter().any(|line| line.row.is_damaged) {
        page.heading(format!(
            "lines marked DAMAGED are not as they were written: `{}` names the damage",
            command(&["verify"])
        ));
    }
    let asked: Vec<String> = (lines.iter())
        .flat_map(|line| line.requests.iter().map(|posted| (&line.row.run, posted)))
        .map(|(run, posted)| format!("{run}: {}", posted::words(posted)))
        .collect();
    page.section("Counts when the run is resumed", &asked);
    let open: Vec<&Line> = lines.iter().filter(|line| line.row.status.open).collect();
    if let Some(newest) = open.first() {
        let run = newest.row.run.as_str();
        let are_open = match open.len() {
            1 => "open".to_owned(),
            many => format!("{many} are open, {run} is the newest"),
        };
        page.heading(format!(
            "{are_open}: `{}` shows what it waits for, `{}` continues it",
            command(&["status", run]),
            command(&["resume", run])
        ));
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

impl Line {
    fn cells(&self, now: Timestamp, show_spent: bool) -> Vec<String> {
        let row = &self.row;
        let state = match self.interrupted {
            _ if row.is_damaged => "DAMAGED".into(),
            true => "interrupted".into(),
            false => row.status.state.replace('_', " "),
        };
        let dash = || "-".to_owned();
        let tasks = self.summary().map_or_else(dash, |summary| tasks(&summary));
        let took = self.took().map_or_else(dash, format_duration);
        let started = ago(row.created_at, now);
        let mut cells = vec![row.run.to_string(), state, tasks, started, took];
        if show_spent {
            let spent = Some(self.spent()).filter(|spent| *spent != Spent::default());
            cells.push(spent.map_or_else(dash, |spent| spent.to_string()));
        }
        cells.push(row.title.clone());
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
            "interrupted": self.interrupted,
            "created_at_us": row.created_at.as_micros(),
            "updated_at_us": row.updated_at.as_micros(),
            "took_us": self.took().map(micros),
            "counts": counts,
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
    use super::{Line, table};
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
        let lines = [
            Line {
                row: row("r2", "a\r\n\u{202e}b\x1b[31m", RunStatus::open("running")),
                interrupted: true,
                requests: Vec::new(),
            },
            Line {
                row: row("r1", "Weekly report", ended),
                interrupted: false,
                requests: Vec::new(),
            },
        ];
        let mut page = Page::of_width(Some(110));
        table(&mut page, &lines, Timestamp::from_micros(201_000_000));
        let wanted = "\
RUN  STATE        TASKS                      STARTED    TOOK  SPENT                    GOAL
r2   interrupted  -                          3 min ago  -     -                        a\\r\\nb
r1   timed out    9/12, 1 failed, 1 skipped  3 min ago  2.5s  1200 tokens, 0.0025 USD  Weekly report

open: `zeph status r2` shows what it waits for, `zeph resume r2` continues it
";
        assert_eq!(page.into_text(), wanted);
        let json = lines[1].to_json();
        assert_eq!(
            (&json["counts"]["completed"], &json["took_us"]),
            (&9.into(), &2_500_000.into())
        );
    }
}
