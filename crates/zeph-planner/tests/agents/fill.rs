//! How much of a budget an answer uses: results of random sizes in every shape, from a fixed seed.
//!
//! The figures are printed with `cargo test -p zeph-planner --test agents fill -- --nocapture`.

use std::fmt::Write as _;

use serde_json::{Value, json};
use zeph_executor::TaskInput;
use zeph_llm::{EstimatingCounter, Reply, ScriptedProvider, TokenCounter};
use zeph_planner::answer::{
    Answer, AnswerInput, AnswerLimits, AnswerParams, DeterministicAggregator, WrittenBy,
};

use super::answer::{by, model_of};
use super::support::{Bench, after, llm_context};

const CASES: usize = 258;

/// Numbers from a seed: xorshift.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// From 0 to 1, without 0.
    fn unit(&mut self) -> f64 {
        ((self.next() >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }

    /// The sum of twelve is close enough to normal.
    fn log_normal(&mut self, sigma: f64) -> f64 {
        let normal = (0..12).map(|_| self.unit()).sum::<f64>() - 6.0;
        (normal * sigma).exp()
    }
}

/// The results of one case, and its limit of tokens.
struct Case {
    results: usize,
    limit: u32,
    /// The size of all results.
    bytes: usize,
    input: TaskInput,
}

fn text(numbers: &mut Numbers, bytes: usize) -> String {
    const WORDS: [&str; 12] = [
        "rain", "fell", "in", "Oslo,", "and", "1,204", "gauges", "reported", "it.\n", "The",
        "wettest", "was",
    ];
    let mut text = String::new();
    while text.len() < bytes {
        let _ = write!(text, "{} ", WORDS[(numbers.next() % 12) as usize]);
    }
    text
}

/// Results of log-normal sizes (sigma 1.3) below, at and above the limit: a fan, a join, a chain, a mix.
fn cases() -> Vec<Case> {
    let mut numbers = Numbers(0x5EED_2026);
    let one = |index: usize| {
        let results = [3, 5, 10, 20, 40][index % 5];
        let limit = [4_096, 16_384][index / 5 % 2];
        let shape = index / 10 % 4;
        let sizes: Vec<f64> = (0..results).map(|_| numbers.log_normal(1.3)).collect();
        // From a ninth of the limit to the ninefold, and every sixth close to it.
        let fill = match index % 6 {
            0 => 0.80 + 0.2 * numbers.unit(),
            _ => (4.4 * numbers.unit() - 2.2).exp(),
        };
        let unit = f64::from(limit) * 4.0 * fill / sizes.iter().sum::<f64>();
        let names: Vec<String> = (0..results).map(|n| format!("task-{n}")).collect();
        let needs = |n: usize| -> Vec<&String> {
            match (shape, n) {
                (_, 0) | (0, _) => Vec::new(),
                (1, n) if n + 1 < results => Vec::new(),
                (1, n) => names[..n].iter().collect(),
                (2, n) => vec![&names[n - 1]],
                (_, n) if n % 3 == 0 => vec![&names[n / 2], &names[n - 1]],
                (_, _) => Vec::new(),
            }
        };
        let tasks: Vec<Value> = (0..results)
            .map(|n| json!({ "name": names[n], "needs": needs(n), "about": "Looks at the rain" }))
            .collect();
        let values: Vec<(&str, Value)> = sizes
            .iter()
            .zip(&names)
            .map(|(size, name)| {
                let text = text(&mut numbers, (size * unit) as usize);
                let value = match shape {
                    3 if text.len().is_multiple_of(3) => json!({ "found": text, "count": 3 }),
                    _ => json!(text),
                };
                (name.as_str(), value)
            })
            .collect();
        let input = after(
            json!({ "goal": "The rain of Oslo", "tasks": tasks }),
            &values,
        );
        Case {
            results,
            limit,
            bytes: sizes.iter().map(|size| (size * unit) as usize).sum(),
            input,
        }
    };
    (0..CASES).map(one).collect()
}

/// The shares of the budget in the cases that do not fit, and the cases that fit and are cut.
#[derive(Default)]
struct Figures {
    shares: Vec<(usize, f64)>,
    fitting: usize,
    needless: Vec<String>,
}

impl Figures {
    fn add(&mut self, case: &Case, whole: u64, used: u64, is_cut: bool) {
        let limit = u64::from(case.limit);
        assert!(used <= limit, "{used} > {limit}");
        if whole <= limit {
            self.fitting += 1;
            if is_cut {
                self.needless.push(format!("{whole} of {limit}"));
            }
        } else {
            assert!(is_cut, "{whole} > {limit}");
            self.shares.push((case.results, used as f64 / limit as f64));
        }
    }

    /// Checks the bounds, and returns the figures in words.
    fn checked(&self, what: &str) -> String {
        let mean = |shares: &[f64]| shares.iter().sum::<f64>() / shares.len() as f64;
        let all: Vec<f64> = self.shares.iter().map(|one| one.1).collect();
        let worst = all.iter().copied().fold(1.0, f64::min);
        let by_count = [3, 5, 10, 20, 40].map(|count| {
            let some = self.shares.iter().filter(|one| one.0 == count);
            let some: Vec<f64> = some.map(|one| one.1).collect();
            format!("{count}: {:.2} %", 100.0 * mean(&some))
        });
        let figures = format!(
            "{what}: {} cases above the limit use {:.2} % of it (worst {:.2} %; by results {}); of {} that fit {} are cut",
            all.len(),
            100.0 * mean(&all),
            100.0 * worst,
            by_count.join(", "),
            self.fitting,
            self.needless.len(),
        );
        assert!(self.needless.is_empty(), "{:?}", self.needless);
        assert!(
            all.len() > 100 && self.fitting > 100,
            "{} {}",
            all.len(),
            self.fitting
        );
        assert!(mean(&all) >= 0.99, "{}", mean(&all));
        assert!(worst >= 0.97, "{worst}");
        figures
    }
}

/// The only request of an answer without summaries, in tokens, and the answer.
async fn asked(case: &Case, limit: u32) -> (u64, Answer) {
    let model = ScriptedProvider::new("script").then(Reply::text("It rains."));
    let limits = AnswerLimits {
        input_tokens: limit,
        rounds: 0,
        ..AnswerLimits::default()
    };
    let aggregator = model_of(llm_context(&model)).limits(limits);
    let answer = by(&Bench::new(), aggregator, case.input.clone()).await;
    assert_eq!(answer.by, WrittenBy::Llm, "{:?}", answer.why);
    let tokens = EstimatingCounter.count_request(&model.requests()[0]);
    (tokens.into(), answer)
}

#[tokio::test(start_paused = true)]
async fn a_request_fills_its_budget_and_cuts_nothing_that_fits() {
    let mut figures = Figures::default();
    for case in cases() {
        // What has the double of the limit does not fit, however it is counted.
        let whole = match case.bytes / 8 > case.limit as usize {
            true => u64::MAX,
            false => asked(&case, 10_000_000).await.0,
        };
        let (used, answer) = asked(&case, case.limit).await;
        figures.add(&case, whole, used, answer.cut);
    }
    println!("{}", figures.checked("with a model, without summaries"));
}

#[test]
fn the_answer_without_a_model_fills_its_budget_and_cuts_nothing_that_fits() {
    let mut figures = Figures::default();
    for case in cases() {
        let params: AnswerParams =
            serde_json::from_value(case.input.params.clone()).expect("params");
        let input = AnswerInput::new(&params, &case.input);
        let count = |text: &str| u64::from(EstimatingCounter.count(text));
        let whole = DeterministicAggregator::new(u64::MAX).write(&input);
        let answer = DeterministicAggregator::new(case.limit.into()).write(&input);
        figures.add(&case, count(&whole.text), count(&answer.text), answer.cut);
    }
    println!("{}", figures.checked("without a model"));
}

#[tokio::test(start_paused = true)]
async fn with_summaries_every_result_reaches_a_model_whole() {
    let (mut calls, mut summarised) = (0, 0);
    for case in cases().iter().step_by(8) {
        let model = ScriptedProvider::new("script")
            .when(
                "Do not answer the goal yet",
                Reply::text("It rains. ".repeat(150)),
            )
            .when("Write the answer", Reply::text("It rains."));
        let limits = AnswerLimits {
            input_tokens: case.limit,
            ..AnswerLimits::default()
        };
        let aggregator = model_of(llm_context(&model)).limits(limits);
        let answer = by(&Bench::new(), aggregator, case.input.clone()).await;
        assert!(answer.cuts.is_empty(), "{:?} {}", answer.cuts, case.results);
        let requests = model.requests();
        for request in &requests {
            let tokens = EstimatingCounter.count_request(request);
            assert!(tokens <= case.limit, "{tokens} > {}", case.limit);
        }
        calls = calls.max(requests.len());
        summarised += usize::from(answer.rounds > 0);
    }
    println!("with summaries: {summarised} cases summarised, at most {calls} calls, nothing cut");
    assert!(summarised > 20 && calls <= 33, "{summarised} {calls}");
}
