//! `zeph answer`: answering an open question, from any process.

use zeph_runtime::Request;

use super::ask;
use crate::args::AnswerArgs;
use crate::cx::Cx;
use crate::exit::{CliError, Exit};

pub(crate) async fn run(cx: &Cx, args: &AnswerArgs) -> Result<Exit, CliError> {
    let (store, run) = ask::open(cx, Some(&args.run)).await?;
    let request = Request::Answer {
        question: args.question,
        text: args.text.clone(),
    };
    let done = format!("question {} of run {run} is answered", args.question);
    ask::send(cx, &store, &run, &request, &done).await
}
