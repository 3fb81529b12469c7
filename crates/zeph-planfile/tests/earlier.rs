//! `earlier`: plans whose tasks need tasks of the run that they are added to.

use std::collections::BTreeMap;

use zeph_planfile::{BoundPlan, Format, Plan};

fn bound(text: &str) -> BoundPlan {
    let plan = Plan::load(text, Format::Toml, "plan").expect("it is in order");
    plan.bind(&BTreeMap::new()).expect("it has no parameters")
}

#[test]
fn tasks_may_need_earlier_ones_which_are_not_added() {
    let plan = bound(
        r#"
        earlier = ["rain"]
        [tasks.report]
        needs = ["rain", "map"]
        prompt = "Write: ${{ tasks.rain.value }}"
        [tasks.map]
        run = ["map"]
        "#,
    );
    let added = plan.added_tasks().expect("they can be added");
    let tasks = added.tasks.iter();
    let tasks: Vec<_> = tasks.map(|task| (&*task.name, &task.needs[..])).collect();
    let needs = ["rain".to_owned(), "map".to_owned()];
    assert_eq!(tasks, [("report", &needs[..]), ("map", &[])]);
    // It is no plan for a run of its own.
    let problems = plan.graph().unwrap_err();
    let codes: Vec<&str> = problems.iter().map(|one| one.code.text()).collect();
    assert_eq!(codes, ["earlier_task"]);
}

#[test]
fn only_what_is_named_is_needed_and_a_name_has_one_meaning() {
    for (text, wanted) in [
        (
            "[tasks.a]\nneeds = ['rain']\nrun = ['x']",
            "unknown_dependency",
        ),
        ("earlier = ['a']\n[tasks.a]\nrun = ['x']", "earlier_task"),
        ("earlier = [3]\n[tasks.a]\nrun = ['x']", "wrong_type"),
        ("earlier = ['a']", "no_tasks"),
    ] {
        let problems = Plan::load(text, Format::Toml, "plan").unwrap_err();
        let codes: Vec<&str> = problems.iter().map(|one| one.code.text()).collect();
        assert_eq!(codes, [wanted], "{text}");
    }
}
