//! Summaries: results that are too many for one request, in groups, each shortened by a model.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::{FutureExt as _, StreamExt as _, stream};
use serde_json::json;
use zeph_executor::TaskError;
use zeph_llm::{Purpose, StopReason};

use super::llm::{Desk, clean};
use super::material::{Material, TaskResult};
use crate::PromptName;
use crate::portion::{Piece, value_text};

/// What stands in a prompt under one name: a result, or a summary of several.
#[derive(Clone, Debug)]
pub(super) struct Item<'a> {
    pub(super) name: Cow<'a, str>,
    pub(super) about: Cow<'a, str>,
    pub(super) state: &'static str,
    /// The text; `None` if there is no result.
    pub(super) text: Option<Cow<'a, str>>,
    /// Whether it is among the results that no other one was made from.
    pub(super) last: bool,
    /// Whether something of it is missing already.
    pub(super) cut: bool,
}

/// The results of one round.
pub(super) struct Reduced<'a> {
    pub(super) items: Vec<Item<'a>>,
    /// Whether results were cut on their way into the summaries, or summaries at their end.
    pub(super) cut: bool,
    /// Whether another round may make it smaller still.
    pub(super) smaller: bool,
}

impl<'a> Item<'a> {
    pub(super) fn of(result: &'a TaskResult) -> Self {
        let output = result.output.as_ref();
        let text = output.map(|output| value_text(&output.value));
        let about = if text.is_some() {
            &result.about
        } else {
            &result.missing
        };
        Self {
            name: Cow::Borrowed(&result.name),
            about: Cow::Borrowed(about),
            state: result.state_word(),
            text,
            last: result.last,
            cut: false,
        }
    }

    pub(super) fn piece(&self) -> Option<Piece<'_>> {
        let text = self.text.as_deref()?;
        Some(Piece::new(&self.name, text))
    }
}

/// Shortens the results in groups, each by a call of its own; those without a text stay as they are.
///
/// Groups are filled in order up to what one request has room for; a result that is larger than that
/// is cut to it. If there are more groups than allowed, each group takes more results, and cuts them.
///
/// # Errors
/// The first call that fails; no further one is begun then.
pub(super) async fn reduce<'a>(
    desk: &Desk<'_>,
    material: &Material,
    items: Vec<Item<'a>>,
    round: u32,
) -> Result<Reduced<'a>, TaskError> {
    let (texts, rest): (Vec<Item<'a>>, Vec<Item<'a>>) =
        items.into_iter().partition(|item| item.text.is_some());
    let groups = groups(desk, material, texts)?;
    let parts = groups.len();
    let mut prompts = Vec::with_capacity(parts);
    for (index, group) in groups.iter().enumerate() {
        let more = [("part", json!(index + 1)), ("parts", json!(parts))];
        let (text, portions) = desk
            .results(PromptName::AnswerPart, material, group, &more)
            .await?;
        let is_cut = portions.iter().any(|portion| portion.cut);
        prompts.push((text, is_cut));
    }
    let tokens = desk.limits.summary_tokens.max(1);
    // What has begun is seen to its end, so that it is paid for as it was; nothing more is begun once
    // a call has failed. Calls begin in order, so the failure comes before those that did not begin.
    let failed = AtomicBool::new(false);
    let failed = &failed;
    let calls: Vec<_> = prompts
        .iter()
        .map(|(text, _)| {
            async move {
                if failed.load(Ordering::Relaxed) {
                    return Err(TaskError::cancelled("another summary has failed"));
                }
                let reply = desk.call(Purpose::Summarize, text.clone(), tokens).await;
                failed.fetch_or(reply.is_err(), Ordering::Relaxed);
                reply
            }
            .boxed()
        })
        .collect();
    let replies = stream::iter(calls).buffered(desk.limits.parallel.max(1));
    let replies: Vec<Result<_, TaskError>> = replies.collect().await;
    let mut summaries = Vec::with_capacity(parts + rest.len());
    let mut cut = false;
    for (index, (reply, (group, (_, is_cut)))) in replies
        .into_iter()
        .zip(groups.iter().zip(&prompts))
        .enumerate()
    {
        let reply = reply?;
        // What was paid for is of use without its end.
        let is_cut = *is_cut || reply.stop == StopReason::MaxTokens;
        cut |= is_cut;
        let names: Vec<&str> = group.iter().map(|item| &*item.name).collect();
        summaries.push(Item {
            // In the form of a name, so that whoever cites it is held to the tasks that there are.
            name: Cow::Owned(format!("summary-{round}.{}", index + 1)),
            about: Cow::Owned(about(&names)),
            state: "completed",
            text: Some(Cow::Owned(clean(&reply.text))),
            last: true,
            cut: is_cut || group.iter().any(|item| item.cut),
        });
    }
    let smaller = parts > 1;
    summaries.extend(rest);
    Ok(Reduced {
        items: summaries,
        cut,
        smaller,
    })
}

/// What a summary is of.
fn about(names: &[&str]) -> String {
    const TOLD: usize = 20;
    let told = names
        .iter()
        .take(TOLD)
        .copied()
        .collect::<Vec<_>>()
        .join(", ");
    match names.len().saturating_sub(TOLD) {
        0 => format!("of {told}"),
        more => format!("of {told} and {more} more"),
    }
}

/// Neighbours together, as many as a request has room for.
fn groups<'a>(
    desk: &Desk<'_>,
    material: &Material,
    items: Vec<Item<'a>>,
) -> Result<Vec<Vec<Item<'a>>>, TaskError> {
    /// Name, state and delimiters of a result, roughly.
    const BESIDE: u64 = 96;
    let more = [("part", json!(1)), ("parts", json!(1))];
    let room = desk.room(PromptName::AnswerPart, material, &[], &more)?;
    let want = |item: &Item<'_>| {
        let text = item.text.as_deref().unwrap_or_default();
        BESIDE + desk.line.count(&item.about) + desk.line.count(text)
    };
    let total: u64 = items.iter().map(|item| want(item).min(room)).sum();
    let most = desk.limits.summaries.max(1) as u64;
    // With fewer groups than it takes, each takes its part and cuts it.
    let size = room.max(total.div_ceil(most));
    let mut groups: Vec<Vec<Item<'a>>> = Vec::new();
    let mut filled = 0;
    for item in items {
        let want = want(&item).min(room);
        let full = groups.len() as u64 >= most;
        match groups.last_mut() {
            Some(group) if filled + want <= size || full => {
                group.push(item);
                filled += want;
            }
            Some(_) | None => {
                groups.push(vec![item]);
                filled = want;
            }
        }
    }
    Ok(groups)
}
