//! Building graphs: refused input and normalised input.

use std::collections::BTreeMap;
use std::panic;
use std::sync::{Mutex, Once};
use std::time::Duration;

use crate::{
    AddError, Approval, AskFailure, FailureAnswer, OnFailure, Params, Question, Task, TaskGraph,
    TaskId, Work,
};

/// The message and the file of the panic of an action.
fn panic_of(action: impl FnOnce() + panic::UnwindSafe) -> (String, String) {
    /// The files of all panics so far, by message. Tests panic side by side.
    static FILES: Mutex<BTreeMap<String, String>> = Mutex::new(BTreeMap::new());
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if let (Some(message), Some(at)) = (info.payload_as_str(), info.location()) {
                let (message, file) = (message.to_owned(), at.file().to_owned());
                FILES.lock().unwrap().insert(message, file);
            }
            before(info);
        }));
    });
    let payload = panic::catch_unwind(action).unwrap_err();
    let message = payload.downcast_ref::<String>().unwrap().clone();
    let file = FILES.lock().unwrap()[&message].clone();
    (message, file)
}

#[test]
fn an_id_of_another_graph_panics_at_the_caller() {
    let mut other = TaskGraph::new();
    let stranger = other.add_task("stranger", []);
    let (message, file) = panic_of(move || {
        let mut graph = TaskGraph::new();
        graph.add_task("own", []);
        graph.add_task("task", [stranger]);
    });
    assert!(
        message.contains("\"task\" depends on t0, which is an id of another graph"),
        "{message}"
    );
    assert_eq!(file, file!());
}

#[test]
fn asking_for_a_task_of_another_graph_panics_at_the_caller() {
    let mut other = TaskGraph::new();
    let stranger = other.add_task("stranger", []);
    let mut graph = TaskGraph::new();
    graph.add_task("own", []);
    assert!(graph.get(stranger).is_none());
    let (message, file) = panic_of(move || {
        let _ = graph.task(stranger);
    });
    assert_eq!(message, "t0 is not a task of this graph");
    assert_eq!(file, file!());
}

#[test]
fn an_unmarked_id_is_taken_by_position() {
    let mut graph = TaskGraph::new();
    graph.add_task("a", []);
    let b = graph.try_add_task("b", [TaskId::from_index(0)]).unwrap();
    assert_eq!(graph.parents(b), [TaskId::from_index(0)]);
    let ahead = graph.try_add_task("c", [TaskId::from_index(2)]);
    assert!(matches!(ahead, Err(AddError::ForeignTask { .. })));
}

#[test]
fn a_clone_takes_the_ids_of_its_original() {
    let mut graph = TaskGraph::new();
    let a = graph.add_task("a", []);
    let mut copy = graph.clone();
    let b = copy.add_task("b", [a]);
    assert_eq!((copy.len(), graph.len()), (2, 1));
    assert!(!graph.contains(b));
}

#[test]
fn a_refused_task_changes_nothing() {
    let mut graph = TaskGraph::new();
    let a = graph.add_task("a", []);
    let stranger = TaskGraph::new().add_task("stranger", []);
    assert!(graph.try_add_task("b", [a, stranger]).is_err());
    assert!(graph.try_add_task("a", [a]).is_err());
    assert_eq!((graph.len(), graph.edge_count()), (1, 0));
    let b = graph.add_task("b", [a]);
    assert_eq!(graph.parents(b), [a]);
    assert_eq!(graph.find("b"), Some(b));
}

#[test]
fn names_are_unique_short_and_printable() {
    let mut graph = TaskGraph::new();
    graph.add_task("a", []);
    let taken = AddError::DuplicateName { name: "a".into() };
    assert_eq!(graph.try_add_task("a", []), Err(taken));
    let long = "x".repeat(200);
    for bad in ["", "a\nb", "\u{1b}[31m", &format!("{long}x")] {
        let refused = graph.try_add_task(bad, []);
        assert!(matches!(refused, Err(AddError::BadName { .. })), "{bad:?}");
    }
    // Graphs built in code may use any case and punctuation, unlike untrusted graphs.
    for fine in ["A", long.as_str(), "ä/ö <b>"] {
        graph.add_task(fine, []);
    }
}

#[test]
fn a_time_out_of_zero_is_refused_wherever_it_is() {
    let zero = Duration::ZERO;
    let mut graph = TaskGraph::new();
    let ask = AskFailure {
        fallback: Some((zero, FailureAnswer::Skip)),
    };
    let approval = Approval {
        text: "Go on?".into(),
        fallback: Some((zero, true)),
        tools: std::collections::BTreeSet::new(),
    };
    let question = Question::text("Who?").default_after(zero, Params::none());
    let tasks = [
        Task::new("t").timeout(zero),
        Task::new("t").total_timeout(zero),
        Task::new("t").on_failure(OnFailure::Ask(ask)),
        Task::new("t").approve(approval),
        Task::new("t").question(question),
    ];
    for task in tasks {
        let refused = graph.try_add_task(task.clone(), []);
        assert!(
            matches!(refused, Err(AddError::ZeroTimeout { .. })),
            "{task:?}"
        );
    }
    let nano = Duration::from_nanos(1);
    graph.add_task(
        Task::new("t").timeout(nano).total_timeout(Duration::MAX),
        [],
    );
}

#[test]
fn lanes_have_capacity_and_weights_fit() {
    let mut graph = TaskGraph::new();
    assert_eq!(
        graph.try_add_lane("disk", 0),
        Err(AddError::ZeroCapacity {
            lane: "disk".into()
        })
    );
    let disk = graph.add_lane("disk", 2);
    assert!(matches!(
        graph.try_add_lane("disk", 1),
        Err(AddError::DuplicateName { .. })
    ));
    for weight in [0, 3] {
        let refused = graph.try_add_task(Task::new("t").lane_weight(disk, weight), []);
        assert!(matches!(
            refused,
            Err(AddError::BadWeight { capacity: 2, .. })
        ));
    }
    let twice = graph.try_add_task(Task::new("t").lane(disk).lane(disk), []);
    assert!(matches!(twice, Err(AddError::RepeatedLane { .. })));
    let unknown = crate::LaneId::from_index(1);
    let refused = graph.try_add_task(Task::new("t").lane(unknown), []);
    assert!(matches!(refused, Err(AddError::UnknownLane { .. })));
    graph.add_task(Task::new("t").lane_weight(disk, 2), []);
    assert_eq!(graph.find_lane("disk"), Some(disk));
}

#[test]
fn a_dependency_listed_twice_counts_once_in_the_given_order() {
    let mut graph = TaskGraph::new();
    let ids: Vec<TaskId> = (0..40)
        .map(|i| graph.add_task(format!("t{i}"), []))
        .collect();
    let few = graph.add_task("few", [ids[3], ids[1], ids[3], ids[1], ids[2]]);
    assert_eq!(graph.parents(few), [ids[3], ids[1], ids[2]]);
    let backwards: Vec<TaskId> = ids.iter().rev().copied().collect();
    let doubled = backwards.iter().chain(&ids).copied();
    let many = graph.add_task("many", doubled);
    assert_eq!(graph.parents(many), backwards);
    let links = graph.links();
    assert_eq!(links.children(ids[3]), [few, many]);
    assert_eq!(links.children(ids[0]), [many]);
}

#[test]
fn default_rules_are_shared_and_set_ones_are_kept() {
    let plain = Task::new("t");
    assert_eq!(plain.clone().with_rules(plain.rules().clone()), plain);
    let task = Task::new("t")
        .retries(3)
        .priority(-2)
        .meta("why", "because");
    assert_eq!(task.rules().retry.max_retries, 3);
    assert_eq!(task.rules().priority, -2);
    assert_eq!(task.rules().metadata["why"], "because");
}

#[test]
fn work_can_be_set_later() {
    let mut graph = TaskGraph::new();
    let id = graph.add_task("t", []);
    assert_eq!(*graph.task(id).work(), Work::Milestone);
    let work = Work::Question(Box::new(Question::confirm("Sure?")));
    graph.set_work(id, work.clone());
    assert_eq!(*graph.task(id).work(), work);
}
