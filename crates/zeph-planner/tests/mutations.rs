//! Mutations of plans: readable ones are accepted with the same meaning, damaged ones never lose a task.
//!
//! The figures are printed with `cargo test -p zeph-planner --test mutations -- --nocapture`. Plans and
//! mutations come from fixed seeds, so the figures are the same each time. `MUTATIONS=20` in the
//! environment reads twenty times as many damaged texts.

#![allow(clippy::unwrap_used, reason = "helpers of tests may unwrap")]

#[path = "mutations/changing.rs"]
mod changing;
#[path = "mutations/damage.rs"]
mod damage;
#[path = "mutations/form.rs"]
mod form;
#[path = "mutations/sample.rs"]
mod sample;
#[path = "mutations/syntax.rs"]
mod syntax;
#[path = "mutations/values.rs"]
mod values;

use std::fmt::Write as _;

use zeph_llm::StopReason;
use zeph_planner::plan::{
    Plan, PlanRequest, PlannedTask, PlannedWork, Reading, read_answer, read_plan,
};

use sample::{Sample, host, meaning, samples};

/// A way to write a plan that a person reads without doubt; `None` if a plan has no place for it.
type Write = Box<dyn Fn(&Sample) -> Option<String>>;

/// A kind of mutation.
pub(crate) struct Kind {
    name: String,
    write: Write,
    /// Whether the model is known to have ended by itself.
    is_finished: bool,
}

pub(crate) fn kind(
    name: impl Into<String>,
    write: impl Fn(&Sample) -> Option<String> + 'static,
) -> Kind {
    Kind {
        name: name.into(),
        write: Box::new(write),
        is_finished: false,
    }
}

/// A kind that is readable only if the model is known to have ended by itself.
pub(crate) fn finished(
    name: impl Into<String>,
    write: impl Fn(&Sample) -> Option<String> + 'static,
) -> Kind {
    Kind {
        is_finished: true,
        ..kind(name, write)
    }
}

pub(crate) fn read(text: &str, is_finished: bool, request: &PlanRequest) -> Reading {
    if is_finished {
        read_answer(text, &StopReason::End, request)
    } else {
        read_plan(text, request)
    }
}

#[test]
fn readable_plans_are_accepted_with_the_same_meaning() {
    let request = host();
    let samples: Vec<_> = samples()
        .into_iter()
        .map(|sample| {
            let plain = read_plan(&sample.text(), &request).outcome.unwrap();
            (sample, meaning(&plain))
        })
        .collect();
    let kinds: Vec<Kind> = [form::kinds(), values::kinds(), syntax::kinds()]
        .into_iter()
        .flatten()
        .collect();
    let (mut texts, mut accepted, mut whole) = (0, 0, 0);
    let (mut refused, mut misread) = (String::new(), Vec::new());
    for kind in &kinds {
        let (mut written, mut first) = (0, None);
        let mut failed = 0;
        for (sample, wanted) in &samples {
            let Some(text) = (kind.write)(sample) else {
                continue;
            };
            written += 1;
            match read(&text, kind.is_finished, &request).outcome {
                Ok(plan) if meaning(&plan) == *wanted => accepted += 1,
                Ok(plan) => {
                    let found = meaning(&plan);
                    misread.push(format!(
                        "{}: {found:#?}\nwanted {wanted:#?}\n{text}",
                        kind.name
                    ));
                }
                Err(problems) => {
                    failed += 1;
                    first.get_or_insert_with(|| problems.iter().next().unwrap().to_string());
                }
            }
        }
        assert!(written > 0, "{} changes no plan", kind.name);
        texts += written;
        whole += usize::from(failed == 0);
        if let Some(first) = first {
            let _ = writeln!(refused, "  {} ({failed} of {written}): {first}", kind.name);
        }
    }
    println!(
        "{} kinds, {texts} texts: {accepted} accepted with the same meaning ({:.1} %), {} misread; {whole} kinds always accepted",
        kinds.len(),
        100.0 * f64::from(accepted) / f64::from(texts),
        misread.len(),
    );
    println!("refused:\n{refused}");
    assert!(
        misread.is_empty(),
        "{} misread, the first:\n{}",
        misread.len(),
        misread[0]
    );
    assert!(kinds.len() >= 100, "{} kinds", kinds.len());
    assert!(accepted * 100 >= texts * 95, "{accepted} of {texts}");
}

#[test]
fn additions_that_change_the_meaning_are_refused_or_kept() {
    let request = host();
    let kinds = changing::kinds();
    let (mut texts, mut refused, mut kept) = (0, 0, 0);
    let mut lost = Vec::new();
    for kind in &kinds {
        for sample in samples().iter().filter(|sample| sample.tasks.len() > 1) {
            let Some(text) = (kind.write)(sample) else {
                continue;
            };
            texts += 1;
            match read_plan(&text, &request).outcome {
                Err(problems) => {
                    refused += 1;
                    let one = problems.iter().next().unwrap();
                    let has_place = one.help.is_some() && !one.message.is_empty();
                    assert!(has_place, "{}: {one}", kind.name);
                }
                Ok(plan) => {
                    let plain = read_plan(&sample.text(), &request).outcome.unwrap();
                    let is_kept = kind.kept.is_some_and(|end| {
                        let is_whole = |task: &PlannedTask| task.work.about().ends_with(end);
                        let all_whole = plan.tasks.iter().all(is_whole);
                        all_whole && meaning(&without(&plan, end)) == meaning(&plain)
                    });
                    if is_kept {
                        kept += 1;
                    } else {
                        lost.push((&kind.name, text));
                    }
                }
            }
        }
    }
    println!(
        "{} kinds of additions that change the meaning, {texts} texts: {refused} refused, {kept} accepted with the text \
         in the instructions, {} accepted with another meaning",
        kinds.len(),
        lost.len(),
    );
    let mut names: Vec<&String> = lost.iter().map(|(name, _)| *name).collect();
    names.dedup();
    assert!(lost.is_empty(), "{names:#?}\n{}", lost[0].1);
    assert!(
        kinds.len() >= 100 && kept > 0,
        "{} kinds, {kept} kept",
        kinds.len()
    );
}

/// The plan without an end of its instructions.
fn without(plan: &Plan, end: &str) -> Plan {
    let mut plan = plan.clone();
    for task in &mut plan.tasks {
        let (PlannedWork::Agent { prompt: text, .. }
        | PlannedWork::Question { text }
        | PlannedWork::Command { about: text, .. }) = &mut task.work;
        if let Some(start) = text.strip_suffix(end) {
            *text = start.to_owned();
        }
    }
    plan
}
