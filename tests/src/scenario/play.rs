//! Play: drives the scheduler through the script of a scenario, in virtual time.

use std::sync::Arc;

use zeph_graph::{
    Answer, Attempt, ContentId, ManualEnd, Output, QuestionId, ReservationId, RunState,
    SuppliedWhy, TaskId, Timestamp,
};
use zeph_scheduler::{Action, ByHand, Input, Prepared, Scope};

use super::graph::Patches;
use super::times::{duration, moment};
use super::{graph, why, words};
use crate::call::{Call, CallReply};
use crate::facts::Facts;
use crate::lockstep::Lockstep;

const START: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

/// A scenario in progress.
struct Play {
    lockstep: Lockstep,
    now: Timestamp,
    saving: bool,
    trace: Vec<String>,
    patches: Patches,
    // The number of the last content that a note or a patch was stored as.
    contents: u32,
}

/// Plays the script on the graph; returns the trace.
///
/// # Errors
/// A description of the unreadable line or the broken invariant.
pub fn play(text: &str) -> Result<Vec<String>, String> {
    let (drawing, script) = text.split_once("\n---").unwrap_or((text, ""));
    let (header, patches) = graph::header(drawing)?;
    let facts = Arc::new(Facts::of(header));
    let mut play = Play {
        lockstep: Lockstep::new(facts, true),
        now: START,
        saving: true,
        trace: Vec::new(),
        patches,
        contents: 0,
    };
    // A script that supplies results starts the run itself.
    if !script.contains(" supplied") {
        play.tell(&Call::Input(Input::Start))?;
    }
    for line in script.lines() {
        let line = line.split('#').next().unwrap_or("").trim();
        if !line.is_empty() {
            play.line(line)
                .map_err(|error| format!("{line:?}: {error}"))?;
        }
    }
    // After the script, the remaining timers fire.
    for _ in 0..1_000 {
        let Some(due) = play.lockstep.machine().deadline() else {
            break;
        };
        play.now = play.now.max(due);
        play.tell(&Call::Input(Input::Tick))?;
    }
    play.last_words()?;
    Ok(play.trace)
}

impl Play {
    fn line(&mut self, line: &str) -> Result<(), String> {
        let (time, rest) = line.split_once(char::is_whitespace).ok_or("no event")?;
        let (how, time) = (time.chars().next(), time.get(1..).unwrap_or(""));
        let offset = duration(time)?;
        match how {
            Some('+') => {
                let at = START.after(offset);
                while let Some(due) = self.lockstep.machine().deadline().filter(|&due| due < at) {
                    self.now = self.now.max(due);
                    self.tell(&Call::Input(Input::Tick))?;
                }
                self.now = at;
            }
            // The clock jumps without a tick for each timer before that time.
            Some('=') => self.now = START.after(offset),
            // The clock is set back to before the start.
            Some('-') => {
                let micros = START.after(offset).since(START).as_micros();
                let micros = u64::try_from(micros).map_err(|error| error.to_string())?;
                self.now = Timestamp::from_micros(START.as_micros() - micros);
            }
            _ => return Err("no time: +1s, =1s or -1s".into()),
        }
        self.event(rest.trim())
    }

    fn event(&mut self, text: &str) -> Result<(), String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        if let [
            name,
            verb @ ("reserves" | "settles" | "notes" | "proposes"),
            rest @ ..,
        ] = words.as_slice()
        {
            let what = self.attempt_call(name, verb, rest)?;
            return self.happens(text, &what);
        }
        if let ["amend", name, rest @ ..] = words.as_slice() {
            let what = self.amend(name, rest)?;
            return self.happens(text, &what);
        }
        let input = match words.as_slice() {
            ["tick"] => Input::Tick,
            ["pause"] => Input::Pause,
            ["unpause"] => Input::Unpause,
            ["suspend"] => Input::Suspend,
            ["resume"] => Input::Resume,
            ["start"] => Input::Start,
            ["quota", slots] => Input::Quota(slots.parse().map_err(|_| "not a number")?),
            ["lane", name, units] => {
                let lane = self
                    .lockstep
                    .machine()
                    .graph()
                    .find_lane(name)
                    .ok_or("no such lane")?;
                let units = units.parse().map_err(|_| "not a number")?;
                Input::LaneQuota { lane, units }
            }
            ["budget", budget] => Input::Budget(graph::budget(budget)?),
            ["cancel", "run"] => Input::Cancel(Scope::Run),
            ["cancel", name] => Input::Cancel(Scope::Task(self.task(name)?)),
            ["cancel", name, "downstream"] => Input::Cancel(Scope::Downstream(self.task(name)?)),
            ["skip", name] => self.by_hand(name, ManualEnd::Skip)?,
            ["withdraw", name] => self.by_hand(name, ManualEnd::Withdraw)?,
            ["complete", name, "definition"] => {
                self.by_hand(name, ManualEnd::Complete(Output::Definition))?
            }
            ["complete", name, value @ ..] => {
                let is_value = value == ["value"];
                let output = is_value.then_some(Output::Content(ContentId::FIRST));
                self.by_hand(name, ManualEnd::Complete(output.unwrap_or_default()))?
            }
            ["why", name] => return self.why(name),
            ["hold", "saves"] => {
                self.saving = false;
                return Ok(());
            }
            ["save"] => {
                self.saving = true;
                return self.turn();
            }
            ["crash"] => return self.crash(true),
            ["crash", "before", "the", "append"] => return self.crash(false),
            [name, rest @ ..] => self.about_task(name, rest)?,
            [] => return Err("no event".into()),
        };
        self.happens(text, &Call::Input(input))
    }

    /// Makes a call, and adds a reply that no record shows to the trace.
    fn happens(&mut self, text: &str, what: &Call) -> Result<(), String> {
        let reply = match self.tell(what)? {
            CallReply::Accepted | CallReply::Reserved(_) | CallReply::Added(..) => return Ok(()),
            CallReply::OverBudget(left) => format!("over budget, {left} left"),
            reply @ (CallReply::Stale
            | CallReply::Rejected
            | CallReply::Already
            | CallReply::Outdated(_)
            | CallReply::Refused) => format!("{reply:?}").to_lowercase(),
        };
        self.say(&format!("- {}: {reply}", text.to_lowercase()));
        Ok(())
    }

    /// A person's patch, made after so many amendments, by default after all.
    fn amend(&mut self, name: &str, words: &[&str]) -> Result<Call, String> {
        let lines = self.patches.get(name).ok_or("no such patch")?;
        let patch = graph::patch(self.lockstep.facts().graph(), lines)?;
        self.contents += 1;
        let content = ContentId::new(self.contents).unwrap_or(ContentId::FIRST);
        let after = match words {
            [] => self.lockstep.machine().amendments(),
            ["after", number] => number.parse().map_err(|_| "not a number")?,
            _ => return Err("not an amendment".into()),
        };
        Ok(Call::AmendByHand {
            by_hand: ByHand { by: None, after },
            content,
            patch: Box::new(patch),
        })
    }

    fn by_hand(&self, name: &str, end: ManualEnd) -> Result<Input, String> {
        let (task, by) = (self.task(name)?, None);
        Ok(Input::Override { task, end, by })
    }

    fn attempt_call(&mut self, name: &str, verb: &str, words: &[&str]) -> Result<Call, String> {
        let task = self.task(name)?;
        let attempt = self.attempt(task, words);
        self.contents += u32::from(matches!(verb, "notes" | "proposes"));
        let content = ContentId::new(self.contents).unwrap_or(ContentId::FIRST);
        Ok(match (verb, words) {
            ("reserves", [most, ..]) => Call::Reserve {
                task,
                attempt,
                most: graph::spend(most)?,
            },
            ("settles", [reservation, spent, ..]) => {
                let number = reservation.strip_prefix('b').and_then(|no| no.parse().ok());
                let reservation = number.and_then(ReservationId::new);
                Call::Settle {
                    task,
                    attempt,
                    reservation: reservation.ok_or("not a reservation")?,
                    spent: graph::spend(spent)?,
                }
            }
            ("notes", _) => Call::Note {
                task,
                attempt,
                content,
            },
            ("proposes", [patch, rest @ ..]) => {
                let after = match rest {
                    ["after", number, ..] => number.parse().map_err(|_| "not a number")?,
                    _ => 0,
                };
                let lines = self.patches.get(*patch).ok_or("no such patch")?;
                let patch = graph::patch(self.lockstep.facts().graph(), lines)?;
                Call::Amend {
                    task,
                    attempt,
                    after,
                    content,
                    patch: Box::new(patch),
                }
            }
            _ => return Err("not an event".into()),
        })
    }

    /// The attempt of a `no.N` word, or the last attempt of the task.
    fn attempt(&self, task: TaskId, words: &[&str]) -> Attempt {
        let number = words.iter().find_map(|word| word.strip_prefix("no."));
        let number = number.and_then(|number| number.parse().ok());
        let known = task.index() < self.lockstep.facts().graph().len();
        let last = || self.lockstep.machine().task(task).last_attempt();
        let last = if known { last() } else { None };
        number
            .and_then(Attempt::new)
            .or(last)
            .unwrap_or(Attempt::FIRST)
    }

    fn about_task(&mut self, name: &str, words: &[&str]) -> Result<Input, String> {
        if let Some(question) = question(name) {
            let answer = answer(words).ok_or("not an answer")?;
            return Ok(Input::Answered {
                question,
                answer,
                by: None,
            });
        }
        let task = self.task(name)?;
        let attempt = self.attempt(task, words);
        let after = words.iter().find_map(|word| word.strip_prefix("after="));
        match words {
            ["ok", rest @ ..] => {
                let has_value = rest.contains(&"value");
                self.contents += u32::from(has_value);
                let content = ContentId::new(self.contents).filter(|_| has_value);
                Ok(Input::Completed {
                    task,
                    attempt,
                    output: content,
                    log: None,
                })
            }
            ["fails", fault, ..] => Ok(Input::Failed {
                task,
                attempt,
                fault: fault.parse().map_err(|_| "not a fault")?,
                error: None,
                log: None,
                retry_after: after.map(duration).transpose()?,
            }),
            ["is", "supplied"] => Ok(Input::Supply { task, output: None }),
            ["is", then] => {
                let supply = |why| Prepared::Supply {
                    output: None,
                    why,
                    from: None,
                };
                let then = match *then {
                    "run" => Prepared::Run,
                    "unwanted" => Prepared::Skip { reason: None },
                    "known" => supply(SuppliedWhy::Kept),
                    "cached" => supply(SuppliedWhy::Cached),
                    "same" => supply(SuppliedWhy::SameInputs),
                    "unprepared" => Prepared::Fail { error: None },
                    _ => return Err("not the end of a preparation".into()),
                };
                Ok(Input::Prepared { task, then })
            }
            ["idle", ..] => Ok(Input::Idle { task, attempt }),
            ["lost", ..] => Ok(Input::Lost { task, attempt }),
            ["lists", count, ..] => {
                self.contents += 1;
                Ok(Input::Expanded {
                    task,
                    attempt,
                    list: ContentId::new(self.contents).unwrap_or(ContentId::FIRST),
                    count: count.parse().map_err(|_| "not a number")?,
                })
            }
            ["has", count, "items", "supplied"] => {
                self.contents += 1;
                Ok(Input::SupplyItems {
                    task,
                    list: ContentId::new(self.contents).unwrap_or(ContentId::FIRST),
                    count: count.parse().map_err(|_| "not a number")?,
                })
            }
            _ => Err("not an event".into()),
        }
    }

    fn task(&self, name: &str) -> Result<TaskId, String> {
        if let Some(index) = name.strip_prefix("task") {
            // `taskN` names a task by index; the task may not exist.
            if let Ok(index) = index.parse() {
                return Ok(TaskId::from_index(index));
            }
        }
        let found = self.lockstep.facts().graph().find(name);
        found.ok_or_else(|| format!("no task {name:?}"))
    }

    fn tell(&mut self, what: &Call) -> Result<CallReply, String> {
        let reply = self.lockstep.apply(self.now, what);
        let reply = reply.map_err(|broken| broken.to_string())?;
        if self.saving {
            self.turn()?;
        }
        Ok(reply)
    }

    fn turn(&mut self) -> Result<(), String> {
        while self.lockstep.step().map_err(|broken| broken.to_string())? {
            for entry in self.lockstep.saving().to_vec() {
                let facts = Arc::clone(self.lockstep.facts());
                let line = words::record(facts.graph(), START, &entry.record);
                let at = moment(START, entry.at);
                self.trace.push(format!("{at:<7} {line}"));
            }
            let actions = self.lockstep.save().map_err(|broken| broken.to_string())?;
            for action in actions {
                self.act(action);
            }
        }
        Ok(())
    }

    fn act(&mut self, action: Action) {
        let facts = Arc::clone(self.lockstep.facts());
        let name = |task: TaskId| facts.graph().task(task).name().to_owned();
        match action {
            Action::Cancel { task, attempt } => {
                self.say(&format!("! cancel {} #{attempt}", name(task)));
            }
            Action::Abandon { task, attempt } => {
                self.say(&format!("! give up {} #{attempt}", name(task)));
            }
            Action::Suspended => self.say("! at rest"),
            Action::Prepare { .. }
            | Action::Start { .. }
            | Action::Ask { .. }
            | Action::Ended(_) => {}
        }
    }

    fn say(&mut self, what: &str) {
        let at = moment(START, self.now);
        self.trace.push(format!("{at:<7} {what}"));
    }

    fn why(&mut self, name: &str) -> Result<(), String> {
        let task = self.task(name)?;
        let explanation = self.lockstep.machine().explain(task);
        let facts = Arc::clone(self.lockstep.facts());
        let line = why::explanation(facts.graph(), START, &explanation);
        self.say(&format!("? {name}: {line}"));
        Ok(())
    }

    /// Models a crash. Without `appended` the decisions that were not yet saved are lost.
    fn crash(&mut self, appended: bool) -> Result<(), String> {
        self.lockstep.step().map_err(|broken| broken.to_string())?;
        if appended {
            for entry in self.lockstep.saving().to_vec() {
                let facts = Arc::clone(self.lockstep.facts());
                let line = words::record(facts.graph(), START, &entry.record);
                self.trace
                    .push(format!("{:<7} {line}", moment(START, entry.at)));
            }
        }
        let crash = self.lockstep.crash(appended);
        crash.map_err(|broken| broken.to_string())?;
        self.saving = true;
        self.say("* crash");
        Ok(())
    }

    /// Adds the final states to the trace, unless the run has ended.
    fn last_words(&mut self) -> Result<(), String> {
        let machine = self.lockstep.machine();
        if let RunState::Ended(_) = machine.state() {
            return self.lockstep.finish().map_err(|broken| broken.to_string());
        }
        let facts = self.lockstep.facts();
        let states: Vec<String> = (facts.graph().tasks())
            .map(|(id, task)| format!("{} {}", task.name(), machine.task(id).state().word()))
            .collect();
        let run = machine.state().word();
        self.trace.push(format!("= {run}: {}", states.join(", ")));
        self.lockstep.fold().map_err(|broken| broken.to_string())
    }
}

fn question(word: &str) -> Option<QuestionId> {
    QuestionId::new(word.strip_prefix('q')?.parse().ok()?)
}

fn answer(words: &[&str]) -> Option<Answer> {
    match words {
        ["yes"] => Some(Answer::Yes),
        ["no"] => Some(Answer::No),
        ["value"] => Some(Answer::Value(Output::Content(ContentId::FIRST))),
        ["definition"] => Some(Answer::Value(Output::Definition)),
        [word] => graph::failure_answer(word).map(Answer::Failure),
        _ => None,
    }
}
