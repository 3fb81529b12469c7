//! Planted: bugs put in on purpose, to prove that the simulator finds them. None without the feature.
//!
//! A place of the machine asks `planted!(7)`, which is `false` at compile time in a build without the
//! feature `planted`, and in a build with it until somebody [`choose`]s that bug.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

/// The bugs, by number.
pub const BUGS: &[(u8, &str)] = &[
    (1, "all_success fires although a parent failed"),
    (2, "a trigger fires when the first of several parents ends"),
    (3, "what depends on a skipped task is not looked at"),
    (4, "only tasks without parents wait for their approval"),
    (5, "permanent errors are retried"),
    (6, "one retry too many"),
    (7, "Retry-After is ignored"),
    (8, "the back-off may be shorter than its base"),
    (9, "abort fails the task and lets the run go on"),
    (10, "dependants are not told of a substitute value"),
    (11, "dependants are not told of a cancelled task"),
    (12, "a cancel of what is being stopped cancels it twice"),
    (13, "a downstream cancel leaves out the grandchildren"),
    (14, "attempts cut by a suspension are not told to end"),
    (
        15,
        "an ending run forgets tasks when two questions are open",
    ),
    (16, "the second suspend leaves the last attempt running"),
    (17, "attempts being stopped at a crash are never cut"),
    (18, "open questions are not put again after a restart"),
    (19, "the share of the slots is ignored"),
    (20, "one attempt more than max_parallel"),
    (21, "a run with substituted results counts as completed"),
    (22, "a task time-out is retried like that of an attempt"),
    (23, "one timer an event, however many are due"),
    (24, "a timer fires only after its time"),
    (25, "an attempt that was given up counts as stopped"),
    (26, "work starts although the run is paused"),
    (27, "a cancel with another reason restarts the grace"),
    (28, "a suspension costs a retry"),
    (29, "attempts that were given up are not counted"),
    (30, "a person's retry gets no time after a task time-out"),
    (31, "task clocks run in a pause"),
    (32, "clocks run while the process is away"),
    (33, "an attempt that was stopped keeps its lanes"),
    (34, "the question of a cancelled task stays open"),
    (35, "a person's retry is not counted apart"),
    (36, "a late success after a cancel or time-out counts"),
    (37, "jitter differs between two runs of a seed"),
    (
        38,
        "the report of an old attempt counts for the running one",
    ),
    (39, "at_most_once runs again after a crash"),
    (40, "nobody is told that an attempt was given up"),
    (41, "at_most_once runs again after it ignored its time-out"),
    (42, "an interrupted at_most_once is repeated by default"),
    (43, "dependants are not told that a task was declined"),
    (44, "priorities are ignored"),
    (45, "the critical path is ignored"),
    (46, "tasks that wait for a second lane are not woken"),
    (47, "a better task does not overtake one in its lanes"),
    (48, "time goes backwards with the clock"),
    (49, "two batches are out at the same time"),
    (50, "no deadline in a pause"),
    (51, "a recovered machine does not wait for its resumption"),
    (52, "explain does not mention the pause"),
    (53, "a person's retry grants one more retry"),
    (
        54,
        "an attempt that ends gives its reservations back unspent",
    ),
    (55, "what is reserved does not count when more is reserved"),
    (56, "a task's own budget is ignored"),
    (
        57,
        "what a call spent beyond its reservation is not counted",
    ),
    (58, "a budget at its limit goes by the task's strategy"),
    (59, "a budget at its limit is worth a retry"),
    (
        60,
        "the strategy's default answers the question about a budget",
    ),
    (61, "a budget that is set anew is not recorded"),
    (
        62,
        "an attempt that ends settles only one of its reservations",
    ),
    (63, "a task may propose again and again"),
    (64, "a new task waits for parents that have ended"),
    (65, "a parent that failed before does not spoil a new task"),
    (66, "new tasks are not looked at until a parent ends"),
    (67, "new tasks have no place on the critical path"),
    (68, "new tasks have no priority"),
    (69, "new tasks use no lanes"),
    (70, "a patch is taken from an attempt that is being stopped"),
    (71, "an old attempt reserves on"),
];

static CHOSEN: AtomicU8 = AtomicU8::new(0);
static NOISE: AtomicU64 = AtomicU64::new(0);

/// Puts that bug into every machine of this process; 0 takes it out.
pub fn choose(number: u8) {
    CHOSEN.store(number, Ordering::Relaxed);
}

pub(crate) fn is(number: u8) -> bool {
    CHOSEN.load(Ordering::Relaxed) == number
}

/// Another number each time while that bug is chosen, else 0.
pub(crate) fn noise(number: u8) -> u64 {
    if is(number) {
        NOISE.fetch_add(1, Ordering::Relaxed)
    } else {
        0
    }
}
