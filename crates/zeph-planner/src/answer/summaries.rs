//! Summaries: if the results do not fit into one request, a model shortens them in groups.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};

use futures::{FutureExt as _, StreamExt as _, stream};
use serde_json::json;
use zeph_executor::{Note, NoteKind, TaskError};
use zeph_llm::{Purpose, StopReason};

use super::citations::{self, Summaries};
use super::pieces::Groups;
use super::session::{AnswerSession, Item, Origin, clean};
use crate::call::GroupsNote;
use crate::prompt_budget::Fitted;
use crate::prompts::PromptName;

/// The result of one round of summaries.
pub(super) struct Summarized<'a> {
    /// The summaries, and the results without a text.
    pub(super) items: Vec<Item<'a>>,
    /// The number of summaries. With 2 or more another round can shorten the items further.
    pub(super) summaries: usize,
}

/// Summarises the results in groups, with one call for each group. Results without a text stay as they
/// are. Each summary is added to `of` with the tasks that it cites, or else all that it is of.
///
/// Groups are filled in order, up to the size of one request, and a larger result is divided among several.
/// If that needs more groups than the limit, or than the budget covers beside the answer, the results are cut.
/// If the budget covers no summary, there is none. The most groups are decided once and noted: after an
/// interruption the budget is smaller, and other groups would be paid again.
///
/// The results of a group to which the model gives an empty answer, or refuses, stay as they are.
///
/// # Errors
/// The error of the first call that fails; no further call starts then.
pub(super) async fn summarize<'a>(
    session: &AnswerSession<'_>,
    items: Vec<Item<'a>>,
    round: u32,
    of: &mut Summaries,
) -> Result<Summarized<'a>, TaskError> {
    let (texts, rest): (Vec<Item<'a>>, Vec<Item<'a>>) =
        items.into_iter().partition(|item| item.text.is_some());
    let tokens = session.limits.summary_tokens.max(1);
    let (mut groups, prompts) = decided(session, &texts, round, tokens).await?;
    if groups.is_empty() {
        let items = texts.into_iter().chain(rest).collect();
        return Ok(Summarized {
            items,
            summaries: 0,
        });
    }
    let parts = groups.len();
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
                let is_over = reply.as_ref().is_err_and(|error| !says_nothing(error));
                failed.fetch_or(is_over, Ordering::Relaxed);
                reply
            }
            .boxed()
        })
        .collect();
    let replies = stream::iter(calls).buffered(session.limits.parallel.max(1));
    let replies: Vec<Result<_, TaskError>> = replies.collect().await;
    let mut summaries = Vec::with_capacity(parts + rest.len());
    let sources = groups.iter_mut().zip(&prompts);
    for (index, (reply, (group, prompt))) in replies.into_iter().zip(sources).enumerate() {
        let reply = match reply {
            Ok(reply) => reply,
            Err(error) if says_nothing(&error) => {
                summaries.append(group);
                continue;
            }
            Err(error) => return Err(error),
        };
        prompt.mark_cuts(group);
        // A summary that is cut off is still useful.
        let is_cut = reply.stop == StopReason::MaxTokens;
        let name = format!("summary-{round}.{}", index + 1);
        let text = clean(&reply.text);
        of.insert(name.clone(), sources_of(session, group, &text, of));
        let names: Vec<&str> = group.iter().map(|item| &*item.name).collect();
        summaries.push(Item {
            // It has the form of a task name, so that a citation of it is found.
            name: Cow::Owned(name),
            about: Cow::Owned(summary_about(&names)),
            state: Cow::Borrowed("completed"),
            text: Some(Cow::Owned(text)),
            is_clean: false,
            of: merged(group, is_cut),
            is_final: true,
            cut: is_cut || group.iter().any(|item| item.cut),
            why: None,
        });
    }
    summaries.extend(rest);
    Ok(Summarized {
        items: summaries,
        summaries: parts,
    })
}

/// Whether the model answered without a summary.
fn says_nothing(error: &TaskError) -> bool {
    ["model_refused", "empty_answer"].contains(&error.code())
}

/// The groups that the limit and the budget allow, and their prompts; none if the budget covers no summary.
async fn decided<'a>(
    session: &AnswerSession<'_>,
    texts: &[Item<'a>],
    round: u32,
    tokens: u32,
) -> Result<(Vec<Vec<Item<'a>>>, Vec<Fitted>), TaskError> {
    let journal = session.cx.journal();
    let resumed = session.client.spend().resumed(session.cx).await?;
    let noted = resumed.most_groups(round);
    let left = journal.left().await?;
    let mut most = noted.unwrap_or(session.limits.summaries.max(1));
    let (groups, prompts) = loop {
        if most == 0 {
            break (Vec::new(), Vec::new());
        }
        let groups = grouped(session, texts.to_vec(), most)?;
        let prompts = prompts(session, &groups).await?;
        // The budget must cover the answer as well: without it the summaries are of no use.
        let affordable = match noted {
            Some(_) => groups.len(),
            None => session.affordable(&prompts, tokens, left),
        };
        if affordable >= groups.len() {
            break (groups, prompts);
        }
        most = affordable;
    };
    let note = GroupsNote {
        round,
        most_groups: most,
        reused: noted.is_some(),
    };
    journal.note(Note::json(NoteKind::Answer, &note)?).await?;
    Ok((groups, prompts))
}

/// The prompt for each group.
async fn prompts(
    session: &AnswerSession<'_>,
    groups: &[Vec<Item<'_>>],
) -> Result<Vec<Fitted>, TaskError> {
    let mut prompts = Vec::with_capacity(groups.len());
    for (index, group) in groups.iter().enumerate() {
        let more = [("part", json!(index + 1)), ("parts", json!(groups.len()))];
        prompts.push(session.prompt(PromptName::AnswerPart, group, &more).await?);
    }
    Ok(prompts)
}

/// The results in at most that many groups, each of about the size of a request.
fn grouped<'a>(
    session: &AnswerSession<'_>,
    texts: Vec<Item<'a>>,
    most: usize,
) -> Result<Vec<Vec<Item<'a>>>, TaskError> {
    let more = [("part", json!(16)), ("parts", json!(16))];
    let room = session.room(PromptName::AnswerPart, &more)?;
    let groups = Groups {
        // Counts of parts do not add up exactly, and what does not fit would be cut.
        room: (room - room / 100).saturating_sub(8).max(1),
        most,
        count: &|text| session.client.count(text),
        clean: &|text| session.context.sanitizer().clean_text(text),
        overhead: &|item| session.overhead(item),
    };
    Ok(groups.of(texts))
}

/// The tasks that a summary cites, or else those that it is of.
fn sources_of(
    session: &AnswerSession<'_>,
    group: &[Item<'_>],
    text: &str,
    of: &Summaries,
) -> Vec<String> {
    let name = |origin: &Origin| session.input.results[origin.task].name.as_str();
    let mut seen = HashSet::new();
    let all = group.iter().flat_map(|item| &item.of).map(name);
    let all: Vec<&str> = all.filter(|name| seen.insert(*name)).collect();
    let cited = citations::check(text, &seen, of).sources;
    let cited: Vec<String> = cited
        .into_iter()
        .filter(|name| seen.contains(name.as_str()))
        .collect();
    match cited.is_empty() {
        true => all.into_iter().map(str::to_owned).collect(),
        false => cited,
    }
}

/// The origins of all items of a group, each task once.
fn merged(group: &[Item<'_>], is_cut: bool) -> Vec<Origin> {
    let mut merged: BTreeMap<usize, Origin> = BTreeMap::new();
    for one in group.iter().flat_map(|item| &item.of) {
        let summary_cut = one.summary_cut || is_cut;
        merged
            .entry(one.task)
            .and_modify(|all| {
                all.share += one.share;
                all.cut |= one.cut;
                all.summary_cut |= summary_cut;
            })
            .or_insert(Origin {
                summary_cut,
                ..*one
            });
    }
    merged.into_values().collect()
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
