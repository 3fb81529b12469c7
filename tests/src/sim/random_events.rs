//! Random events: inputs of a random run, valid and invalid.

use std::time::Duration;

use zeph_graph::{
    Answer, AskWhy, Attempt, ContentId, FailureAnswer, Fault, ManualEnd, Output, QuestionId,
    SuppliedWhy, TaskId, Timestamp,
};
use zeph_scheduler::{Input, OpenQuestion, Prepared, Scope};

use super::mix::Kind;
use super::world::{Job, World};
use crate::call::CallReply;
use crate::violation::Check;

impl World {
    /// One random event.
    pub(super) fn wild(&mut self) -> Check {
        if self.lockstep.is_saving() && self.rng.percent(50) {
            self.append()?;
            return Ok(());
        }
        let kind = Kind::ALL[self.rng.weighted(&self.mix.weights)];
        match kind {
            Kind::Report => self.report()?,
            Kind::Deadline => self.meet_deadline()?,
            Kind::Wait => {
                let micros = *self.rng.pick(&[1, 999, 1_000_000, 7_000_000]).unwrap_or(&1);
                self.pass(micros);
                self.tell(Input::Tick)?;
            }
            Kind::Jump => self.jump()?,
            Kind::Answer => self.answer_one()?,
            Kind::OddAnswer => self.odd_answer()?,
            Kind::Echo => self.echo()?,
            Kind::Nonsense => self.nonsense()?,
            Kind::Lose => self.lose()?,
            Kind::CancelTask => {
                let task = self.any_task();
                self.tell(Input::Cancel(Scope::Task(task)))?;
            }
            Kind::CancelCone => {
                let task = self.any_task();
                self.tell(Input::Cancel(Scope::Downstream(task)))?;
            }
            // An early cancellation would leave little to test, so most of these events have no effect.
            Kind::CancelRun if self.rng.percent(30) => {
                self.tell(Input::Cancel(Scope::Run))?;
            }
            Kind::CancelRun => {}
            Kind::Pause => {
                let pause = self.rng.percent(40);
                self.tell(if pause { Input::Pause } else { Input::Unpause })?;
            }
            Kind::Suspend => {
                self.tell(Input::Suspend)?;
            }
            Kind::Resume => {
                self.tell(Input::Resume)?;
                // A run that is resumed in this process was suspended, so it has no running attempts.
            }
            Kind::Quota => {
                let slots = *self.rng.pick(&[0, 1, 2, u32::MAX]).unwrap_or(&1);
                self.tell(Input::Quota(slots))?;
            }
            Kind::LaneQuota => {
                let units = *self.rng.pick(&[0, 1, 2, u32::MAX]).unwrap_or(&1);
                for input in self.lane_quotas(units) {
                    self.tell(input)?;
                }
            }
            Kind::Reserve => self.reserve()?,
            Kind::Settle => self.settle()?,
            Kind::Note => self.note()?,
            Kind::Amend => self.amend()?,
            Kind::SetBudget => self.set_budget()?,
            Kind::Override => self.override_end()?,
            Kind::Prepare => self.end_preparation()?,
        }
        Ok(())
    }

    /// The preparation of a task ends, seldom of one that is not being prepared.
    fn end_preparation(&mut self) -> Check {
        let preparing = &self.lockstep.snapshot().preparing;
        let task = match self.rng.pick(preparing) {
            Some(&task) if self.rng.percent(90) => task,
            Some(_) | None if self.rng.percent(10) => self.any_task(),
            Some(_) | None => return Ok(()),
        };
        let content = self.any_content();
        let then = match self.rng.below(6) {
            0 => Prepared::Skip { reason: content },
            1 => Prepared::Supply {
                output: content,
                why: *self
                    .rng
                    .pick(SuppliedWhy::ALL)
                    .unwrap_or(&SuppliedWhy::Kept),
                from: self.any_content(),
            },
            2 => Prepared::Fail { error: content },
            _ => Prepared::Run,
        };
        self.tell(Input::Prepared { task, then })?;
        Ok(())
    }

    fn override_end(&mut self) -> Check {
        let task = match self.any_job() {
            Some(job) if self.rng.percent(40) => job.task,
            Some(_) | None => self.any_task(),
        };
        let end = match self.rng.below(20) {
            0 => ManualEnd::Complete(Output::Definition),
            1..8 => ManualEnd::Skip,
            8..11 => ManualEnd::Withdraw,
            _ => ManualEnd::Complete(self.any_content().map_or(Output::None, Output::Content)),
        };
        let by = self.any_content();
        self.tell(Input::Override { task, end, by })?;
        Ok(())
    }

    fn pass(&mut self, micros: u64) {
        self.now = self.now.after(Duration::from_micros(micros));
    }

    fn meet_deadline(&mut self) -> Check {
        if let Some(due) = self.lockstep.machine().deadline() {
            let due = due.as_micros();
            let at = match self.rng.below(6) {
                0 => due.saturating_sub(1),
                1 => due.saturating_add(self.rng.below(5_000_000)),
                _ => due,
            };
            self.now = self.now.max(Timestamp::from_micros(at));
        }
        if self.rng.percent(70) {
            self.tell(Input::Tick)?;
        } else {
            // A report that arrives when a timer is due.
            self.report()?;
        }
        Ok(())
    }

    fn jump(&mut self) -> Check {
        let hour = 3_600_000_000;
        let now = self.now.as_micros();
        let to = match self.rng.below(4) {
            0 => now.saturating_sub(hour),
            1 => 0,
            2 => now.saturating_add(8 * hour),
            _ => now.saturating_add(365 * 24 * hour),
        };
        let kept = self.now;
        self.now = Timestamp::from_micros(to);
        self.tell(Input::Tick)?;
        // After half of the jumps back the clock is not corrected.
        if self.rng.percent(50) {
            self.now = self.now.max(kept);
        }
        Ok(())
    }

    pub(super) fn any_task(&mut self) -> TaskId {
        let count = self.lockstep.facts().graph().len() as u64;
        // In 3 of 100 draws the range includes one id beyond the last task.
        let beyond = u64::from(self.rng.percent(3));
        TaskId::from_index(self.rng.below(count + beyond) as u32)
    }

    pub(super) fn any_job(&mut self) -> Option<Job> {
        let at = self.rng.below(self.jobs.len() as u64) as usize;
        self.jobs.get(at).copied()
    }

    fn report(&mut self) -> Check {
        let Some(job) = self.any_job() else {
            return Ok(());
        };
        if job.stubborn && job.must_end && self.rng.percent(80) {
            return Ok(());
        }
        self.settle_up(job)?;
        self.end_attempt(job.task, job.attempt);
        let input = self.any_report(job);
        if self.rng.percent(50) {
            let micros = self.rng.below(3_000_000);
            self.pass(micros);
        }
        let reply = self.tell(input)?;
        if reply == CallReply::Rejected {
            // A driver reports a list that the graph refuses as a failure.
            let failure = self.failure(job);
            self.tell(failure)?;
        }
        if self.rng.percent(self.mix.echoes) {
            let again = if self.rng.percent(50) {
                input
            } else {
                self.any_report(job)
            };
            self.tell(again)?;
        }
        Ok(())
    }

    fn any_content(&mut self) -> Option<ContentId> {
        if self.rng.percent(40) {
            return None;
        }
        self.contents += 1;
        ContentId::new(self.contents)
    }

    fn any_report(&mut self, job: Job) -> Input {
        let Job { task, attempt, .. } = job;
        if self.rng.percent(self.mix.failing) {
            return self.failure(job);
        }
        let graph = self.lockstep.facts().graph();
        let definition = graph.get(task);
        let is_many = definition.is_some_and(|task| task.rules().foreach.is_some());
        let is_open = is_many && graph.items(task).is_none();
        // Not every executor returns a list, and some return one at the wrong time.
        if is_open && self.rng.percent(90) || self.rng.percent(1) {
            self.contents += 1;
            return Input::Expanded {
                task,
                attempt,
                list: ContentId::new(self.contents).unwrap_or(ContentId::FIRST),
                count: self.rng.below(5) as u32,
            };
        }
        let log = self.any_content();
        let output = self.any_content();
        Input::Completed {
            task,
            attempt,
            output,
            log,
        }
    }

    fn failure(&mut self, job: Job) -> Input {
        let Job { task, attempt, .. } = job;
        let log = self.any_content();
        let faults = [
            Fault::Error,
            Fault::Error,
            Fault::Error,
            Fault::Panicked,
            Fault::Permanent,
            Fault::Refused,
            Fault::AttemptTimeout,
            Fault::Interrupted,
            Fault::Budget,
            Fault::IdleTimeout,
            Fault::Skipped,
        ];
        let waits = [
            Duration::ZERO,
            Duration::from_micros(1),
            Duration::from_secs(5),
            Duration::from_secs(120),
            Duration::MAX,
        ];
        let floored = self.rng.percent(self.mix.floors);
        Input::Failed {
            task,
            attempt,
            fault: *self.rng.pick(&faults).unwrap_or(&Fault::Error),
            error: self.any_content(),
            log,
            retry_after: self.rng.pick(&waits).copied().filter(|_| floored),
        }
    }

    fn lose(&mut self) -> Check {
        if let Some(Job { task, attempt, .. }) = self.any_job() {
            if self.rng.percent(50) {
                return self.tell(Input::Idle { task, attempt }).map(drop);
            }
            self.end_attempt(task, attempt);
            self.tell(Input::Lost { task, attempt })?;
        }
        Ok(())
    }

    fn echo(&mut self) -> Check {
        if let Some(ended) = self.rng.pick(&self.ended).copied() {
            let input = self.any_report(ended);
            self.tell(input)?;
        }
        Ok(())
    }

    fn nonsense(&mut self) -> Check {
        let job = Job {
            task: self.any_task(),
            attempt: Attempt::new(self.rng.within(1, 4) as u32).unwrap_or(Attempt::FIRST),
            stubborn: false,
            must_end: false,
        };
        // A random pair that happens to be a running attempt gets no report here; its own report follows.
        if !self.lockstep.is_current(job.task, job.attempt) {
            let input = self.any_report(job);
            self.tell(input)?;
        }
        Ok(())
    }

    /// An answer that the question accepts.
    pub(super) fn fitting(&mut self, open: &OpenQuestion, last_word: bool) -> Answer {
        let value = match self.any_content() {
            Some(content) => Output::Content(content),
            None => Output::None,
        };
        let answers = match open.why {
            AskWhy::Work => vec![Answer::Value(value)],
            AskWhy::Approve => vec![Answer::Yes, Answer::No],
            AskWhy::Failure(_) => vec![
                Answer::Value(value),
                Answer::Failure(FailureAnswer::Skip),
                Answer::Failure(FailureAnswer::Abort),
                Answer::Failure(FailureAnswer::Retry),
                Answer::Failure(FailureAnswer::Retry),
            ],
        };
        let choices = if last_word {
            &answers[..1]
        } else {
            &answers[..]
        };
        self.rng.pick(choices).copied().unwrap_or(Answer::Yes)
    }

    fn answer_one(&mut self) -> Check {
        let open: Vec<OpenQuestion> = self.lockstep.machine().questions().collect();
        if let Some(open) = self.rng.pick(&open).copied() {
            let answer = self.fitting(&open, false);
            self.answer(open.id, answer)?;
            if self.rng.percent(self.mix.echoes) {
                self.answer(open.id, answer)?;
            }
        }
        Ok(())
    }

    pub(super) fn answer(&mut self, question: QuestionId, answer: Answer) -> Check {
        self.tell(Input::Answered {
            question,
            answer,
            by: None,
        })?;
        Ok(())
    }

    fn odd_answer(&mut self) -> Check {
        let answers = [
            Answer::Yes,
            Answer::No,
            Answer::Failure(FailureAnswer::Retry),
            Answer::Failure(FailureAnswer::Skip),
            Answer::Value(Output::None),
            Answer::Value(Output::Definition),
        ];
        let question = QuestionId::new(self.rng.within(1, 6) as u32).unwrap_or(QuestionId::FIRST);
        let answer = *self.rng.pick(&answers).unwrap_or(&Answer::Yes);
        self.answer(question, answer)
    }
}
