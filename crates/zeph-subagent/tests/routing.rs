//! Routes of every kind, and routers that violate their contract.
#![allow(clippy::unwrap_used)]

use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;
use zeph_executor::async_trait;
use zeph_subagent::router::{
    AgentRouter, Candidate, Decision, NamedRouter, NoMatch, Route, RouteRequest, ScoringRouter,
    SingleRouter, conformance, router_fn, scorer_fn,
};
use zeph_subagent::{AgentCatalog, SubAgentDef};

/// Three agents: an analyst who reads, a writer, and a Chinese translator.
fn test_catalog() -> AgentCatalog {
    let mut catalog = AgentCatalog::new();
    for agent in [
        SubAgentDef::new(
            "analyst",
            "Groups and counts commits, files and numbers",
            "You count.",
        )
        .tool("read_file")
        .tag("analysis")
        .tag("numbers"),
        SubAgentDef::new(
            "writer",
            "Writes reports and letters for customers",
            "You write.",
        )
        .tag("text"),
        SubAgentDef::new("fanyi", "把英文翻译成中文", "You translate.")
            .tag("text")
            .tag("zh"),
    ] {
        catalog.add(agent).unwrap();
    }
    catalog
}

async fn route(router: &dyn AgentRouter, request: &RouteRequest<'_>) -> Route {
    let route = router.route(request, &test_catalog()).await;
    // A stored route is read back unchanged.
    let text = serde_json::to_string(&route).unwrap();
    assert_eq!(serde_json::from_str::<Route>(&text).unwrap(), route);
    route
}

/// The excluded agents, each with the filter.
fn thrown(route: &Route) -> Vec<(&str, &str)> {
    let exclusions = route.candidates.iter().filter_map(|one| {
        let thrown = one.exclusion.as_ref()?;
        Some((one.name.as_str(), thrown.filter.as_str()))
    });
    exclusions.collect()
}

#[tokio::test]
async fn texts_find_their_agents() {
    let router = ScoringRouter::standard();
    let table = [
        ("Group these commits by area", Some("analyst")),
        ("How many files? Counting them is enough", Some("analyst")),
        (
            "A letter to our customer, please: report what we did",
            Some("writer"),
        ),
        ("请把这封信翻译成中文", Some("fanyi")),
        ("Übermut tut selten gut", None),
        ("", None),
        ("\u{202e}\u{0}👩‍👧", None),
    ];
    for (text, wanted) in table {
        let route = route(&router, &RouteRequest::new("t", text)).await;
        assert_eq!(route.chosen(), wanted, "{text}: {route:#?}");
    }
}

#[tokio::test]
async fn a_long_text_is_at_no_disadvantage() {
    let filler = "quux zyzzy ".repeat(10_000);
    let text = format!("{filler} commits {filler}");
    let request = RouteRequest::new("t", &text);
    let long = route(&ScoringRouter::standard(), &request).await;
    let short = route(
        &ScoringRouter::standard(),
        &RouteRequest::new("t", "commits"),
    )
    .await;
    assert_eq!(long.candidates, short.candidates);
    assert_eq!(long.chosen(), Some("analyst"));
}

#[tokio::test]
async fn each_filter_says_whom_it_throws_out_and_why() {
    let router = ScoringRouter::standard();
    let excluded = RouteRequest::new("t", "commits letters").exclude("writer", "no JSON");
    let route_of = route(&router, &excluded).await;
    assert_eq!(route_of.chosen(), Some("analyst"));
    let why = route_of
        .candidate("writer")
        .unwrap()
        .exclusion
        .clone()
        .unwrap();
    assert_eq!(
        (why.filter.as_str(), why.why.as_str()),
        ("excluded", "no JSON")
    );

    let tool = RouteRequest::new("t", "letters")
        .tool("read_file")
        .tool("rm");
    let route_of = route(&router, &tool).await;
    assert_eq!(route_of.decision, Decision::NoAgent);
    let wanted = [
        ("analyst", "tools"),
        ("fanyi", "tools"),
        ("writer", "tools"),
    ];
    assert_eq!(thrown(&route_of), wanted);
    let why = &route_of
        .candidate("analyst")
        .unwrap()
        .exclusion
        .as_ref()
        .unwrap()
        .why;
    assert_eq!(why, r#"it is not allowed "rm""#);
    assert_eq!(
        route_of.reason,
        r#"no agent fits "t": excluded are 3 by "tools"; the attempt fails"#
    );

    let tag = RouteRequest::new("t", "").tag("text");
    let route_of = route(&router, &tag).await;
    assert_eq!(thrown(&route_of), [("analyst", "tags")]);
    // Among agents with the required tag the most specialised one comes first.
    assert_eq!(route_of.chosen(), Some("writer"));

    let rule = ScoringRouter::standard().filter("never on fridays", |_, agent| {
        if agent.name == "writer" {
            Err("it is Friday".to_owned())
        } else {
            Ok(())
        }
    });
    let route_of = route(&rule, &RouteRequest::new("t", "commits letters")).await;
    assert_eq!(thrown(&route_of)[1], ("writer", "never on fridays"));
}

#[tokio::test]
async fn the_plan_may_name_the_agent() {
    let router = ScoringRouter::standard();
    let named = RouteRequest::new("t", "nothing in common").wanted("fanyi");
    let route_of = route(&router, &named).await;
    assert_eq!(route_of.chosen(), Some("fanyi"));
    assert_eq!(
        thrown(&route_of),
        [("analyst", "wanted"), ("writer", "wanted")]
    );
    assert_eq!(route_of.reason, r#""fanyi" does "t": the plan names it"#);

    let unknown = RouteRequest::new("t", "commits").wanted("Analyst");
    let route_of = route(&router, &unknown).await;
    assert_eq!(route_of.decision, Decision::NoAgent);
    let wanted = r#"the plan names "Analyst" for "t", and there is no such agent, did you mean "analyst"?; the attempt fails"#;
    assert_eq!(route_of.reason, wanted);

    let failed = named.exclude("fanyi", "it timed out");
    let route_of = route(&router, &failed).await;
    let wanted = r#"the plan names "fanyi" for "t", and it is excluded by "excluded": it timed out; the attempt fails"#;
    assert_eq!(route_of.reason, wanted);
}

#[tokio::test]
async fn the_policy_decides_when_no_agent_fits() {
    let of = |policy| ScoringRouter::standard().no_match(policy);
    let nothing = RouteRequest::new("t", "zyzzy");
    let asked = route(&of(NoMatch::Ask), &nothing).await;
    assert_eq!(
        (asked.decision, asked.no_match.unwrap().note.as_str()),
        (Decision::Ask, "a person is asked")
    );

    let default = of(NoMatch::Default("writer".to_owned()));
    assert_eq!(route(&default, &nothing).await.chosen(), Some("writer"));
    // The default agent replaces an agent for a tag or a name that no agent has.
    let odd = nothing.clone().tag("juggling").wanted("absent");
    assert_eq!(route(&default, &odd).await.chosen(), Some("writer"));
    // Exclusions, missing tools and rules apply to the default agent, too.
    let table = [
        (nothing.clone().exclude("writer", "it failed"), "excluded"),
        (nothing.clone().tool("read_file"), "tools"),
        (nothing.clone(), "rule"),
    ];
    for (request, filter) in table {
        let ruled = default.clone().filter("rule", move |_, _| {
            if filter == "rule" {
                Err("no".to_owned())
            } else {
                Ok(())
            }
        });
        let route_of = route(&ruled, &request).await;
        assert_eq!(route_of.decision, Decision::NoAgent);
        let note = route_of.no_match.unwrap().note;
        assert!(
            note.starts_with("the attempt fails: the default agent \"writer\""),
            "{note}"
        );
        assert!(note.contains(filter), "{note}");
    }
    let missing = route(&of(NoMatch::Default("ghost".to_owned())), &nothing).await;
    assert_eq!(missing.decision, Decision::NoAgent);
    assert!(
        missing
            .reason
            .ends_with("there is no agent \"ghost\", the default"),
        "{}",
        missing.reason
    );
}

#[tokio::test]
async fn scores_are_weighed_and_what_is_wrong_with_them_is_reported() {
    let fixed = |name: &'static str, score: Option<f64>| scorer_fn(name, move |_, _| score);
    let request = RouteRequest::new("t", "");
    let table = [
        (vec![(1.0, Some(0.5)), (3.0, Some(1.0))], Some(0.875), ""),
        (vec![(1.0, Some(0.5)), (3.0, None)], Some(0.5), ""),
        (vec![(1.0, None)], None, ""),
        (vec![(0.0, Some(1.0))], None, ""),
        (
            vec![(1.0, Some(7.0))],
            Some(1.0),
            "the score 7 is not between 0 and 1, and counts as 1",
        ),
        (
            vec![(1.0, Some(-1.0))],
            Some(0.0),
            "the score -1 is not between 0 and 1, and counts as 0",
        ),
        (
            vec![(1.0, Some(f64::NAN))],
            Some(0.0),
            "the score NaN is not between 0 and 1, and counts as 0",
        ),
        (
            vec![(f64::INFINITY, Some(0.5))],
            Some(0.5),
            "the weight inf is not between 0 and 1000, and counts as 1000",
        ),
        (
            vec![(f64::NAN, Some(0.5)), (1.0, Some(0.25))],
            Some(0.25),
            "the weight NaN is not between 0 and 1000, and counts as 0",
        ),
    ];
    for (scores, total, note) in table {
        let mut router = ScoringRouter::new().at_least(0.0);
        for (weight, score) in scores {
            router = router.scorer(weight, fixed("fixed", score));
        }
        let route_of = route(&router, &request).await;
        let analyst = route_of.candidate("analyst").unwrap();
        assert_eq!(analyst.total, total);
        assert_eq!(analyst.scores[0].note.as_deref().unwrap_or_default(), note);
        // Equal totals: the first by name.
        assert_eq!(route_of.chosen(), total.map(|_| "analyst"));
    }
}

#[tokio::test]
async fn the_route_of_a_tie_says_so() {
    let router = ScoringRouter::new().scorer(1.0, scorer_fn("same", |_, _| Some(0.5)));
    let reason = route(&router, &RouteRequest::new("t", "")).await.reason;
    assert_eq!(
        reason,
        r#""analyst" does "t": it is the first by name of 3 with the total 0.5"#
    );
    let prefer = |_: &RouteRequest<'_>, agent: &SubAgentDef| match &*agent.name {
        "writer" => Some(1.0),
        "fanyi" => Some(0.5),
        _ => Some(0.0),
    };
    let router = router.scorer(1.0, scorer_fn("prefer", prefer));
    let route_of = route(&router, &RouteRequest::new("t", "")).await;
    let totals: Vec<Option<f64>> = route_of.candidates.iter().map(|one| one.total).collect();
    assert_eq!(totals, [Some(0.25), Some(0.5), Some(0.75)]);
    assert_eq!(
        route_of.reason,
        r#""writer" does "t": its total 0.75 is the highest of 3"#
    );
    let strict = router.at_least(0.5);
    let route_of = route(&strict, &RouteRequest::new("t", "")).await;
    let why = &route_of
        .candidate("analyst")
        .unwrap()
        .exclusion
        .as_ref()
        .unwrap()
        .why;
    assert_eq!(why, "its total 0.25 is below 0.5");
}

#[tokio::test]
async fn every_router_here_keeps_the_contract() {
    let requests = [
        RouteRequest::new("a", "Group these commits"),
        RouteRequest::new("b", "").wanted("writer"),
        RouteRequest::new("c", "").wanted("absent"),
        RouteRequest::new("d", "letters")
            .tag("text")
            .tool("read_file"),
        RouteRequest::new("\u{1b}[31m", "x").exclude("writer", "\u{1b}]0;title\u{7}"),
    ];
    let first =
        |_: &RouteRequest<'_>, catalog: &AgentCatalog| catalog.names().next().map(str::to_owned);
    let default = NoMatch::Default("fanyi".to_owned());
    let routers: [Box<dyn AgentRouter>; 8] = [
        Box::new(ScoringRouter::standard()),
        Box::new(ScoringRouter::standard().no_match(NoMatch::Ask)),
        Box::new(
            ScoringRouter::standard()
                .no_match(default)
                .at_least(f64::NAN),
        ),
        Box::new(ScoringRouter::new()),
        Box::new(NamedRouter),
        Box::new(SingleRouter::new("writer")),
        Box::new(router_fn(first)),
        Box::new(router_fn(|_, _| None)),
    ];
    for router in &routers {
        conformance::check(&**router, &test_catalog(), &requests)
            .await
            .unwrap();
    }
}

/// A router that breaks one rule, and counts its calls.
struct Broken(&'static str, AtomicUsize);

#[async_trait]
impl AgentRouter for Broken {
    async fn route(&self, request: &RouteRequest<'_>, catalog: &AgentCatalog) -> Route {
        let good = ScoringRouter::standard()
            .at_least(0.0)
            .route(request, catalog)
            .await;
        let calls = self.1.fetch_add(1, Ordering::Relaxed);
        let agent = |name: &str| Decision::Agent {
            name: name.to_owned(),
        };
        let no_agent = good.chosen().is_none();
        match self.0 {
            "stubborn" => Route {
                decision: agent("analyst"),
                ..good
            },
            "inventive" => Route {
                decision: agent("ghost"),
                ..good
            },
            "silent" => Route {
                no_match: None,
                ..good
            },
            "mumbling" => Route {
                reason: String::new(),
                ..good
            },
            "shouting" => Route {
                reason: "\u{1b}[31mred".to_owned(),
                ..good
            },
            "forgetful" => Route {
                candidates: good.candidates.into_iter().skip(1).collect(),
                ..good
            },
            "moody" if calls % 2 == 1 => Route {
                reason: "today not".to_owned(),
                ..good
            },
            "unfair" => {
                let names = catalog.names().map(Candidate::new);
                Route {
                    candidates: names.collect(),
                    ..good
                }
            }
            "boastful" => {
                let mut route = good;
                for one in &mut route.candidates {
                    one.total = Some(2.0);
                }
                route
            }
            "careless" if no_agent && !catalog.is_empty() && !request.tools.is_empty() => Route {
                decision: agent("writer"),
                ..good
            },
            _ => good,
        }
    }
}

#[tokio::test]
async fn what_breaks_the_contract_is_found() {
    let requests = [RouteRequest::new("t", "Group these commits")];
    let names = [
        "stubborn",
        "inventive",
        "silent",
        "mumbling",
        "shouting",
        "forgetful",
        "moody",
        "unfair",
        "boastful",
        "careless",
    ];
    for name in names {
        let broken = Broken(name, AtomicUsize::new(0));
        let found = conformance::check(&broken, &test_catalog(), &requests).await;
        assert!(found.is_err(), "{name} passes");
    }
    let sound = Broken("sound", AtomicUsize::new(0));
    conformance::check(&sound, &test_catalog(), &requests)
        .await
        .unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// The contract holds for any agents, tasks and weights.
    #[test]
    fn the_contract_holds_for_any_catalogue_and_task(
        agents in prop::collection::vec(("[a-e]{1,2}", "[a-d ä数据]{1,12}", any::<bool>()), 0..8),
        text in "[a-d ä数据\u{202e}]{0,20}",
        weights in prop::collection::vec(any::<f64>(), 0..3),
        wanted in prop::option::of("[a-e]{1,2}"),
        default in "[a-e]{1,2}",
    ) {
        let mut catalog = AgentCatalog::new();
        for (name, description, tool) in agents {
            let agent = SubAgentDef::new(name, description, "Do it.").tag("x");
            // Duplicates and blank descriptions are rejected, which is fine here.
            let _ = catalog.add(if tool { agent.tool("t") } else { agent });
        }
        let mut router = ScoringRouter::standard().no_match(NoMatch::Default(default));
        for weight in weights {
            router = router.scorer(weight, scorer_fn("w", move |_, agent| {
                Some(weight * agent.name.len() as f64)
            }));
        }
        let mut request = RouteRequest::new("task", &text).tool("t");
        request.wanted = wanted.as_deref();
        let checked = block_on(conformance::check(&router, &catalog, &[request]));
        prop_assert!(checked.is_ok(), "{}", checked.unwrap_err());
    }
}

/// Runs a future to its end on this thread.
fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.unwrap().block_on(work)
}
