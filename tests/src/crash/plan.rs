//! Random plans for the crash loop, and how each of their tasks must end.

use std::fmt::Write as _;

use crate::crash::counter::VARIABLE;
use crate::rng::Rng;

/// The kind of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Ends at once.
    Quick,
    /// Takes some milliseconds, so that a kill can cut it.
    Slow,
    /// Its first attempt fails; the second succeeds.
    Flaky,
    /// Slow, with effect class `at_most_once`.
    Once,
    /// Fails, and the run tolerates it.
    Fails,
    /// Fails, and completes with a substitute value.
    Substituted,
    /// A question with a default.
    Asks,
    /// A question without a default.
    AsksForEver,
    /// Needs an approval, which is given by default.
    Approved,
    /// Does nothing.
    Milestone,
}

impl Kind {
    /// Whether the task runs a command, so that the counter file has its attempts.
    #[must_use]
    pub const fn is_command(self) -> bool {
        !matches!(self, Self::Asks | Self::AsksForEver | Self::Milestone)
    }
}

/// How a task ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With its own result or a substitute.
    Completed,
    /// After its last attempt.
    Failed,
    /// Because of its dependencies.
    Skipped,
}

impl End {
    /// The name of the state in the JSON output.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

/// A task.
#[derive(Clone, Debug)]
pub struct Job {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: Kind,
    /// The indices of its dependencies, all smaller than its own.
    pub needs: Vec<usize>,
    /// Whether its trigger is `all_done`.
    pub after_all: bool,
    millis: u64,
}

/// A plan: tasks that depend only on earlier ones.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The tasks.
    pub jobs: Vec<Job>,
    max_parallel: u64,
    lane: Option<u64>,
}

/// The answer to every question, and so the output of its task.
pub const ANSWER: &str = "blue";

impl Plan {
    /// Draws a random plan.
    pub fn draw(rng: &mut Rng) -> Self {
        const KINDS: [(Kind, u64); 10] = [
            (Kind::Quick, 30),
            (Kind::Slow, 25),
            (Kind::Flaky, 12),
            (Kind::Once, 10),
            (Kind::Fails, 5),
            (Kind::Substituted, 5),
            (Kind::Asks, 5),
            (Kind::AsksForEver, 3),
            (Kind::Approved, 5),
            (Kind::Milestone, 3),
        ];
        let weights = KINDS.map(|(_, weight)| weight);
        let shape = rng.below(5);
        let count = usize::try_from(rng.within(2, 12)).unwrap_or(2);
        let jobs = (0..count).map(|at| {
            let needs = needs(shape, at, count, rng);
            Job {
                name: format!("t{at:02}"),
                kind: KINDS[rng.weighted(&weights)].0,
                after_all: !needs.is_empty() && rng.percent(15),
                needs,
                millis: rng.within(5, 60),
            }
        });
        Self {
            jobs: jobs.collect(),
            max_parallel: rng.within(1, 6),
            lane: rng.percent(30).then(|| rng.within(1, 2)),
        }
    }

    /// The plan of those kinds of tasks, each with its dependencies, one task at a time.
    #[must_use]
    pub fn of(tasks: &[(Kind, &[usize])]) -> Self {
        let jobs = tasks.iter().enumerate().map(|(at, (kind, needs))| Job {
            name: format!("t{at:02}"),
            kind: *kind,
            needs: needs.to_vec(),
            after_all: false,
            millis: 5,
        });
        Self {
            jobs: jobs.collect(),
            max_parallel: 1,
            lane: None,
        }
    }

    /// The plan file.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let mut text = format!("max_parallel = {}\n", self.max_parallel);
        if let Some(capacity) = self.lane {
            // Writing to a `String` cannot fail.
            let _ = writeln!(text, "[lanes]\nnarrow = {capacity}");
            text.push_str("[defaults]\nlanes = [\"narrow\"]\n");
        }
        for job in &self.jobs {
            let _ = writeln!(text, "\n[tasks.{}]", job.name);
            let needs = job.needs.iter().map(|&at| &self.jobs[at].name);
            let _ = writeln!(text, "needs = {:?}", needs.collect::<Vec<_>>());
            if job.after_all {
                text.push_str("after = \"all_done\"\n");
            }
            if let Some(parent) = self.input_of(job) {
                let value = format!("${{{{ tasks.{}.stdout }}}}", parent.name);
                let _ = writeln!(text, "env = {{ INPUT = \"{value}\" }}");
            }
            text.push_str(&job.work());
        }
        text
    }

    /// The dependency whose output a command is given: the first, if it completes with a result of its own.
    #[must_use]
    pub fn input_of(&self, job: &Job) -> Option<&Job> {
        let parent = &self.jobs[*job.needs.first()?];
        let prints = match parent.kind {
            Kind::Quick | Kind::Slow | Kind::Flaky | Kind::Once | Kind::Approved => true,
            Kind::Fails | Kind::Substituted | Kind::Asks | Kind::AsksForEver | Kind::Milestone => {
                false
            }
        };
        (job.kind.is_command() && !job.after_all && prints).then_some(parent)
    }

    /// How each task ends without a cancellation.
    #[must_use]
    pub fn ends(&self) -> Vec<End> {
        let mut ends: Vec<End> = Vec::with_capacity(self.jobs.len());
        for job in &self.jobs {
            let starts = job.after_all || job.needs.iter().all(|&at| ends[at] == End::Completed);
            ends.push(match (starts, job.kind) {
                (false, _) => End::Skipped,
                (true, Kind::Fails) => End::Failed,
                (true, _) => End::Completed,
            });
        }
        ends
    }

    /// The task of that name and everything downstream of it.
    #[must_use]
    pub fn cone(&self, name: &str) -> Vec<&str> {
        let mut inside = vec![false; self.jobs.len()];
        for (at, job) in self.jobs.iter().enumerate() {
            inside[at] = job.name == name || job.needs.iter().any(|&need| inside[need]);
        }
        let jobs = self.jobs.iter().zip(inside);
        jobs.filter_map(|(job, is_in)| is_in.then_some(job.name.as_str()))
            .collect()
    }

    /// The task of that name.
    #[must_use]
    pub fn job(&self, name: &str) -> Option<&Job> {
        self.jobs.iter().find(|job| job.name == name)
    }
}

/// The dependencies of the task at an index: of a chain, a fan, diamonds, a random graph, or none.
fn needs(shape: u64, at: usize, count: usize, rng: &mut Rng) -> Vec<usize> {
    match shape {
        0 => at.checked_sub(1).into_iter().collect(),
        1 if at == 0 => Vec::new(),
        1 if at + 1 == count => (1..at).chain((at == 1).then_some(0)).collect(),
        1 => vec![0],
        // One task, three parallel tasks, one task, and so on.
        2 => match at % 4 {
            0 => (at.saturating_sub(3)..at).collect(),
            within => vec![at - within],
        },
        3 => (at.saturating_sub(4)..at)
            .filter(|_| rng.percent(40))
            .collect(),
        _ => Vec::new(),
    }
}

impl Job {
    fn work(&self) -> String {
        let seconds = format!("0.{:03}", self.millis);
        let (body, rules) = match self.kind {
            Kind::Quick => (String::new(), "effect = \"pure\"\n"),
            Kind::Slow => (format!("sleep {seconds}"), ""),
            Kind::Flaky => (
                "[ \"$ZEPH_ATTEMPT\" -gt 1 ] || exit 75".to_owned(),
                "retry = { max = 3, base = \"5ms\", cap = \"30ms\" }\n",
            ),
            Kind::Once => (format!("sleep {seconds}"), "effect = \"at_most_once\"\n"),
            Kind::Fails => (
                "exit 3".to_owned(),
                "retry = { max = 1, base = \"5ms\", cap = \"10ms\" }\non_failure = \"skip\"\n",
            ),
            Kind::Substituted => (
                "exit 4".to_owned(),
                "on_failure = { value = { stdout = \"stand-in\" } }\n",
            ),
            Kind::Approved => (
                String::new(),
                "approve = { text = \"Go?\", default = \"yes\", after = \"30ms\" }\n",
            ),
            Kind::Asks => {
                return format!(
                    "ask = {{ text = \"Which?\", choices = [\"red\", \"{ANSWER}\"], default = \"{ANSWER}\", after = \"40ms\" }}\n"
                );
            }
            Kind::AsksForEver => {
                return format!(
                    "ask = {{ text = \"Which?\", choices = [\"red\", \"{ANSWER}\"] }}\n"
                );
            }
            Kind::Milestone => return String::new(),
        };
        let note = |what: &str, input: &str| {
            let line = format!("{what} $ZEPH_TASK $ZEPH_ATTEMPT{input}");
            format!("printf '%s\\n' \"{line}\" >> \"${VARIABLE}\"\n")
        };
        format!(
            "{rules}shell = '''\n{}{body}\necho \"out-$ZEPH_TASK-$ZEPH_ATTEMPT\"\n{}'''\n",
            note("begin", "${INPUT:+ $INPUT}"),
            note("end", "")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::{End, Kind, Plan};
    use crate::rng::Rng;

    #[test]
    fn every_kind_is_drawn_and_nothing_needs_what_comes_later() {
        let mut seen = Vec::new();
        for seed in 0..300 {
            let plan = Plan::draw(&mut Rng::new(seed));
            assert!(plan.jobs.len() >= 2, "seed {seed}");
            for (at, job) in plan.jobs.iter().enumerate() {
                assert!(job.needs.iter().all(|&need| need < at), "seed {seed}");
                if !seen.contains(&job.kind) {
                    seen.push(job.kind);
                }
            }
        }
        assert_eq!(seen.len(), 10);
    }

    #[test]
    fn a_failure_skips_what_needs_it_unless_that_starts_after_all() {
        let mut plan = Plan::draw(&mut Rng::new(1));
        plan.jobs.truncate(2);
        plan.jobs[0].kind = Kind::Fails;
        plan.jobs[1].kind = Kind::Quick;
        plan.jobs[1].needs = vec![0];
        plan.jobs[1].after_all = false;
        assert_eq!(plan.ends(), [End::Failed, End::Skipped]);
        assert_eq!(plan.cone("t00"), ["t00", "t01"]);
        plan.jobs[1].after_all = true;
        assert_eq!(plan.ends(), [End::Failed, End::Completed]);
        assert_eq!(plan.cone("t01"), ["t01"]);
    }
}
