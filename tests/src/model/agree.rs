//! Agree: compares the scheduler with the model, and adopts the choices that the scheduler is free to make.

use zeph_graph::{Attempt, ManualEnd, RunState, SkipWhy, TaskId, TaskState};
use zeph_scheduler::{OpenQuestion, Scheduler, Snapshot};

use super::{Model, Phase, Stage, TaskEnd, Until};

impl Model {
    /// Compares the states, the attempt counts and the run with the scheduler's.
    ///
    /// # Errors
    /// A description of the first difference.
    pub fn agree(&mut self, snapshot: &Snapshot, machine: &Scheduler) -> Result<(), String> {
        for task in self.ids() {
            let state = snapshot.states[task.index()];
            self.agree_on(task, state, &snapshot.questions)?;
            self.agree_on_tally(task, machine)?;
        }
        self.agree_on_attempt_calls(snapshot)?;
        let run = self.run_state();
        if run != snapshot.run {
            return Err(format!(
                "the run is {:?}, the model says {run:?}",
                snapshot.run
            ));
        }
        let lives = self.ids().into_iter().zip(&self.lives);
        let manual = lives.filter_map(|(task, life)| Some((task, life.manual_end?)));
        let manual: Vec<(TaskId, ManualEnd)> = manual.collect();
        if manual != snapshot.overrides {
            return Err(format!(
                "persons gave {:?}, the model says {manual:?}",
                snapshot.overrides
            ));
        }
        let preparing = (self.ids().into_iter().zip(&self.lives))
            .filter_map(|(task, life)| (life.stage == Stage::Preparing).then_some(task));
        let preparing: Vec<TaskId> = preparing.collect();
        if preparing != snapshot.preparing {
            return Err(format!(
                "{:?} are being prepared, the model says {preparing:?}",
                snapshot.preparing
            ));
        }
        let substituted = self.lives.iter().filter(|life| life.substituted).count();
        if substituted != snapshot.counts.substituted as usize {
            return Err(format!(
                "{} substitutes are counted, the model says {substituted}",
                snapshot.counts.substituted
            ));
        }
        let by_fallback = self.lives.iter().filter(|life| life.by_fallback).count();
        if by_fallback != snapshot.counts.by_fallback as usize {
            return Err(format!(
                "{} results of fallbacks are counted, the model says {by_fallback}",
                snapshot.counts.by_fallback
            ));
        }
        Ok(())
    }

    fn agree_on(
        &mut self,
        task: TaskId,
        state: TaskState,
        questions: &[OpenQuestion],
    ) -> Result<(), String> {
        let stage = self.lives[task.index()].stage;
        let same = match (stage, state) {
            (Stage::Idle | Stage::Preparing, TaskState::Pending)
            | (Stage::Queued, TaskState::Ready)
            | (Stage::Mapping, TaskState::Mapping) => true,
            (Stage::FallingBack(mine, fault), TaskState::FallingBack { to, why }) => {
                mine == to && fault == why
            }
            (Stage::Working(no, from), TaskState::Running { attempt, since }) => {
                attempt.get() == no && since.as_micros() == from
            }
            (Stage::Resting(no, until), TaskState::BackingOff { attempt, until: at }) => {
                let at = at.as_micros();
                let (low, high) = match until {
                    Until::Known(at) => (at, at),
                    Until::Between(low, high) => (low, high),
                };
                self.lives[task.index()].stage = Stage::Resting(no, Until::Known(at));
                attempt.get() == no && (low..=high).contains(&at)
            }
            (Stage::Asked(about, from), TaskState::Asking { question }) => {
                questions.iter().any(|open| {
                    open.id == question
                        && open.task == task
                        && open.why == about
                        && open.since.as_micros() == from
                })
            }
            (Stage::Stopping(no, reason, _), TaskState::Canceling { attempt, why }) => {
                attempt.get() == no && why == reason
            }
            (Stage::Ended(ended), state) => self.same_end(task, ended, state),
            (
                Stage::Idle
                | Stage::Preparing
                | Stage::Queued
                | Stage::Working(..)
                | Stage::Resting(..)
                | Stage::Asked(..)
                | Stage::Mapping
                | Stage::FallingBack(..)
                | Stage::Stopping(..),
                _,
            ) => false,
        };
        if same {
            Ok(())
        } else {
            Err(format!("{task} is {state:?}, the model says {stage:?}"))
        }
    }

    fn same_end(&self, task: TaskId, ended: TaskEnd, state: TaskState) -> bool {
        match (ended, state) {
            (TaskEnd::Completed(a), TaskState::Completed { output: b }) => a == b,
            (TaskEnd::Failed(a), TaskState::Failed { why: b }) => a == b,
            (TaskEnd::Canceled(a), TaskState::Canceled { why: b }) => a == b,
            (
                TaskEnd::Declined,
                TaskState::Skipped {
                    why: SkipWhy::Declined,
                },
            ) => true,
            (
                TaskEnd::NoFailure,
                TaskState::Skipped {
                    why: SkipWhy::NoFailure,
                },
            )
            | (
                TaskEnd::NotNeeded,
                TaskState::Skipped {
                    why: SkipWhy::NotNeeded,
                },
            )
            | (
                TaskEnd::SkippedByHand,
                TaskState::Skipped {
                    why: SkipWhy::Override,
                },
            )
            | (
                TaskEnd::Withdrawn,
                TaskState::Skipped {
                    why: SkipWhy::Withdrawn,
                },
            )
            | (
                TaskEnd::Removed,
                TaskState::Skipped {
                    why: SkipWhy::Removed,
                },
            )
            | (
                TaskEnd::ConditionFalse,
                TaskState::Skipped {
                    why: SkipWhy::Condition,
                },
            )
            | (
                TaskEnd::NothingToDo,
                TaskState::Skipped {
                    why: SkipWhy::Executor,
                },
            ) => true,
            (
                TaskEnd::FailedParent,
                TaskState::Skipped {
                    why: SkipWhy::Upstream(parent),
                },
            ) => {
                self.facts.graph().parents(task).contains(&parent)
                    && self.life(parent).is_gone()
                    && !self.life(parent).is_completed()
            }
            (_, _) => false,
        }
    }

    fn agree_on_tally(&self, task: TaskId, machine: &Scheduler) -> Result<(), String> {
        let (life, attempt_counts) = (self.life(task), machine.task(task).attempt_counts());
        let mine = (
            life.failures,
            life.manual_retries,
            life.restarts,
            life.abandoned,
        );
        let its = (
            attempt_counts.failures,
            attempt_counts.manual_retries,
            attempt_counts.restarts,
            attempt_counts.abandoned,
        );
        let last = machine.task(task).last_attempt().map_or(0, Attempt::get);
        if mine == its && last == life.attempts {
            Ok(())
        } else {
            let attempts = life.attempts;
            Err(format!(
                "{task} has {attempt_counts:?} after {last} attempts, the model says {mine:?} after {attempts}"
            ))
        }
    }

    /// The state of the run.
    #[must_use]
    pub fn run_state(&self) -> RunState {
        let any = |want: fn(Stage) -> bool| self.lives.iter().any(|life| want(life.stage));
        let moving = any(|stage| {
            matches!(
                stage,
                Stage::Preparing
                    | Stage::Queued
                    | Stage::Working(..)
                    | Stage::Resting(..)
                    | Stage::Stopping(..)
            )
        });
        match self.phase {
            Phase::Over(end) => RunState::Ended(end),
            Phase::Suspended => RunState::Suspended,
            Phase::Suspending(_) => RunState::Suspending,
            Phase::New | Phase::Live if self.paused => RunState::Paused,
            Phase::New | Phase::Live
                if !moving && any(|stage| matches!(stage, Stage::Asked(..))) =>
            {
                RunState::Waiting
            }
            Phase::New | Phase::Live => RunState::Running,
        }
    }
}
