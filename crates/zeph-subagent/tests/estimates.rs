//! The router knows what a task takes of the models of the agents: their context windows and their prices.

use zeph_subagent::router::{
    AgentRouter, Estimate, Price, Route, RouteRequest, ScoringRouter, SingleRouter,
};
use zeph_subagent::{AgentCatalog, SubAgentDef};

/// Three agents that differ by name and model only.
async fn route(router: &dyn AgentRouter, request: &RouteRequest<'_>) -> Route {
    let mut catalog = AgentCatalog::new();
    for name in ["a", "b", "c"] {
        let agent = SubAgentDef::new(name, "Reads texts", "You read.");
        catalog.add(agent).expect("the first of its name");
    }
    router.route(request, &catalog).await
}

fn request<'a>(estimates: &[(&'a str, Option<u32>, Option<u64>)]) -> RouteRequest<'a> {
    let request = RouteRequest::new("read", "Read the texts");
    estimates
        .iter()
        .fold(request, |request, &(agent, context_tokens, micro_usd)| {
            request.estimate(Estimate {
                agent,
                tokens: 10_000,
                context_tokens,
                micro_usd,
            })
        })
}

fn why<'a>(route: &'a Route, agent: &str) -> Option<(&'a str, &'a str)> {
    let exclusion = route.candidate(agent)?.exclusion.as_ref()?;
    Some((&exclusion.filter, &exclusion.why))
}

#[tokio::test]
async fn a_model_that_takes_the_task_whole_goes_before_a_small_one() {
    let router = ScoringRouter::standard();
    let sizes = [("a", Some(8_192), None), ("b", Some(10_000), None)];
    let route_of = route(&router, &request(&sizes)).await;
    assert_eq!(route_of.chosen(), Some("b"));
    let wanted = "its model takes 8192 tokens, and the task needs about 10000";
    assert_eq!(why(&route_of, "a"), Some(("context", wanted)));

    // What is cut anyway excludes no agent.
    let all = ["a", "b", "c"].map(|name| (name, Some(4_096), None));
    let route_of = route(&router, &request(&all)).await;
    assert_eq!(route_of.chosen(), Some("a"));
    assert_eq!(why(&route_of, "b"), None);

    // A person's choice counts.
    let route_of = route(&router, &request(&sizes).wanted("a")).await;
    assert_eq!(route_of.chosen(), Some("a"));
    let route_of = route(&SingleRouter::new("a"), &request(&sizes)).await;
    assert_eq!(route_of.chosen(), Some("a"));
}

#[tokio::test]
async fn of_equal_agents_the_cheapest_is_chosen() {
    let router = ScoringRouter::standard();
    let table = [
        (vec![("a", None, Some(90)), ("c", None, Some(5))], "c"),
        (vec![("c", None, Some(0))], "c"),
        (vec![("b", None, Some(7)), ("c", None, Some(7))], "b"),
        (vec![("a", None, None)], "a"),
    ];
    for (estimates, wanted) in table {
        let route_of = route(&router, &request(&estimates)).await;
        assert_eq!(route_of.chosen(), Some(wanted), "{estimates:?}");
    }
    let prices = [("a", None, Some(90)), ("c", None, Some(5))];
    let route_of = route(&router, &request(&prices)).await;
    let reason = route_of.reason;
    assert!(
        reason.contains("it has the lowest known price of 3 with the total"),
        "{reason}"
    );
}

#[tokio::test]
async fn a_scorer_counts_the_price() {
    let router = ScoringRouter::new().scorer(1.0, Price);
    let prices = [
        ("a", None, Some(40)),
        ("b", None, Some(10)),
        ("c", None, None),
    ];
    let route_of = route(&router, &request(&prices)).await;
    let totals = route_of.candidates.iter().map(|one| one.total);
    assert_eq!(totals.collect::<Vec<_>>(), [Some(0.25), Some(1.0), None]);
    assert_eq!(route_of.chosen(), Some("b"));
}
