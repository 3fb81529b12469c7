//! Ask: a question whose answer is typed.

use serde::de::DeserializeOwned;
use serde_json::Value;
use std::sync::Arc;
use zeph_executor::TaskError;
use zeph_graph::{AnswerKind, Params, Question, Task, TaskId, Work};

use super::Flow;
use super::inputs::{Handle, Inputs, ReadValue};
use super::when::Condition;

impl<Kind: Send + Sync + 'static> Flow<Kind> {
    /// Asks a person; the answer is the result, as a `T`. Holds no slot.
    ///
    /// `T` must fit the question: a `bool` a yes-or-no question, a number type a question for a number, a
    /// `String` or an enum the choices. An answer that the question accepts and `T` does not, such as 300 for a
    /// `u8`, fails the tasks that take it, with the code `invalid_answer`.
    ///
    /// # Panics
    ///
    /// With the caller's location, if the name is taken or invalid, a handle comes from another flow, the task
    /// has work already, or an answer of the question, its default included, can never be a `T`.
    ///
    /// # Examples
    /// ```
    /// use zeph_orchestration::{Flow, Question, RunState};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), zeph_orchestration::FlowError> {
    /// let mut flow = Flow::new();
    /// let copies = flow.ask::<u32>("copies", (), Question::number("How many copies?"));
    /// let pages = flow.task("print", copies, |copies| async move { Ok(*copies * 4) });
    /// let run = flow.start().await?;
    /// run.until(|run| run.state == RunState::Waiting).await;
    /// run.answer(1, "3").await?;
    /// assert_eq!(*run.wait().await?.get(pages)?, 12);
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    #[expect(
        clippy::needless_pass_by_value,
        reason = "inputs are given alike to all kinds of task"
    )]
    pub fn ask<T: DeserializeOwned + Send + Sync + 'static>(
        &mut self,
        task: impl Into<Task>,
        inputs: impl Inputs,
        question: Question,
    ) -> Handle<T> {
        self.add_question(None, task.into(), inputs.tasks(), question)
    }

    #[track_caller]
    pub(super) fn add_question<T: DeserializeOwned + Send + Sync + 'static>(
        &mut self,
        condition: Option<Condition>,
        task: Task,
        inputs: Vec<TaskId>,
        question: Question,
    ) -> Handle<T> {
        let name = task.shared_name();
        assert!(
            *task.work() == Work::Milestone,
            "task {name:?} has work of its own: a question cannot take its place"
        );
        if let Err(error) = check_type::<T>(&question) {
            panic!("the answer of task {name:?} does not fit its type: {error}");
        }
        let task = task.with_work(Work::Question(Box::new(question)));
        let (task, inputs) = match condition {
            None => (task, inputs),
            Some(condition) => {
                let inputs = condition.dependencies(inputs);
                let executor = condition.on(&self.shared, None);
                // A duplicate name is rejected by the graph.
                let _ = self.registry.bind(&*name, executor);
                (task.prepare(Params::none()), inputs)
            }
        };
        let id = self.graph.add_task(task, inputs);
        let read: ReadValue = Arc::new(|values, name, value| {
            values.put::<T>(name, 0, Arc::new(read_answer(name, value)?));
            Ok(true)
        });
        self.handle(id, read)
    }
}

fn read_answer<T: DeserializeOwned>(task: &str, answer: &Value) -> Result<T, TaskError> {
    T::deserialize(answer).map_err(|error| {
        TaskError::permanent(format!("the answer of task {task:?} does not fit: {error}"))
            .with_code("invalid_answer")
    })
}

/// Whether the answers of a question can be a `T`. A text or a number may still be one that is none.
fn check_type<T: DeserializeOwned>(question: &Question) -> Result<(), String> {
    let read = |answer: Value| T::deserialize(answer).map(drop);
    let all_fit = |answers: Vec<Value>| {
        let mut errors = answers.into_iter().filter_map(|answer| read(answer).err());
        errors.next().map_or(Ok(()), |error| Err(error.to_string()))
    };
    match &question.kind {
        AnswerKind::YesNo => all_fit(vec![true.into(), false.into()])?,
        AnswerKind::Choice { choices } => {
            all_fit(choices.iter().map(|text| Value::from(&**text)).collect())?;
        }
        AnswerKind::Number => {
            let some = [Value::from(1), Value::from(-1), Value::from(0.5)];
            let errors: Vec<_> = some.into_iter().map_while(|one| read(one).err()).collect();
            if let [first, _, _] = &errors[..] {
                return Err(first.to_string());
            }
        }
        AnswerKind::Text => match read("text".into()) {
            // The type itself is wrong, and not this text.
            Err(error) if error.to_string().starts_with("invalid type") => {
                return Err(error.to_string());
            }
            Ok(()) | Err(_) => {}
        },
    }
    let Some((_, answer)) = &question.fallback else {
        return Ok(());
    };
    let answer = answer.to_value().map_err(|error| error.to_string())?;
    read(answer).map_err(|error| format!("the default answer: {error}"))
}
