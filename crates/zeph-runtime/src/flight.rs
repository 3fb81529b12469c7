//! Attempts in flight: how they start, are stopped, and report; and how a run leaves.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::{Id, JoinError};
use zeph_executor::{Logs, Stop, TaskContext};
use zeph_graph::{Attempt, TaskId};
use zeph_scheduler::{Input, InputOutcome};

use crate::attempt::{Job, Report};
use crate::content::Parts;
use crate::core::{Core, Key};
use crate::door::{Asker, Door};
use crate::event::Watcher;
use crate::feed::Lines;
use crate::handle::RunReport;
use crate::live::Flight;

/// Which attempt a tokio task works on.
pub(crate) struct InFlight {
    pub(crate) key: Key,
    pub(crate) task: TaskId,
    pub(crate) attempt: Attempt,
    pub(crate) logs: Logs,
    pub(crate) watcher: Arc<Watcher>,
}

impl Core {
    pub(crate) fn start(&mut self, key: Key, task: TaskId, attempt: Attempt) {
        let Some(live) = self.runs.get_mut(&key) else {
            return;
        };
        let definition = live.scheduler.graph().task(task);
        let name: Arc<str> = definition.name().into();
        let (stop, logs) = (Stop::new(), Logs::new(self.limits.log_bytes));
        let params = match definition.work() {
            zeph_graph::Work::Action { params, .. } => params.clone(),
            zeph_graph::Work::Milestone | zeph_graph::Work::Question(_) => {
                zeph_graph::Params::none()
            }
        };
        let Some(executor) = self.registry.find(&name, live.action(task)) else {
            // Checked when the run came in; a registry does not shrink.
            self.handle(key, Input::Lost { task, attempt });
            return;
        };
        let watcher = Arc::new(Watcher {
            events: live.events.downgrade(),
            watched: Arc::clone(&live.watched),
            task: Arc::clone(&name),
            attempt,
            lines: self.redact.clone().map(Lines::new),
        });
        let context = TaskContext::builder(live.chain.run().clone(), task, &*name, attempt)
            .stop(&stop)
            .grace(own_grace(live.scheduler.policy().cancel_grace))
            .logs(&logs)
            .progress(Arc::<Watcher>::clone(&watcher))
            .journal(Arc::new(Door {
                asker: Asker { key, task, attempt },
                engine: self.weak.clone(),
            }))
            .build();
        let job = Job {
            store: Arc::clone(&self.store),
            run: live.chain.run().clone(),
            executor: Arc::clone(executor),
            context,
            params,
            parents: live.parents(task),
            max_output_bytes: self.limits.max_output_bytes,
        };
        let abort = self.attempts.spawn(job.perform());
        self.flights.insert(
            abort.id(),
            InFlight {
                key,
                task,
                attempt,
                logs,
                watcher,
            },
        );
        live.attempts.insert(
            task,
            Flight {
                attempt,
                stop,
                abort,
            },
        );
    }

    pub(crate) fn stop(&mut self, key: Key, task: TaskId, attempt: Attempt, by_force: bool) {
        let Some(live) = self.runs.get_mut(&key) else {
            return;
        };
        let Some(flight) = live.attempts.get(&task).filter(|f| f.attempt == attempt) else {
            return;
        };
        if by_force {
            flight.stop.kill();
            // A future that awaits ends here, and drops what it holds; one that blocks its thread
            // stays, and its report counts no more.
            flight.abort.abort();
            if let Some(given_up) = self.flights.get(&flight.abort.id()) {
                given_up.watcher.flush();
            }
            live.attempts.remove(&task);
        } else {
            flight.stop.cancel();
        }
    }

    /// An attempt's task has ended: with a report, by a panic, or because it was given up.
    pub(crate) fn joined(&mut self, joined: Result<(Id, Report), JoinError>) {
        let (id, report) = match joined {
            Ok((id, report)) => (id, Some(report)),
            Err(error) => {
                let id = error.id();
                let panic = error.try_into_panic().ok();
                (id, panic.map(Report::of_panic))
            }
        };
        let Some(InFlight {
            key,
            task,
            attempt,
            logs,
            watcher,
        }) = self.flights.remove(&id)
        else {
            return;
        };
        watcher.flush();
        let Some(live) = self.runs.get_mut(&key) else {
            return;
        };
        if live
            .attempts
            .get(&task)
            .is_some_and(|flight| flight.attempt == attempt)
        {
            live.attempts.remove(&task);
        }
        let redact = self.redact.as_deref();
        let log = Parts::of_logs(&logs, redact).map(|parts| live.keep(parts));
        let input = match report {
            Some(Report::Done { output, parts }) => {
                let bytes = parts.as_ref().map_or(0, Parts::len);
                let content = parts.map(|parts| live.keep(parts));
                let input = Input::Completed {
                    task,
                    attempt,
                    output: content,
                    log,
                };
                self.handle(key, input);
                if let (Some(live), Some(id)) = (self.runs.get_mut(&key), content) {
                    live.remember(task, id, output, bytes);
                }
                return;
            }
            Some(Report::Failed {
                fault,
                error,
                retry_after,
            }) => {
                let error = Some(live.keep(Parts::of_error(&error, redact)));
                Input::Failed {
                    task,
                    attempt,
                    fault,
                    error,
                    log,
                    retry_after,
                }
            }
            None => Input::Lost { task, attempt },
        };
        self.handle(key, input);
    }

    /// A run leaves the engine. Whatever it still has in flight is ended.
    pub(crate) fn leave(&mut self, key: Key, error: Option<String>) {
        let Some(live) = self.runs.remove(&key) else {
            return;
        };
        self.by_id.remove(live.chain.run());
        self.touched.remove(&key);
        self.wanting.remove(&key);
        self.set_deadline(key, None);
        self.slots_used -= live.scheduler.counts().in_flight();
        let grace = live.scheduler.policy().cancel_grace;
        for flight in live.attempts.into_values() {
            flight.stop.cancel();
            tokio::spawn(async move {
                tokio::time::sleep(grace).await;
                flight.stop.kill();
                flight.abort.abort();
            });
        }
        for ack in live.acks {
            let _ = ack.send(Ok(InputOutcome::Stale));
        }
        let report = match error {
            Some(error) => RunReport::lost(live.chain.run(), &live.snapshot.borrow(), error),
            None => RunReport::of(live.chain.run(), &live.scheduler),
        };
        live.done.send_replace(Some(Arc::new(report)));
    }
}

/// The part of the grace that an executor has for itself; the rest is for its last report, before the
/// machine gives the attempt up.
fn own_grace(grace: Duration) -> Duration {
    grace - grace / 5
}
