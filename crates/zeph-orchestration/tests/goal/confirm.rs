//! Plans and people: approved, edited, rejected with feedback, left for later, rounds that end.

use std::sync::{Arc, Mutex};

use zeph_orchestration::llm::Reply;
use zeph_orchestration::planner::plan::Adopted;
use zeph_orchestration::{
    Confirm, Decision, OrchestratorError, Question, RunEnd, RunOutcome, RunState, Task, TaskGraph,
    Work,
};

use crate::script::{
    ANSWER, GOAL, PLAN, asked, asks_for_a_plan, builder, model, planning, run, says,
};

/// Returns the scripted decisions in order, and records the texts of the questions.
fn scripted(verdicts: Vec<Decision>) -> (Confirm, Arc<Mutex<Vec<String>>>) {
    let questions: Arc<Mutex<Vec<String>>> = Arc::default();
    let kept = Arc::clone(&questions);
    let verdicts = Arc::new(Mutex::new(verdicts.into_iter()));
    let confirm = Confirm::with(move |proposal| {
        kept.lock().unwrap().push(proposal.text);
        let verdict = verdicts.lock().unwrap().next();
        async move { verdict.unwrap_or(Decision::Later) }
    });
    (confirm, questions)
}

#[tokio::test]
async fn an_approved_plan_runs_to_an_answer() {
    let model = planning();
    let (confirm, questions) = scripted(vec![Decision::Approve]);
    let report = run(builder(&model).confirm(confirm)).await;

    assert_eq!(report.end(), Some(RunEnd::Completed));
    let names: Vec<&str> = report.tasks.iter().map(|task| &*task.name).collect();
    assert_eq!(
        names,
        [
            "plan", "confirm", "adopt", "rain", "wind", "report", "answer"
        ]
    );
    let answer = report.answer.as_ref().unwrap();
    assert_eq!((answer.text.as_str(), answer.cut), (ANSWER, false));
    assert_eq!(report.plan.as_ref().unwrap().estimate.tasks, 3);
    assert!(matches!(report.adopted, Some(Adopted::Approved { .. })));
    assert!(report.spent.tokens > 0);
    assert_eq!(questions.lock().unwrap().len(), 1);
    assert!(model.violations().is_empty(), "{:?}", model.violations());
    let requests = model.requests();
    let mut prompts = requests.iter().filter_map(|one| one.messages.last());
    let begin = format!("Goal of the whole run:\n{GOAL}\n");
    let rain = prompts.find(|one| one.text().starts_with(&begin));
    let text = rain.map_or("", |one| one.text());
    assert!(
        text.contains("Your result is for the task report"),
        "{text}"
    );
}

#[tokio::test]
async fn an_edited_plan_runs_in_its_place() {
    let model = planning();
    let edited = "[tasks.rain]\nprompt = 'Tell of the rain.'\n[tasks.report]\nneeds = ['rain']\nprompt = 'Write it up.'";
    let broken = "[tasks.rain]\npromt = 'Tell of the rain.'";
    let (confirm, questions) = scripted(vec![
        Decision::Edit(broken.to_owned()),
        Decision::Edit(edited.to_owned()),
    ]);
    let report = run(builder(&model).confirm(confirm)).await;

    assert_eq!(report.end(), Some(RunEnd::Completed));
    assert!(report.task("wind").is_none());
    let Some(Adopted::Edited { tasks }) = &report.adopted else {
        panic!("{:?}", report.adopted);
    };
    assert_eq!(tasks, &["rain", "report"]);
    let questions = questions.lock().unwrap();
    assert!(questions[1].contains("[unknown_key]"), "{}", questions[1]);
    assert_eq!(asked(&model, "Tell of the wind."), 0);
}

#[tokio::test]
async fn a_plan_is_rejected_twice_and_the_model_is_reported_why() {
    let model = planning();
    let reject = |why: &str| Decision::Reject(why.to_owned());
    let (confirm, _) = scripted(vec![
        reject("mention snow"),
        reject("and fog"),
        Decision::Approve,
    ]);
    let report = run(builder(&model).confirm(confirm)).await;

    assert_eq!(report.end(), Some(RunEnd::Completed));
    assert!(report.task("plan-3").is_some() && report.task("plan-4").is_none());
    let last = model.requests();
    let last = last.iter().rev().find(|one| asks_for_a_plan(one)).unwrap();
    assert!(says(last, "mention snow") && says(last, "and fog"));
    // It sees the plans that the words are about.
    let plans = last.messages[1].text().matches("[tasks.rain]").count();
    assert_eq!(plans, 2);
}

#[tokio::test]
async fn rounds_are_bounded_and_the_end_is_typed() {
    let model = planning();
    let (confirm, questions) = scripted(vec![Decision::Reject("no".to_owned()); 9]);
    let orchestrator = builder(&model).confirm(confirm).max_rounds(3);
    let error = orchestrator.build().unwrap().run(GOAL).await.unwrap_err();
    let OrchestratorError::NoPlan { error, spent, .. } = error else {
        panic!("{error}");
    };
    assert_eq!(error.code, "too_many_rounds");
    assert!(spent.tokens > 0);
    assert_eq!(questions.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn a_plan_waits_for_a_person_and_the_run_goes_on_elsewhere() {
    let model = model().rule(asks_for_a_plan, Some(1), Reply::text(PLAN));
    let orchestrator = builder(&model).confirm(Confirm::Ask).build().unwrap();
    let RunOutcome::NeedsApproval(proposal, report) = orchestrator.run(GOAL).await.unwrap() else {
        panic!("the plan was not proposed");
    };
    assert_eq!((report.state, report.end()), (RunState::Suspended, None));
    assert_eq!(proposal.plan.estimate.tasks, 3);
    let shown = RunOutcome::NeedsApproval(proposal.clone(), report.clone()).to_string();
    let wanted = format!("needs approval: answer question {} ", proposal.question);
    assert!(shown.contains(&wanted), "{shown}");
    let [question] = &report.questions[..] else {
        panic!("{:?}", report.questions);
    };
    assert_eq!(question.task, "confirm");
    let answered = orchestrator
        .answer(&report.run, question.id, "approve")
        .await;
    answered.unwrap();

    // Another process shares the store, and nothing else.
    let elsewhere = builder(&model).store(orchestrator.store().clone());
    let elsewhere = elsewhere.confirm(Confirm::Ask).build().unwrap();
    let report = elsewhere.resume(&report.run).await.unwrap().into_results();
    assert_eq!(report.end(), Some(RunEnd::Completed));
    assert_eq!(report.answer.as_ref().unwrap().text, ANSWER);
    // A second resume returns the same, and nothing runs.
    let requests = model.requests().len();
    let again = elsewhere.resume(&report.run).await.unwrap().into_results();
    assert_eq!(again.end(), Some(RunEnd::Completed));
    assert_eq!(model.requests().len(), requests);
}

#[tokio::test]
async fn a_plan_that_cannot_be_read_is_not_asked_about_as_an_ordinary_question() {
    // The output of `plan` is a text, as if an older version or a person had written it.
    let mut graph = TaskGraph::new();
    let question = |text| Work::Question(Box::new(Question::text(text)));
    let plan = graph.add_task(
        Task::new("plan").with_work(question("What is the plan?")),
        [],
    );
    let confirm = Task::new("confirm").with_work(question("Run this plan?"));
    let confirm = graph.add_task(confirm, [plan]);
    let params = serde_json::json!({
        "goal": GOAL, "round": 1, "plan": "plan", "confirm": "confirm",
    });
    graph.add_task(
        Task::new("adopt").action_with("adopt", params.into()),
        [plan, confirm],
    );

    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let kept = Arc::clone(&asked);
    let (decide, proposed) = scripted(vec![Decision::Approve]);
    let orchestrator = builder(&model())
        .confirm(decide)
        .questions(move |question| {
            kept.lock().unwrap().push(question.task);
            async { Some("approve".to_owned()) }
        });
    let orchestrator = orchestrator.build().unwrap();
    let run = orchestrator.submit(graph).await.unwrap();
    let id = run.id().clone();
    let error = orchestrator.drive(run).await.unwrap_err();

    assert!(
        error.to_string().contains(r#"output of task "plan""#),
        "{error}"
    );
    assert_eq!(*asked.lock().unwrap(), ["plan"]);
    assert!(proposed.lock().unwrap().is_empty());
    let results = orchestrator.results(&id).await.unwrap();
    assert_eq!(results.state, RunState::Suspended);
    assert_eq!(results.questions[0].task, "confirm");
}

#[tokio::test]
async fn a_named_run_is_started_once_and_then_continued() {
    let model = planning();
    let (confirm, questions) = scripted(vec![Decision::Later, Decision::Approve]);
    let orchestrator = builder(&model).confirm(confirm).build().unwrap();
    let name: zeph_orchestration::RunId = "weekly".parse().unwrap();
    let run = || orchestrator.run_or_resume(name.clone(), GOAL);
    let first = run().await.unwrap();
    assert!(matches!(first, RunOutcome::NeedsApproval(..)), "{first}");
    let second = run().await.unwrap().into_results();
    assert_eq!(second.run, name);
    assert_eq!(second.end(), Some(RunEnd::Completed));
    let calls = model.requests().len();
    let third = run().await.unwrap().into_results();
    assert_eq!(third.answer.unwrap().text, ANSWER);
    assert_eq!(model.requests().len(), calls);
    assert_eq!(questions.lock().unwrap().len(), 2);
}
