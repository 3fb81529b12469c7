//! Faults: a command is repeated, each time with another call on the files of its database that fails.

use std::collections::BTreeMap;
use std::fs;
use std::ops::AddAssign;
use std::path::{Path, PathBuf};

use crate::crash::ledger::{Ledger, RUN, RunStatus};
use crate::crash::plan::{Kind, Plan};
use crate::crash::victim::{KillPlan, Seen, Zeph, create_folder};
use crate::damage::copy_folder;
use crate::rng::Rng;
use crate::trace::call::{Call, CallKind};
use crate::trace::fault::{Aim, Failure, Fault, all_faults};
use crate::trace::is_of_database;
use crate::trace::tracer::{self, Verdict, Watcher};

/// More resumes than a run needs after one fault.
const MOST_ROUNDS: u64 = 6;

/// What became of some faults.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FaultCounts {
    /// The command ended as without a fault.
    pub survived: u64,
    /// The command ended with an error, by its exit code.
    pub refused: BTreeMap<i32, u64>,
    /// There was no such call this time.
    pub not_reached: u64,
}

impl AddAssign for FaultCounts {
    fn add_assign(&mut self, more: Self) {
        self.survived += more.survived;
        self.not_reached += more.not_reached;
        for (code, count) in more.refused {
            *self.refused.entry(code).or_default() += count;
        }
    }
}

impl FaultCounts {
    /// The number of faults that happened.
    #[must_use]
    pub fn done(&self) -> u64 {
        self.survived + self.refused.values().sum::<u64>()
    }
}

/// The databases before each command, and what was acknowledged until then.
#[derive(Debug)]
pub struct Trial {
    binary: PathBuf,
    folder: PathBuf,
    plan: Plan,
    ledgers: BTreeMap<&'static str, Ledger>,
    /// The exit code of each command without a fault.
    codes: BTreeMap<&'static str, Option<i32>>,
    /// Every fault, in order.
    pub faults: Vec<Fault>,
}

impl Trial {
    /// Stages the databases, and counts the calls of each command without a fault.
    ///
    /// # Errors
    /// If a command does not end as it should.
    pub fn stage(binary: &Path, folder: &Path) -> Result<Self, String> {
        fs::create_dir_all(folder).map_err(|error| format!("there is no folder: {error}"))?;
        let folder = folder
            .canonicalize()
            .map_err(|error| format!("there is no folder: {error}"))?;
        let mut trial = Self {
            binary: binary.to_owned(),
            folder,
            plan: Plan::of(&[
                (Kind::Quick, &[]),
                (Kind::Slow, &[0]),
                (Kind::Flaky, &[0]),
                (Kind::Once, &[1]),
                (Kind::Fails, &[]),
                (Kind::Substituted, &[2]),
                (Kind::Approved, &[3]),
                (Kind::Milestone, &[5, 6]),
            ]),
            ledgers: BTreeMap::new(),
            codes: BTreeMap::new(),
            faults: Vec::new(),
        };
        for aim in Aim::ALL {
            let ledger = trial.stage_one(aim)?;
            trial.ledgers.insert(aim.name(), ledger);
            let zeph = trial.copy(aim, &trial.folder.join("count"))?;
            let mut injector = Injector::of(None, &zeph);
            let seen = tracer::run(&zeph.command(aim.words()), &zeph.folder, &mut injector)?;
            trial.codes.insert(aim.name(), seen.code);
            trial.faults.extend(all_faults(aim, &injector.counts));
        }
        Ok(trial)
    }

    fn stage_one(&self, aim: Aim) -> Result<Ledger, String> {
        let folder = self.folder.join(aim.name());
        create_folder(&folder, &self.plan.to_toml())?;
        let zeph = self.zeph(folder);
        let mut ledger = Ledger::default();
        let run: Vec<String> = Aim::Run
            .words()
            .iter()
            .map(|&word| word.to_owned())
            .collect();
        let kill_plan = KillPlan {
            lines: 5,
            ..KillPlan::default()
        };
        let seen = match aim {
            Aim::Run => return Ok(ledger),
            Aim::Resume => zeph.live(&run, Some(&kill_plan))?,
            Aim::Delete => zeph.live(&run, None)?,
        };
        ledger.read_output(&seen);
        let status = ledger.check(&zeph, &self.plan)?;
        let is_open = status.is_some_and(|status| status.is_open);
        if is_open == (aim == Aim::Resume) {
            Ok(ledger)
        } else {
            Err(format!(
                "the run does not end as {aim:?} needs it: {seen:?}"
            ))
        }
    }

    fn zeph(&self, folder: PathBuf) -> Zeph {
        Zeph {
            binary: self.binary.clone(),
            folder,
        }
    }

    fn copy(&self, aim: Aim, folder: &Path) -> Result<Zeph, String> {
        // A folder that is not there is as good as removed.
        let _ = fs::remove_dir_all(folder);
        copy_folder(&self.folder.join(aim.name()), folder)
            .map_err(|error| format!("the database is not copied: {error}"))?;
        Ok(self.zeph(folder.to_owned()))
    }

    /// Random faults, or all.
    #[must_use]
    pub fn draw(&self, count: Option<u64>, seed: u64) -> Vec<Fault> {
        let Some(count) = count else {
            return self.faults.clone();
        };
        let mut rng = Rng::new(seed);
        let picks = (0..count).filter_map(|_| rng.pick(&self.faults).copied());
        picks.collect()
    }

    /// Executes the command of a fault in a copy of its database, checks what it left, and goes on without
    /// faults.
    ///
    /// # Errors
    /// The first promise that does not hold.
    pub fn play(
        &self,
        fault: Fault,
        folder: &Path,
        counts: &mut FaultCounts,
    ) -> Result<(), String> {
        self.play_one(fault, folder, counts)
            .map_err(|error| format!("{fault}: {error}"))
    }

    fn play_one(
        &self,
        fault: Fault,
        folder: &Path,
        counts: &mut FaultCounts,
    ) -> Result<(), String> {
        let aim = fault.aim;
        let zeph = self.copy(aim, folder)?;
        let mut injector = Injector::of(Some(fault), &zeph);
        let seen = tracer::run(&zeph.command(aim.words()), &zeph.folder, &mut injector)?;
        if injector.hits == 0 {
            counts.not_reached += 1;
            return Ok(());
        }
        let code = seen
            .code
            .ok_or_else(|| format!("it was killed: {seen:?}"))?;
        if seen.code == self.codes[aim.name()] {
            counts.survived += 1;
        } else {
            *counts.refused.entry(code).or_default() += 1;
            // The store failed, or the run waits.
            if ![5, 8].contains(&code) || seen.stderr.is_empty() {
                return Err(format!("it ends with {code}: {seen:?}"));
            }
        }
        let said = [&seen.lines.join("\n"), &seen.stderr];
        let is_named = said.iter().any(|text| text.contains("the disk is full"));
        if fault.leaves_no_space() && code == 8 && !is_named {
            return Err(format!("it does not name the full disk: {seen:?}"));
        }
        let checked = match aim {
            Aim::Run | Aim::Resume => self.go_on(&zeph, aim, &seen),
            Aim::Delete => delete_again(&zeph, &seen),
        };
        checked.map_err(|error| format!("{error}\nbefore: {seen:?}"))
    }

    /// Checks everything that was acknowledged, and resumes until the run has ended.
    fn go_on(&self, zeph: &Zeph, aim: Aim, seen: &Seen) -> Result<(), String> {
        let mut ledger = self.ledgers[aim.name()].clone();
        ledger.allowances += u64::from(aim == Aim::Resume);
        ledger.read_output(seen);
        for _ in 0..MOST_ROUNDS {
            let next = match ledger.check(zeph, &self.plan)? {
                None => Aim::Run,
                Some(status) if status.is_open => Aim::Resume,
                Some(status) => return self.check_end(&status),
            };
            ledger.allowances += u64::from(next == Aim::Resume);
            let seen = zeph.call(next.words())?;
            ledger.read_output(&seen);
        }
        Err(format!("it has not ended after {MOST_ROUNDS} rounds"))
    }

    fn check_end(&self, status: &RunStatus) -> Result<(), String> {
        for (job, end) in self.plan.jobs.iter().zip(self.plan.ends()) {
            let now = status.tasks.get(&job.name).map(|now| now.state.as_str());
            if now != Some(end.word()) {
                return Err(format!(
                    "{} must be {}, and is {now:?}",
                    job.name,
                    end.word()
                ));
            }
        }
        Ok(())
    }
}

/// A deletion that was not acknowledged may have happened; the next one ends it.
fn delete_again(zeph: &Zeph, seen: &Seen) -> Result<(), String> {
    let shown = zeph.call(&["show", RUN, "--json"])?;
    let is_gone = shown.json()["error"]["code"] == "no_such_run";
    if !is_gone && (seen.code == Some(0) || shown.code != Some(0)) {
        return Err(format!("the deleted run is there, or damaged: {shown:?}"));
    }
    let verified = zeph.call(&["verify"])?;
    if verified.code != Some(0) {
        return Err(format!("the database is damaged: {verified:?}"));
    }
    if !is_gone {
        let again = zeph.call(Aim::Delete.words())?;
        if again.code != Some(0) {
            return Err(format!("it cannot be deleted any more: {again:?}"));
        }
    }
    Ok(())
}

/// Counts the calls on the database's files, and makes some of them fail.
struct Injector {
    folder: PathBuf,
    fault: Option<Fault>,
    counts: BTreeMap<CallKind, u64>,
    hits: u64,
}

impl Injector {
    fn of(fault: Option<Fault>, zeph: &Zeph) -> Self {
        Self {
            folder: zeph.folder.clone(),
            fault,
            counts: BTreeMap::new(),
            hits: 0,
        }
    }
}

impl Watcher for Injector {
    fn before(&mut self, call: &Call) -> Verdict {
        if !is_of_database(&call.path, &self.folder) {
            return Verdict::Pass;
        }
        let count = self.counts.entry(call.kind).or_default();
        let nth = *count;
        *count += 1;
        let meets = |fault: &Fault| {
            fault.kind == call.kind && (nth == fault.nth || (fault.is_lasting && nth > fault.nth))
        };
        let Some(fault) = self.fault.filter(meets) else {
            return Verdict::Pass;
        };
        self.hits += 1;
        match fault.failure {
            Failure::Error(error) => Verdict::Return(-i64::from(error as i32)),
            Failure::Short => Verdict::Shorten((call.length() / 2).max(1)),
            Failure::Lie => Verdict::Return(call.length().cast_signed()),
        }
    }

    fn after(&mut self, _: &Call, _: i64) -> bool {
        true
    }
}
