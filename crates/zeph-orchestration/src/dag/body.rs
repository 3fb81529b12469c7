//! Bodies: the closures that run for a task, and the values that they return.

use std::any::Any;
use std::error::Error;
use std::fmt::Display;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;
use zeph_executor::{TaskError, TaskOutput};

use super::attempt::AttemptContext;

/// Code for a task: a closure without arguments, or one that takes `&AttemptContext`.
///
/// It is called once for each attempt, on any free thread. An attempt that ignores its cancellation may
/// still be running when the next one starts, so a body is `Fn` and `Sync`. `Marker` is inferred; it
/// distinguishes the two forms.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the body of a task",
    note = "write `|| ...` or `|work: &AttemptContext| ...`, with the type of the argument",
    note = "it must be `Fn + Send + Sync + 'static` and return `()`, a simple value, or a `Result`",
    note = "for another type that serializes write `Ok::<_, TaskError>(value)`"
)]
pub trait Body<Marker>: Send + Sync + 'static {
    /// Runs one attempt.
    ///
    /// # Errors
    /// The error of the closure; its class decides whether the attempt is repeated.
    fn attempt(&self, work: &AttemptContext) -> Result<Value, TaskError>;
}

impl<F, R> Body<fn() -> R> for F
where
    F: Fn() -> R + Send + Sync + 'static,
    R: BodyResult,
{
    fn attempt(&self, _work: &AttemptContext) -> Result<Value, TaskError> {
        self().into_result()
    }
}

impl<F, R> Body<fn(&AttemptContext) -> R> for F
where
    F: Fn(&AttemptContext) -> R + Send + Sync + 'static,
    R: BodyResult,
{
    fn attempt(&self, work: &AttemptContext) -> Result<Value, TaskError> {
        self(work).into_result()
    }
}

/// The return types of a body: `()`, a simple value, or a `Result` of anything that serializes.
///
/// Any error that can be printed counts as retryable; a [`TaskError`] has its own class.
pub trait BodyResult {
    /// The result as a value. `null` counts as "no value".
    ///
    /// # Errors
    /// The error of the body, or that its value has no JSON form.
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

/// A body of either form.
pub(crate) type AnyBody = Arc<dyn Fn(&AttemptContext) -> Result<Value, TaskError> + Send + Sync>;

pub(crate) fn any_body<M: 'static>(body: impl Body<M>) -> AnyBody {
    Arc::new(move |work| body.attempt(work))
}

/// Turns any error that can be printed into the error of an attempt. The class is kept if it has one,
/// and the causes that can be reached become part of the text.
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

#[cfg(test)]
mod tests {
    use super::*;
    use zeph_executor::ErrorClass;

    fn call<M: 'static>(body: impl Body<M>) -> Result<Value, TaskError> {
        let work = AttemptContext {
            task: zeph_graph::TaskId::from_index(0),
            attempt: zeph_graph::Attempt::FIRST,
            name: "t".into(),
            action: "t".into(),
            params: zeph_graph::Params::from_json_text("[1]"),
            inputs: Arc::default(),
            item: None,
            outcome: None,
            previous_error: None,
            cancel: super::super::attempt::CancelFlag::default(),
        };
        any_body(body)(&work)
    }

    #[test]
    fn bodies_have_two_forms_and_many_results() {
        assert_eq!(call(|| ()).unwrap(), Value::Null);
        assert_eq!(call(|| "text").unwrap(), "text");
        assert_eq!(call(|work: &AttemptContext| work.name().len()).unwrap(), 1);
        let params = call(|work: &AttemptContext| work.params_as::<Vec<u8>>());
        assert_eq!(params.unwrap(), serde_json::json!([1]));
        let error = call(|work: &AttemptContext| work.input_as::<u8>("p")).unwrap_err();
        assert_eq!(error.code(), "missing_input");
    }

    #[test]
    fn an_error_keeps_its_class_and_its_causes() {
        let error = call(|| Err::<(), _>(TaskError::refused("no"))).unwrap_err();
        assert_eq!(error.class(), ErrorClass::Refused);
        let error = call(|| Err::<(), _>("plain")).unwrap_err();
        assert_eq!(
            (error.class(), error.message()),
            (ErrorClass::Retryable, "plain")
        );
        let boxed = || -> Result<(), Box<dyn Error + Send + Sync>> {
            Err(Box::new(std::io::Error::other(Outer)))
        };
        let text = call(boxed).unwrap_err().message().to_owned();
        assert_eq!(text, format!("outer: {}", std::fmt::Error));
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
