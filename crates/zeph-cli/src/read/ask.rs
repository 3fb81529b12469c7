//! Sends a request to a run, and prints whether it was applied or saved for later.

use serde_json::json;
use zeph_graph::RunId;
use zeph_memory::RawGraphStore;
use zeph_memory_sqlite::SqliteStore;
use zeph_runtime::{Delivery, Owners, Request, ask};

use super::page::Page;
use super::pick;
use crate::context::{AppContext, now};
use crate::exit::{CliError, Exit};
use crate::out;

/// Opens the database and finds the run; without a name, the newest run that is open.
pub(crate) async fn open(
    cx: &AppContext,
    run: Option<&str>,
) -> Result<(SqliteStore, RunId), CliError> {
    let store = cx.open_existing_store().await?;
    let run = match run {
        Some(text) => cx.find_run(&store, text).await?,
        None => pick::newest(&store, Some(true)).await?,
    };
    Ok((store, run))
}

/// Sends a request and prints the delivery. `done` is printed when the request was applied.
pub(crate) async fn send(
    cx: &AppContext,
    store: &SqliteStore,
    run: &RunId,
    request: &Request,
    done: &str,
) -> Result<Exit, CliError> {
    let owners = cx.owners(store);
    let delivery = deliver(store, &owners, run, request).await?;
    if cx.json() {
        let (word, id) = match delivery {
            Delivery::Accepted => ("accepted", None),
            Delivery::Stale => ("stale", None),
            Delivery::Posted(id) => ("posted", Some(id.get())),
        };
        out::json(&json!({ "run": run.as_str(), "delivery": word, "request": id }));
    } else {
        let mut page = Page::new();
        page.line(words(delivery, run, done));
        page.print();
    }
    Ok(Exit::Completed)
}

async fn deliver(
    store: &dyn RawGraphStore,
    owners: &Owners,
    run: &RunId,
    request: &Request,
) -> Result<Delivery, CliError> {
    Ok(ask(store, Some(owners), run, request, now()).await?)
}

fn words(delivery: Delivery, run: &RunId, done: &str) -> String {
    match delivery {
        Delivery::Accepted => done.to_owned(),
        Delivery::Stale => format!("nothing to change in run {run}: it has that state already"),
        Delivery::Posted(_) => {
            format!(
                "saved; the run is not active, and the request is applied by `zeph resume {run}`"
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::words;
    use zeph_memory::RequestId;
    use zeph_runtime::Delivery;

    #[test]
    fn every_delivery_says_what_became_of_it() {
        let run = "r1".parse().unwrap();
        assert_eq!(words(Delivery::Accepted, &run, "done"), "done");
        assert!(words(Delivery::Stale, &run, "done").contains("already"));
        let posted = words(Delivery::Posted(RequestId::new(7)), &run, "done");
        assert_eq!(
            posted,
            "saved; the run is not active, and the request is applied by `zeph resume r1`"
        );
    }
}
