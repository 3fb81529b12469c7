//! Codes of the problems of a plan. Those of its graph are in [`zeph_graph::wire::code`].

pub use zeph_diagnostics::code::{
    BAD_DURATION, BAD_VALUE, DUPLICATE_KEY, MISSING_KEY, NESTED_TOO_DEEPLY, NOT_UTF8, SYNTAX,
    TOO_LARGE, UNKNOWN_KEY, WRONG_TYPE, YAML_FEATURE,
};

zeph_diagnostics::codes! {
    /// A key has no meaning on this kind of task, or beside another key.
    MISPLACED_KEY = "misplaced_key",
    /// The plan has no task.
    NO_TASKS = "no_tasks",
    /// `earlier` names a task of this plan, or the plan is a run of its own.
    EARLIER_TASK = "earlier_task",
    /// A task has two of `run`, `shell`, `prompt` and `ask`.
    TWO_KINDS_OF_WORK = "two_kinds_of_work",
    /// An expression is not closed or cannot be parsed.
    BAD_EXPRESSION = "bad_expression",
    /// The evaluation of an expression failed.
    EXPRESSION_FAILED = "expression_failed",
    /// An expression uses a name that does not exist.
    UNKNOWN_NAME = "unknown_name",
    /// No parameter has that name.
    UNKNOWN_PARAM = "unknown_param",
    /// An expression uses a task that does not exist.
    UNKNOWN_TASK = "unknown_task",
    /// An expression uses a task that is not in `needs`.
    NOT_A_NEED = "not_a_need",
    /// An expression uses an output that this kind of task does not have.
    NO_SUCH_OUTPUT = "no_such_output",
    /// Expressions, or outputs of tasks in them, cannot be used here.
    EXPRESSION_NOT_ALLOWED = "expression_not_allowed",
    /// A value would be run as code.
    UNSAFE_INTERPOLATION = "unsafe_interpolation",
    /// A secret would be stored or shown.
    SECRET_EXPOSED = "secret_exposed",
    /// A result with `cache` would depend on a secret.
    SECRET_IN_CACHE = "secret_in_cache",
    /// A parameter without a default was not given.
    MISSING_PARAM = "missing_param",
    /// The value of a parameter is not of its type, or not one of its choices.
    BAD_PARAM = "bad_param",
    /// An env file cannot be read, or a line of it is not an assignment.
    BAD_ENV_FILE = "bad_env_file",
    /// A plan or an included file cannot be read, is refused, or contains itself.
    BAD_PLAN_FILE = "bad_plan_file",
    /// A warning: a failure that aborts the run keeps a task from running that is to run in any case.
    SKIPPED_BY_ABORT = "skipped_by_abort",
    /// A warning: no task reads the answer to a question with yes or no, so "no" stops nothing.
    UNREAD_ANSWER = "unread_answer",
    /// A warning: a program may take the output of a task for an option.
    MAY_BE_OPTION = "may_be_option",
    /// A warning: the output of a task decides in which folder a command runs.
    UNTRUSTED_FOLDER = "untrusted_folder",
}
