//! Body: the closures that do the work, and what they may return.

use std::any::Any;
use std::error::Error;
use std::fmt::Display;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;
use zeph_executor::{ErrorClass, TaskError, TaskOutput};
use zeph_graph::Fault;

use super::assignment::Assignment;

/// Code for a task: a closure without arguments, or one that takes `&Assignment`.
///
/// It is called once for each attempt, each time on whatever thread is free. An attempt that ignores
/// its cancellation may still be running when the next one begins, so a body is `Fn` and `Sync`.
/// `Marker` is inferred; it only tells the two forms apart.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the body of a task",
    note = "write `|| ...` or `|work: &Assignment| ...`, with the type of the argument",
    note = "it must be `Fn + Send + Sync + 'static` and return `()`, a simple value, or a `Result`",
    note = "for another type that serializes write `Ok::<_, TaskError>(value)`"
)]
pub trait Body<Marker>: Send + Sync + 'static {
    /// Makes one attempt.
    ///
    /// # Errors
    /// Whatever the closure says; [`TaskError`] decides whether a retry may mend it.
    fn attempt(&self, work: &Assignment) -> Result<Value, TaskError>;
}

impl<F, R> Body<fn() -> R> for F
where
    F: Fn() -> R + Send + Sync + 'static,
    R: BodyResult,
{
    fn attempt(&self, _work: &Assignment) -> Result<Value, TaskError> {
        self().into_result()
    }
}

impl<F, R> Body<fn(&Assignment) -> R> for F
where
    F: Fn(&Assignment) -> R + Send + Sync + 'static,
    R: BodyResult,
{
    fn attempt(&self, work: &Assignment) -> Result<Value, TaskError> {
        self(work).into_result()
    }
}

/// What a body may return: nothing, a simple value, or a `Result` of anything that serializes.
///
/// The error may be anything that can be printed. It counts as retryable; a [`TaskError`] says itself
/// whether it is.
pub trait BodyResult {
    /// The result as a value. `null` counts as "no value".
    ///
    /// # Errors
    /// What the body said, or that its value has no JSON form.
    fn into_result(self) -> Result<Value, TaskError>;
}

impl<T: Serialize, E: Display + 'static> BodyResult for Result<T, E> {
    fn into_result(self) -> Result<Value, TaskError> {
        match self {
            Ok(value) => Ok(TaskOutput::from_serialize(&value)?.value),
            Err(error) => Err(error_of(error)),
        }
    }
}

macro_rules! simple {
    ($($type:ty),*) => {
        $(impl BodyResult for $type {
            fn into_result(self) -> Result<Value, TaskError> {
                Ok(Value::from(self))
            }
        })*
    };
}
simple!(
    (),
    bool,
    i8,
    i16,
    i32,
    i64,
    isize,
    u8,
    u16,
    u32,
    u64,
    usize,
    f32,
    f64,
    &'static str,
    String,
    Value
);

impl<T: Serialize> BodyResult for Vec<T> {
    fn into_result(self) -> Result<Value, TaskError> {
        Ok(TaskOutput::from_serialize(&self)?.value)
    }
}

impl<T: Serialize> BodyResult for Option<T> {
    fn into_result(self) -> Result<Value, TaskError> {
        Ok(TaskOutput::from_serialize(&self)?.value)
    }
}

/// A body whose form is forgotten.
pub(crate) type AnyBody = Arc<dyn Fn(&Assignment) -> Result<Value, TaskError> + Send + Sync>;

pub(crate) fn any_body<M: 'static>(body: impl Body<M>) -> AnyBody {
    Arc::new(move |work| body.attempt(work))
}

/// Anything that can be printed, as the error of an attempt: its class is kept if it has one, and the
/// causes that can still be reached are told.
pub(crate) fn error_of<E: Display + 'static>(error: E) -> TaskError {
    let any: &dyn Any = &error;
    if let Some(error) = any.downcast_ref::<TaskError>() {
        return error.clone();
    }
    let shared = any.downcast_ref::<Box<dyn Error + Send + Sync>>();
    let boxed: Option<&dyn Error> = match any.downcast_ref::<Box<dyn Error>>() {
        Some(error) => Some(&**error),
        None => shared.map(|error| &**error as &dyn Error),
    };
    let mut text = format!("{error:#}");
    let mut cause = boxed.and_then(Error::source);
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    TaskError::retryable(text)
}

/// What an error means to the machine.
pub(crate) fn fault_of(error: &TaskError) -> Fault {
    match error.class() {
        ErrorClass::Retryable | ErrorClass::Cancelled => Fault::Error,
        ErrorClass::Permanent => Fault::Permanent,
        ErrorClass::Refused => Fault::Refused,
        ErrorClass::OverBudget => Fault::Budget,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn say<M: 'static>(body: impl Body<M>) -> Result<Value, TaskError> {
        let work = Assignment {
            task: zeph_graph::TaskId::from_index(0),
            attempt: zeph_graph::Attempt::FIRST,
            name: "t".into(),
            action: "t".into(),
            params: zeph_graph::Params::from_json_text("[1]"),
            inputs: Arc::default(),
            stop: super::super::stop::Stop::default(),
        };
        any_body(body)(&work)
    }

    #[test]
    fn bodies_have_two_forms_and_many_results() {
        assert_eq!(say(|| ()).unwrap(), Value::Null);
        assert_eq!(say(|| "text").unwrap(), "text");
        assert_eq!(say(|work: &Assignment| work.name().len()).unwrap(), 1);
        let params = say(|work: &Assignment| work.params_as::<Vec<u8>>());
        assert_eq!(params.unwrap(), serde_json::json!([1]));
        let error = say(|work: &Assignment| work.input_as::<u8>("p")).unwrap_err();
        assert_eq!(error.code(), "missing_input");
    }

    #[test]
    fn an_error_keeps_its_class_and_its_causes() {
        let error = say(|| Err::<(), _>(TaskError::refused("no"))).unwrap_err();
        assert_eq!(fault_of(&error), Fault::Refused);
        let error = say(|| Err::<(), _>("plain")).unwrap_err();
        assert_eq!((fault_of(&error), error.message()), (Fault::Error, "plain"));
        let boxed = || -> Result<(), Box<dyn Error + Send + Sync>> {
            Err(Box::new(std::io::Error::other(Outer)))
        };
        let told = say(boxed).unwrap_err().message().to_owned();
        assert_eq!(told, format!("outer: {}", std::fmt::Error));
    }

    #[derive(Debug)]
    struct Outer;
    impl Display for Outer {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("outer")
        }
    }
    impl Error for Outer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            static INNER: std::fmt::Error = std::fmt::Error;
            Some(&INNER)
        }
    }
}
