//! `zeph answer`: answering an open question, from any process.

use zeph_runtime::Request;

use super::ask;
use crate::args::AnswerArgs;
use crate::context::AppContext;
use crate::exit::{CliError, Exit};

pub(crate) async fn run(cx: &AppContext, args: &AnswerArgs) -> Result<Exit, CliError> {
    let text = text_of(&args.text)?;
    let (store, run) = ask::open(cx, Some(&args.run)).await?;
    let request = Request::Answer {
        question: args.question,
        text,
    };
    let done = format!("question {} of run {run} is answered", args.question);
    ask::send(cx, &store, &run, &request, &done).await
}

/// The text of the answer, or of the file after `@`.
fn text_of(text: &str) -> Result<String, CliError> {
    if let Some(text) = text.strip_prefix("@@") {
        return Ok(format!("@{text}"));
    }
    let Some(path) = text.strip_prefix('@') else {
        return Ok(text.to_owned());
    };
    std::fs::read_to_string(path).map_err(|error| {
        let text = format!(
            "the answer in {} cannot be read: {error}",
            zeph_common::escape_terminal(path)
        );
        CliError::new(Exit::Usage, text)
            .code("unreadable_answer")
            .help("name a file behind @; an answer that begins with @ has two of them")
    })
}
