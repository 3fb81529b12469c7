//! Damaged plans: cut off, or with random bytes changed. None is accepted without a task or a need.

use zeph_planner::plan::{Plan, PlannedWork};

use super::read;
use super::sample::{Numbers, Sample, host, samples};

/// The number of tasks, the number of needs, and the number of tasks with fewer tools than their agent.
fn size(plan: &Plan) -> (usize, usize, usize) {
    let needs = plan.tasks.iter().map(|task| task.needs.len()).sum();
    let narrowed = |work: &PlannedWork| matches!(work, PlannedWork::Agent { tools: Some(_), .. });
    let narrowed = plan.tasks.iter().filter(|task| narrowed(&task.work));
    (plan.tasks.len(), needs, narrowed.count())
}

/// Reads each text, and returns how many were accepted. None may have lost a part of the plan.
fn check(plan: &Sample, texts: impl Iterator<Item = String>, is_finished: bool) -> (usize, usize) {
    let request = host();
    let whole = read(&plan.text(), false, &request).outcome.unwrap();
    let (tasks, needs, narrowed) = size(&whole);
    let (mut count, mut accepted) = (0, 0);
    for text in texts {
        count += 1;
        if let Ok(found) = read(&text, is_finished, &request).outcome {
            accepted += 1;
            let found = size(&found);
            let is_whole = found.0 == tasks && found.1 >= needs && found.2 >= narrowed;
            assert!(
                is_whole,
                "{found:?} of {:?}: {text}",
                (tasks, needs, narrowed)
            );
        }
    }
    (count, accepted)
}

/// How many times as many texts are read as by default.
fn times() -> usize {
    let times = std::env::var("MUTATIONS").ok();
    times.and_then(|times| times.parse().ok()).unwrap_or(1)
}

/// Reads plans that are cut at every n-th place; the last bracket may be missing.
fn check_cuts(is_finished: bool) -> (usize, usize) {
    const EVERY: usize = 53;
    let (mut count, mut accepted) = (0, 0);
    for (seed, plan) in samples().into_iter().enumerate() {
        for text in [plan.text(), plan.pretty()] {
            let ends = (seed % EVERY..text.len()).step_by(EVERY.div_ceil(times()));
            let cuts = ends
                .chain([text.len() - 1])
                .filter(|at| text.is_char_boundary(*at));
            let found = check(&plan, cuts.map(|at| text[..at].to_owned()), is_finished);
            (count, accepted) = (count + found.0, accepted + found.1);
        }
    }
    (count, accepted)
}

#[test]
fn a_cut_plan_is_never_accepted() {
    let (count, accepted) = check_cuts(false);
    println!("{count} cut texts: {accepted} accepted");
    assert_eq!(accepted, 0);
}

#[test]
fn a_finished_plan_without_its_last_brace_is_accepted_and_loses_nothing() {
    let (count, accepted) = check_cuts(true);
    println!("{count} cut texts of a model that ended by itself: {accepted} accepted, whole");
    assert!(accepted >= 2 * samples().len());
}

#[test]
fn changed_bytes_lose_no_task_and_no_need() {
    let mut numbers = Numbers::new(7);
    let (mut count, mut accepted) = (0, 0);
    for (index, plan) in samples().into_iter().enumerate() {
        for text in [plan.text(), plan.pretty()] {
            let texts = (0..40 * times()).map(|_| damaged(&text, &mut numbers));
            let found = check(&plan, texts, index % 2 == 0);
            (count, accepted) = (count + found.0, accepted + found.1);
        }
    }
    println!(
        "{count} texts with changed bytes: {accepted} accepted, none without a task or a need"
    );
}

/// The text with one to three bytes replaced, removed or added.
fn damaged(text: &str, numbers: &mut Numbers) -> String {
    const BYTES: &[u8] = b"{}[]\",:#/*'x1 \n\\-_";
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..=numbers.below(3) {
        let at = numbers.below(bytes.len());
        let byte = BYTES[numbers.below(BYTES.len())];
        match numbers.below(3) {
            0 => bytes[at] = byte,
            1 => drop(bytes.remove(at)),
            _ => bytes.insert(at, byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
