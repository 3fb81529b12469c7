//! `zeph cancel`: cancels a task, a task with its dependants, or a run.

use zeph_runtime::Request;

use super::ask;
use crate::args::CancelArgs;
use crate::context::AppContext;
use crate::exit::{CliError, Exit};

pub(crate) async fn run(cx: &AppContext, args: &CancelArgs) -> Result<Exit, CliError> {
    let (store, run) = ask::open(cx, Some(&args.run)).await?;
    let request = Request::Cancel {
        task: args.task.clone(),
        downstream: args.downstream,
    };
    let done = match &args.task {
        None => format!("run {run} is being cancelled"),
        Some(task) if args.downstream => {
            format!("{task} of run {run} is being cancelled, with what depends on it")
        }
        Some(task) => format!("{task} of run {run} is being cancelled"),
    };
    ask::send(cx, &store, &run, &request, &done).await
}
