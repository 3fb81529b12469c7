//! A trial: one run of a random plan, killed and resumed until it ends.

use std::collections::BTreeSet;
use std::ops::AddAssign;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use crate::crash::counter::Counter;
use crate::crash::ledger::{Ledger, RUN, RunStatus};
use crate::crash::plan::{ANSWER, Kind, Plan};
use crate::crash::victim::{KillPlan, Seen, Zeph, create_folder};
use crate::rng::Rng;

/// More rounds than any run needs; a run that reaches this limit makes no progress.
const MOST_ROUNDS: u64 = 100;
/// Longer than any command of a plan takes.
const LONGEST_COMMAND: Duration = Duration::from_millis(150);

/// Counts over all trials.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TrialCounts {
    /// Runs.
    pub runs: u64,
    /// Their tasks.
    pub tasks: u64,
    /// Processes that were killed.
    pub kills: u64,
    /// Processes that resumed a run.
    pub resumes: u64,
    /// Attempts that were running when their engine was killed.
    pub interrupted: u64,
    /// Attempts beyond the planned ones, that is without the planned retries.
    pub reruns: u64,
    /// Answers and cancellations from a second process.
    pub requests: u64,
}

impl AddAssign for TrialCounts {
    fn add_assign(&mut self, more: Self) {
        self.runs += more.runs;
        self.tasks += more.tasks;
        self.kills += more.kills;
        self.resumes += more.resumes;
        self.interrupted += more.interrupted;
        self.reruns += more.reruns;
        self.requests += more.requests;
    }
}

/// Runs the trial of a seed in its own folder, with at most `most_kills` kills.
///
/// # Errors
/// The first failed check, with the commands and kills before it.
pub fn play(
    binary: &Path,
    folder: PathBuf,
    seed: u64,
    most_kills: u64,
) -> Result<TrialCounts, String> {
    let mut rng = Rng::new(seed);
    let plan = Plan::draw(&mut rng);
    create_folder(&folder, &plan.to_toml())?;
    let binary = binary.to_owned();
    let mut trial = Trial {
        zeph: Zeph { binary, folder },
        plan,
        settings: TrialSettings::draw(&mut rng),
        rng,
        ledger: Ledger::default(),
        status: None,
        canceled: Canceled::default(),
        trial_counts: TrialCounts::default(),
        log: Vec::new(),
    };
    let kills = trial.settings.kills.min(most_kills);
    match trial.run(kills) {
        Ok(()) => Ok(trial.trial_counts),
        Err(error) => Err(format!("{}\n{error}", trial.log.join("\n"))),
    }
}

/// The settings of one trial.
#[derive(Clone, Copy, Debug)]
struct TrialSettings {
    /// The number of kills, if the run does not end before.
    kills: u64,
    /// Whether the engine is killed during each start and recovery.
    is_storm: bool,
    /// Whether a second process cancels tasks or the run.
    has_cancels: bool,
}

impl TrialSettings {
    fn draw(rng: &mut Rng) -> Self {
        let is_storm = rng.percent(8);
        Self {
            kills: if is_storm { 21 } else { rng.within(1, 7) },
            is_storm,
            has_cancels: rng.percent(15),
        }
    }
}

/// The cancellations that were requested.
#[derive(Clone, Debug, Default)]
struct Canceled {
    /// Tasks that may end in another way than the plan says.
    touched: BTreeSet<String>,
    /// The whole run.
    run: bool,
    /// Tasks that must end canceled, for their request was accepted while they were open.
    must: BTreeSet<String>,
}

struct Trial {
    zeph: Zeph,
    plan: Plan,
    settings: TrialSettings,
    rng: Rng,
    ledger: Ledger,
    status: Option<RunStatus>,
    canceled: Canceled,
    trial_counts: TrialCounts,
    log: Vec<String>,
}

impl Trial {
    fn run(&mut self, kills: u64) -> Result<(), String> {
        for _ in 0..MOST_ROUNDS {
            let kill_plan = (self.trial_counts.kills < kills).then(|| self.draw_kill());
            let seen = self.round(kill_plan.as_ref())?;
            let Some(status) = self.status.clone() else {
                continue;
            };
            if !status.is_open {
                return self.check_end(&status);
            }
            match seen.code {
                // Killed, or waiting because only questions are left.
                None => {}
                Some(5) => self.answer_all(&status)?,
                Some(code) => {
                    let said = seen.lines.join("\n  ");
                    return Err(format!(
                        "exit code {code} of an open run:\n  {said}\n{}",
                        seen.stderr
                    ));
                }
            }
        }
        Err(format!("not over after {MOST_ROUNDS} rounds"))
    }

    /// Runs or resumes once, and checks everything.
    fn round(&mut self, kill_plan: Option<&KillPlan>) -> Result<Seen, String> {
        let reruns = self.status.is_some() && self.rng.percent(20);
        let mut words = match &self.status {
            None => vec!["run", "plan.toml", "--name", RUN],
            Some(_) => vec!["resume", RUN],
        };
        if reruns {
            self.ledger.allowances += 1;
            words.push("--rerun-interrupted");
        }
        if self.rng.percent(50) {
            words.push("--json");
        }
        let words: Vec<String> = words.into_iter().map(str::to_owned).collect();
        self.trial_counts.resumes += u64::from(self.status.is_some());
        self.log
            .push(format!("zeph {} {kill_plan:?}", words.join(" ")));
        let seen = self.zeph.live(&words, kill_plan)?;
        self.log
            .push(format!("  {} → {:?}", seen.lines.join("\n  "), seen.code));
        self.trial_counts.kills += u64::from(seen.code.is_none());
        self.check_report(&seen)?;
        self.ledger.read_output(&seen);
        self.status = self.ledger.check(&self.zeph, &self.plan)?;
        if seen.code.is_none()
            && let Some(status) = &self.status
        {
            self.trial_counts.interrupted += status.at_work().count() as u64;
        }
        if let (Some(beside), Some(kill_plan)) = (&seen.beside, kill_plan) {
            self.note_request(kill_plan, beside)?;
        }
        Ok(seen)
    }

    /// Draws the moment of the next kill, and the command of a second process.
    fn draw_kill(&mut self) -> KillPlan {
        let rng = &mut self.rng;
        // Before the first line of output there is no run to recover.
        let is_storm = self.settings.is_storm && self.status.is_some();
        let early = is_storm || rng.percent(35);
        let lines = if early {
            usize::from(!is_storm && rng.percent(50))
        } else {
            usize::try_from(rng.within(1, self.plan.jobs.len() as u64)).unwrap_or(1)
        };
        let most_us = match (lines, rng.percent(30)) {
            (_, true) => 0,
            (0, false) => 60_000,
            (_, false) => 5_000,
        };
        let delay = Duration::from_micros(rng.within(0, most_us));
        let beside = if rng.percent(30) {
            self.interference()
        } else {
            Vec::new()
        };
        KillPlan {
            lines,
            delay,
            beside,
        }
    }

    /// A command for a second process; empty for none.
    fn interference(&mut self) -> Vec<String> {
        let Some(status) = &self.status else {
            return Vec::new();
        };
        let words: Vec<String> = if self.settings.has_cancels && self.rng.percent(60) {
            if self.rng.percent(20) {
                self.canceled.run = true;
                vec!["cancel".to_owned(), RUN.to_owned()]
            } else {
                let Some(job) = self.rng.pick(&self.plan.jobs) else {
                    return Vec::new();
                };
                let touched = self.plan.cone(&job.name).into_iter().map(str::to_owned);
                self.canceled.touched.extend(touched);
                vec!["cancel".to_owned(), RUN.to_owned(), job.name.clone()]
            }
        } else {
            let asked = self.rng.pick(&status.questions).cloned();
            let Some((id, _, about)) = asked else {
                return Vec::new();
            };
            self.answer(id, &about)
        };
        words.into_iter().chain(["--json".to_owned()]).collect()
    }

    /// The arguments that answer a question.
    fn answer(&mut self, id: u64, about: &str) -> Vec<String> {
        let text = match about {
            "work" => ANSWER,
            "approve" => "yes",
            _ => {
                self.ledger.allowances += 1;
                "retry"
            }
        };
        ["answer", RUN, &id.to_string(), text]
            .map(str::to_owned)
            .to_vec()
    }

    /// Notes an accepted request, which must not be lost.
    fn note_request(&mut self, kill_plan: &KillPlan, beside: &Seen) -> Result<(), String> {
        self.trial_counts.requests += 1;
        let delivery = beside.json()["delivery"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        self.log.push(format!(
            "  beside: {:?} → {:?} {}",
            kill_plan.beside,
            beside.code,
            beside.lines.join(" ")
        ));
        let Some(status) = &self.status else {
            return Ok(());
        };
        let (what, of) = (kill_plan.beside[0].as_str(), kill_plan.beside[2].as_str());
        match (what, delivery.as_str()) {
            ("answer", "accepted")
                if status.questions.iter().any(|(id, ..)| id.to_string() == of) =>
            {
                Err(format!(
                    "the answer to question {of} was taken, and is lost"
                ))
            }
            ("cancel", "accepted" | "posted") => {
                let is_open = |task: &str| status.tasks.get(task).is_some_and(|now| !now.is_over());
                let one = (self.plan.job(of).is_some() && is_open(of)).then(|| of.to_owned());
                self.canceled.must.extend(one);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Checks that a resumed run reports exactly the attempts that the kill interrupted.
    fn check_report(&self, seen: &Seen) -> Result<(), String> {
        let Some(status) = &self.status else {
            return Ok(());
        };
        let first = seen.lines.first().map_or("", String::as_str);
        let json: serde_json::Value = serde_json::from_str(first).unwrap_or_default();
        if json["event"] != "resuming" {
            return Ok(());
        }
        let named = json["interrupted"].as_array();
        let named: BTreeSet<&str> = named
            .into_iter()
            .flatten()
            .filter_map(|one| one["task"].as_str())
            .collect();
        let cut: BTreeSet<&str> = status.at_work().collect();
        if named == cut {
            Ok(())
        } else {
            Err(format!("cut off: {cut:?}, reported: {named:?}"))
        }
    }

    /// Answers all open questions while no engine is running.
    fn answer_all(&mut self, status: &RunStatus) -> Result<(), String> {
        // An answer from beside can come while the run is being suspended for lack of one; it counts, and the
        // next resume goes on from it.
        let is_answered = status.tasks.values().any(|task| task.state == "ready");
        if status.questions.is_empty() && !is_answered {
            return Err("the run waits, but nothing is asked".to_owned());
        }
        for (id, _, about) in &status.questions {
            let words = self.answer(*id, about);
            self.log.push(format!("zeph {}", words.join(" ")));
            let seen = self.zeph.live(&words, None)?;
            self.trial_counts.requests += 1;
            if seen.code != Some(0) {
                return Err(format!(
                    "{words:?} ends with {:?}: {}",
                    seen.code, seen.stderr
                ));
            }
        }
        Ok(())
    }

    /// Checks the ended run: the end of every task, and that a further `resume` starts no command.
    fn check_end(&mut self, status: &RunStatus) -> Result<(), String> {
        for (job, end) in self.plan.jobs.iter().zip(self.plan.ends()) {
            let Some(now) = status.tasks.get(&job.name) else {
                return Err(format!("{} is not in the run", job.name));
            };
            let name = &job.name;
            if !now.is_over() {
                return Err(format!("the run has ended, but {name} is {}", now.state));
            }
            let is_free = self.canceled.run || self.canceled.touched.contains(name);
            if !is_free && now.state != end.word() {
                return Err(format!(
                    "{name} must be {}, and is {}",
                    end.word(),
                    now.state
                ));
            }
            if self.canceled.must.contains(name) && now.state != "canceled" {
                return Err(format!(
                    "{name} was cancelled while it was open, and is {}",
                    now.state
                ));
            }
            let planned = match job.kind {
                Kind::Flaky | Kind::Fails => 2,
                Kind::Asks | Kind::AsksForEver | Kind::Milestone => 0,
                Kind::Quick | Kind::Slow | Kind::Once | Kind::Substituted | Kind::Approved => 1,
            };
            self.trial_counts.reruns += now.attempts.saturating_sub(planned);
        }
        // Commands that outlived their engine may still end; none may start.
        thread::sleep(LONGEST_COMMAND);
        let before = Counter::read(&self.zeph.counter())?;
        let again = self.zeph.call(&["resume", RUN, "--rerun-interrupted"])?;
        if again.code != Some(2) {
            return Err(format!("resuming an ended run ends with {:?}", again.code));
        }
        self.ledger.check(&self.zeph, &self.plan)?;
        if Counter::read(&self.zeph.counter())? != before {
            return Err("something ran after the end".to_owned());
        }
        self.trial_counts.runs += 1;
        self.trial_counts.tasks += self.plan.jobs.len() as u64;
        Ok(())
    }
}
