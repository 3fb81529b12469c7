//! `zeph pause` and `zeph unpause`: start and end a pause of a run.

use zeph_runtime::Request;

use super::ask;
use crate::args::RunRef;
use crate::context::AppContext;
use crate::exit::{CliError, Exit};

pub(crate) async fn pause(cx: &AppContext, args: &RunRef) -> Result<Exit, CliError> {
    let (store, run) = ask::open(cx, args.run.as_deref()).await?;
    let done = format!(
        "run {run} is paused: running tasks continue, nothing new starts; `zeph unpause {run}` ends the pause"
    );
    ask::send(cx, &store, &run, &Request::Pause, &done).await
}

pub(crate) async fn unpause(cx: &AppContext, args: &RunRef) -> Result<Exit, CliError> {
    let (store, run) = ask::open(cx, args.run.as_deref()).await?;
    let done = format!("the pause of run {run} is over");
    ask::send(cx, &store, &run, &Request::Unpause, &done).await
}
