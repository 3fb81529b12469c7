//! Codes of the problems of an untrusted graph.

zeph_diagnostics::codes! {
    /// The format has a version that this program cannot read.
    UNKNOWN_VERSION = "unknown_version",
    /// There are more tasks than allowed.
    TOO_MANY_TASKS = "too_many_tasks",
    /// A path from a root has more tasks than allowed.
    TOO_DEEP = "too_deep",
    /// A task depends on more tasks than allowed.
    TOO_MANY_NEEDS = "too_many_needs",
    /// There are more lanes than allowed.
    TOO_MANY_LANES = "too_many_lanes",
    /// A name is empty, too long, or has characters that are not safe to show.
    BAD_NAME = "bad_name",
    /// Two tasks have one name.
    DUPLICATE_NAME = "duplicate_name",
    /// Two names differ only in upper and lower case.
    CASE_FOLDED_DUPLICATE = "case_folded_duplicate",
    /// No task has that name.
    UNKNOWN_DEPENDENCY = "unknown_dependency",
    /// A task depends on itself.
    SELF_DEPENDENCY = "self_dependency",
    /// A task that does not run at the end depends on one that does.
    NEEDS_FINALIZER = "needs_finalizer",
    /// Tasks depend on each other in a cycle.
    CYCLE = "cycle",
    /// A time-out or the wait of a default answer is zero.
    ZERO_TIMEOUT = "zero_timeout",
    /// A task that runs for each item of a list has no work to repeat, no items, or asks about its failure.
    BAD_FOREACH = "bad_foreach",
    /// A task cannot run in place of another one: it does not exist, has dependencies or dependants, or is taken.
    BAD_FALLBACK = "bad_fallback",
    /// The longest wait before a retry is shorter than the shortest.
    RETRY_CAP_BELOW_BASE = "retry_cap_below_base",
    /// A default answer is not one that its question accepts.
    BAD_DEFAULT = "bad_default",
    /// A question has no choices, or one twice.
    BAD_CHOICES = "bad_choices",
    /// A lane has no capacity.
    ZERO_CAPACITY = "zero_capacity",
    /// Two lanes have one name, or a task lists one twice.
    DUPLICATE_LANE = "duplicate_lane",
    /// A patch declares a lane.
    LANE_IN_PATCH = "lane_in_patch",
    /// A task is in two shared lanes, or has a weight in one; or a shared lane has too many units.
    SHARED_LANE = "shared_lane",
    /// A patch removes a task that it cannot remove: none of that name, one that has started or ended, or one that
    /// another task still needs.
    BAD_REMOVAL = "bad_removal",
    /// No lane has that name.
    UNKNOWN_LANE = "unknown_lane",
    /// A weight is 0, or above the lane's capacity.
    BAD_WEIGHT = "bad_weight",
}
