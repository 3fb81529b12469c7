//! Summaries: if the results do not fit into one request, a model shortens them in groups.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::{FutureExt as _, StreamExt as _, stream};
use serde_json::json;
use zeph_executor::TaskError;
use zeph_llm::{Purpose, StopReason};

use super::session::{AnswerSession, Item, clean};
use crate::prompts::PromptName;

/// The result of one round of summaries.
pub(super) struct Summarized<'a> {
    /// The summaries, and the results without a text.
    pub(super) items: Vec<Item<'a>>,
    /// Whether a result or a summary was cut.
    pub(super) cut: bool,
    /// Whether another round can shorten the items further: this one had more than one group.
    pub(super) can_shrink: bool,
}

/// Summarises the results in groups, with one call for each group. Results without a text stay as they
/// are.
///
/// Groups are filled in order, up to the size of one request; a larger result is cut. If that needs more
/// groups than the limit, each group gets more results than fit, and they are cut.
///
/// # Errors
/// The error of the first call that fails; no further call starts then.
pub(super) async fn summarize<'a>(
    session: &AnswerSession<'_>,
    items: Vec<Item<'a>>,
    round: u32,
) -> Result<Summarized<'a>, TaskError> {
    let (texts, rest): (Vec<Item<'a>>, Vec<Item<'a>>) =
        items.into_iter().partition(|item| item.text.is_some());
    let groups = groups(session, texts)?;
    let parts = groups.len();
    let mut prompts = Vec::with_capacity(parts);
    for (index, group) in groups.iter().enumerate() {
        let more = [("part", json!(index + 1)), ("parts", json!(parts))];
        prompts.push(session.prompt(PromptName::AnswerPart, group, &more).await?);
    }
    let tokens = session.limits.summary_tokens.max(1);
    // After a failure the calls in progress are completed, so that their real cost is known. Calls start in
    // order, so the error of the failed call comes before those of the calls that did not start.
    let failed = AtomicBool::new(false);
    let failed = &failed;
    let calls: Vec<_> = prompts
        .iter()
        .map(|prompt| {
            async move {
                if failed.load(Ordering::Relaxed) {
                    return Err(TaskError::cancelled("another summary has failed"));
                }
                let reply = session
                    .call(Purpose::Summarize, prompt.prompt.clone(), tokens)
                    .await;
                failed.fetch_or(reply.is_err(), Ordering::Relaxed);
                reply
            }
            .boxed()
        })
        .collect();
    let replies = stream::iter(calls).buffered(session.limits.parallel.max(1));
    let replies: Vec<Result<_, TaskError>> = replies.collect().await;
    let mut summaries = Vec::with_capacity(parts + rest.len());
    let mut cut = false;
    let sources = groups.iter().zip(&prompts);
    for (index, (reply, (group, prompt))) in replies.into_iter().zip(sources).enumerate() {
        let reply = reply?;
        // A summary that is cut off is still useful.
        let is_cut = prompt.is_cut() || reply.stop == StopReason::MaxTokens;
        cut |= is_cut;
        let names: Vec<&str> = group.iter().map(|item| &*item.name).collect();
        summaries.push(Item {
            // It has the form of a task name, so that a citation of it is found and removed.
            name: Cow::Owned(format!("summary-{round}.{}", index + 1)),
            about: Cow::Owned(summary_about(&names)),
            state: "completed",
            text: Some(Cow::Owned(clean(&reply.text))),
            is_final: true,
            cut: is_cut || group.iter().any(|item| item.cut),
            why: None,
        });
    }
    summaries.extend(rest);
    Ok(Summarized {
        items: summaries,
        cut,
        can_shrink: parts > 1,
    })
}

/// The description of a summary: the names of its results.
fn summary_about(names: &[&str]) -> String {
    const MAX_NAMES: usize = 20;
    let shown = names.iter().take(MAX_NAMES).copied();
    let shown = shown.collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(MAX_NAMES) {
        0 => format!("of {shown}"),
        more => format!("of {shown} and {more} more"),
    }
}

/// Consecutive results in groups, each of about the size of a request.
fn groups<'a>(
    session: &AnswerSession<'_>,
    items: Vec<Item<'a>>,
) -> Result<Vec<Vec<Item<'a>>>, TaskError> {
    /// The tokens of the name, the state and the delimiters of a result, roughly.
    const OVERHEAD: u64 = 96;
    let more = [("part", json!(1)), ("parts", json!(1))];
    let room = session.room(PromptName::AnswerPart, &more)?;
    let tokens = |item: &Item<'_>| {
        let text = item.text.as_deref().unwrap_or_default();
        OVERHEAD + session.client.count(&item.about) + session.client.count(text)
    };
    let total: u64 = items.iter().map(|item| tokens(item).min(room)).sum();
    let max_groups = session.limits.summaries.max(1) as u64;
    // With too many results for the limit of groups, a group is larger than a request, and is cut.
    let group_tokens = room.max(total.div_ceil(max_groups));
    let mut groups: Vec<Vec<Item<'a>>> = Vec::new();
    let mut filled = 0;
    for item in items {
        let tokens = tokens(&item).min(room);
        let is_last_group = groups.len() as u64 >= max_groups;
        match groups.last_mut() {
            Some(group) if filled + tokens <= group_tokens || is_last_group => {
                group.push(item);
                filled += tokens;
            }
            Some(_) | None => {
                groups.push(vec![item]);
                filled = tokens;
            }
        }
    }
    Ok(groups)
}
