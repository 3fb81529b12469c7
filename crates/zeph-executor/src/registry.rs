//! Finding an executor: by the action's name, or by the task's.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::Executor;

/// The registered executors of a driver.
///
/// An action's executor runs any number of tasks of any graph; a body is bound to one task by its name.
/// For a task with both, [`find`](Self::find) returns the body.
#[derive(Clone, Default)]
pub struct Registry {
    actions: BTreeMap<String, Arc<dyn Executor>>,
    bodies: BTreeMap<String, Arc<dyn Executor>>,
}

/// A name that an executor already has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} {name:?} has an executor already; give the second one another name")]
pub struct AlreadyRegistered {
    /// `action` or `task`.
    pub kind: &'static str,
    /// The name in question.
    pub name: String,
}

impl Registry {
    /// An empty registry.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Registers the executor of an action.
    ///
    /// # Errors
    /// If the name is taken; the first executor is kept.
    pub fn register(
        &mut self,
        action: impl Into<String>,
        executor: Arc<dyn Executor>,
    ) -> Result<(), AlreadyRegistered> {
        insert(&mut self.actions, "action", action.into(), executor)
    }

    /// Binds an executor to the task of that name.
    ///
    /// # Errors
    /// If the task has a body already; the first one is kept.
    pub fn bind(
        &mut self,
        task: impl Into<String>,
        executor: Arc<dyn Executor>,
    ) -> Result<(), AlreadyRegistered> {
        insert(&mut self.bodies, "task", task.into(), executor)
    }

    /// The executor of an action.
    #[must_use]
    pub fn get(&self, action: &str) -> Option<&Arc<dyn Executor>> {
        self.actions.get(action)
    }

    /// The body that is bound to a task.
    #[must_use]
    pub fn body(&self, task: &str) -> Option<&Arc<dyn Executor>> {
        self.bodies.get(task)
    }

    /// The executor of a task: its body, else the executor of its action.
    #[must_use]
    pub fn find(&self, task: &str, action: Option<&str>) -> Option<&Arc<dyn Executor>> {
        self.body(task).or_else(|| self.get(action?))
    }

    /// The names of the actions, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.actions.keys().map(String::as_str)
    }

    /// The names of the tasks that have a body, in order.
    pub fn bodies(&self) -> impl Iterator<Item = &str> {
        self.bodies.keys().map(String::as_str)
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry")
            .field("actions", &self.actions.keys())
            .field("bodies", &self.bodies.keys())
            .finish()
    }
}

fn insert(
    map: &mut BTreeMap<String, Arc<dyn Executor>>,
    kind: &'static str,
    name: String,
    executor: Arc<dyn Executor>,
) -> Result<(), AlreadyRegistered> {
    if map.contains_key(&name) {
        return Err(AlreadyRegistered { kind, name });
    }
    map.insert(name, executor);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{AlreadyRegistered, Registry};
    use crate::{TaskError, closure};

    #[test]
    fn a_name_is_given_once() {
        let echo = || closure::action(|value: i64| async move { Ok::<_, TaskError>(value) });
        let mut registry = Registry::new();
        assert_eq!(registry.register("echo", echo()), Ok(()));
        let taken = AlreadyRegistered {
            kind: "action",
            name: "echo".to_owned(),
        };
        assert_eq!(registry.register("echo", echo()), Err(taken));
        assert_eq!(registry.bind("echo", echo()), Ok(()));
        assert!(
            registry
                .bind("echo", echo())
                .is_err_and(|error| error.kind == "task")
        );
        assert_eq!(registry.names().collect::<Vec<_>>(), ["echo"]);
    }

    #[test]
    fn a_body_goes_before_the_action() {
        let echo = || closure::action(|value: i64| async move { Ok::<_, TaskError>(value) });
        let mut registry = Registry::new();
        let both = registry
            .register("echo", echo())
            .and(registry.bind("one", echo()));
        assert_eq!(both, Ok(()));
        let is_body = |found: Option<&std::sync::Arc<dyn crate::Executor>>| {
            found
                .zip(registry.body("one"))
                .map(|(a, b)| std::sync::Arc::ptr_eq(a, b))
        };
        assert_eq!(is_body(registry.find("one", Some("echo"))), Some(true));
        assert_eq!(is_body(registry.find("two", Some("echo"))), Some(false));
        assert!(registry.find("two", None).is_none());
    }
}
