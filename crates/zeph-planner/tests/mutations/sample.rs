//! Sample plans: some written by hand, others generated from a fixed seed, and the host that accepts them.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use zeph_config::{ArgumentConfig, ArgumentKind, CommandConfig};
use zeph_planner::plan::{Commands, Plan, PlanRequest, PlannedWork};
use zeph_subagent::{AgentCatalog, SubAgentDef};

/// A task with all of its fields, in the order of the schema.
pub(crate) type Fields = Map<String, Value>;

/// A plan in the form that the prompt asks for.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) reasoning: String,
    pub(crate) tasks: Vec<Fields>,
}

impl Sample {
    pub(crate) fn value(&self) -> Value {
        json!({ "reasoning": self.reasoning, "tasks": self.tasks })
    }

    pub(crate) fn text(&self) -> String {
        self.value().to_string()
    }

    pub(crate) fn pretty(&self) -> String {
        serde_json::to_string_pretty(&self.value()).unwrap()
    }

    /// The plan with each task changed.
    pub(crate) fn each(&self, mut change: impl FnMut(usize, &mut Fields)) -> Self {
        let mut changed = self.clone();
        for (index, task) in changed.tasks.iter_mut().enumerate() {
            change(index, task);
        }
        changed
    }

    /// The plan with each name, and each need, written in another way.
    pub(crate) fn renamed(&self, write: impl Fn(usize, &str) -> String) -> Self {
        let names: BTreeMap<String, String> = self
            .names()
            .enumerate()
            .map(|(index, name)| (name.to_owned(), write(index, name)))
            .collect();
        self.each(|_, task| {
            let new = |old: &Value| json!(names[old.as_str().unwrap()]);
            let needs = task["needs"].as_array().unwrap().iter().map(new);
            let needs: Value = needs.collect();
            task["name"] = json!(names[task["name"].as_str().unwrap()]);
            task["needs"] = needs;
        })
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.tasks.iter().map(|task| task["name"].as_str().unwrap())
    }

    pub(crate) fn position(&self, name: &Value) -> usize {
        self.names().position(|one| one == name).unwrap()
    }
}

/// The fields with each key written in another way; `None` leaves the field out.
pub(crate) fn with_keys(fields: &Fields, write: impl Fn(&str) -> Option<String>) -> Fields {
    let renamed = fields.iter();
    let renamed = renamed.filter_map(|(key, value)| Some((write(key)?, value.clone())));
    renamed.collect()
}

/// Numbers from a seed: xorshift.
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A number below a limit.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % limit.max(1)
    }
}

/// Three agents with tools, two commands; plans may use all tools but one.
pub(crate) fn host() -> PlanRequest {
    let mut catalog = AgentCatalog::new();
    let agents = [
        SubAgentDef::new("data-analyst", "Groups and counts", "You count.")
            .tool("search_text")
            .tool("read_file"),
        SubAgentDef::new("editor", "Changes files", "You edit.")
            .tool("read_file")
            .tool("write_file"),
        SubAgentDef::new("report-writer", "Writes", "You write."),
    ];
    for agent in agents {
        catalog.add(agent).unwrap();
    }
    let count = ArgumentConfig {
        about: "how many".to_owned(),
        kind: ArgumentKind::Integer(1, 100),
        optional: false,
        dash: false,
    };
    let log = CommandConfig {
        about: "lists commits".to_owned(),
        run: vec!["git".to_owned(), "log".to_owned(), "-n{count}".to_owned()],
        args: [("count".to_owned(), count)].into(),
    };
    let mut request = PlanRequest::new("A weekly report", catalog);
    request.commands = Commands::new([("git_log".to_owned(), log)].into())
        .unwrap()
        .into();
    request.rights.tools.remove("write_file");
    request
}

fn task(name: &str, needs: &[&str], kind: &str, prompt: &str) -> Fields {
    let task = json!({
        "name": name, "needs": needs, "kind": kind, "prompt": prompt, "agent": null, "tools": null,
        "command": null, "arguments": null, "trigger": null, "on_failure": null,
        "expected_tokens": null,
    });
    task.as_object().unwrap().clone()
}

fn agent(name: &str, needs: &[&str], agent: &str, tools: Value, prompt: &str) -> Fields {
    let mut task = task(name, needs, "agent", prompt);
    (task["agent"], task["tools"]) = (json!(agent), tools);
    task
}

fn by_hand() -> Vec<Sample> {
    let sample = |reasoning: &str, tasks: Vec<Fields>| Sample {
        reasoning: reasoning.to_owned(),
        tasks,
    };
    let chain = vec![
        agent(
            "read-log",
            &[],
            "data-analyst",
            json!(["read_file"]),
            "Read the log's last page.",
        ),
        agent(
            "group-changes",
            &["read-log"],
            "data-analyst",
            json!([]),
            "Group the changes by area.",
        ),
        agent(
            "write-text",
            &["group-changes"],
            "report-writer",
            Value::Null,
            "Write it in plain words, don't guess.",
        ),
    ];
    let mut command = task("list-commits", &[], "command", "the newest commits");
    command["command"] = json!("git_log");
    command["arguments"] = json!([{ "name": "count", "value": "20" }]);
    let question = task(
        "which-area",
        &[],
        "question",
        "Which area matters most to you?",
    );
    let mut join = agent(
        "join-both",
        &["list-commits", "which-area"],
        "data-analyst",
        json!(["search_text", "read_file"]),
        "Count the commits of that area.",
    );
    join["trigger"] = json!("all_done");
    join["on_failure"] = json!("ask");
    join["expected_tokens"] = json!(300);
    let fan = |name: &str, topic: &str| {
        let prompt = format!("Collect what is known about {topic}.");
        agent(name, &[], "data-analyst", json!(["search_text"]), &prompt)
    };
    let fan = vec![
        fan("alpha-part", "alpha"),
        fan("beta-part", "beta"),
        fan("gamma-part", "gamma"),
        agent(
            "compare-parts",
            &["alpha-part", "beta-part", "gamma-part"],
            "report-writer",
            json!([]),
            "Compare the three parts: \"same\" or {other}.",
        ),
    ];
    vec![
        sample("First the log, then words.", chain),
        sample("Two inputs, one count.", vec![command, question, join]),
        sample("Three parts and a comparison.", fan),
    ]
}

/// A plan with random needs, agents, tools and rules.
fn generated(seed: u64) -> Sample {
    const WORDS: [&str; 8] = [
        "fetch", "sort", "merge", "check", "count", "draft", "trim", "rank",
    ];
    const AGENTS: [(&str, &[&str]); 3] = [
        ("data-analyst", &["search_text", "read_file"]),
        ("editor", &["read_file"]),
        ("report-writer", &[]),
    ];
    let mut numbers = Numbers::new(seed);
    let count = 2 + numbers.below(6);
    let names: Vec<String> = (0..count)
        .map(|index| format!("{}-step-{}", WORDS[numbers.below(8)], index + 1))
        .collect();
    let tasks = (0..count).map(|index| {
        let needs: Vec<&str> = (0..index)
            .filter(|_| numbers.below(3) == 0)
            .map(|need| names[need].as_str())
            .collect();
        let (name, tools) = AGENTS[numbers.below(3)];
        let tools = match numbers.below(3) {
            0 => Value::Null,
            1 => json!([]),
            _ => json!(tools),
        };
        let prompt = format!(
            "Do part {index} of {seed}, as \"{}\" says.",
            WORDS[numbers.below(8)]
        );
        let mut task = agent(&names[index], &needs, name, tools, &prompt);
        task["on_failure"] = json!([None, Some("skip"), Some("abort")][numbers.below(3)]);
        task["expected_tokens"] = json!([None, Some(250)][numbers.below(2)]);
        task
    });
    let tasks = tasks.collect();
    let reasoning = format!("Parts of plan {seed}.");
    Sample { reasoning, tasks }
}

pub(crate) fn samples() -> Vec<Sample> {
    by_hand()
        .into_iter()
        .chain((1..=9).map(generated))
        .collect()
}

/// What a plan does, without the names of its tasks: by prompt, with the prompts of the needed tasks.
pub(crate) fn meaning(plan: &Plan) -> BTreeMap<String, String> {
    let about = |name: &String| {
        let task = plan.tasks.iter().find(|task| task.name == *name).unwrap();
        task.work.about().to_owned()
    };
    let all = plan.tasks.iter().map(|task| {
        let mut needs: Vec<String> = task.needs.iter().map(about).collect();
        needs.sort();
        let work = match &task.work {
            PlannedWork::Agent { agent, tools, .. } => {
                let mut tools = tools.clone();
                tools.iter_mut().for_each(|tools| tools.sort());
                format!("{agent:?} {tools:?}")
            }
            PlannedWork::Command { argv, .. } => format!("{argv:?}"),
            PlannedWork::Question { .. } => "question".to_owned(),
        };
        let (trigger, rule, tokens) = (&task.trigger, &task.on_failure, task.expected_tokens);
        let meaning = format!("{needs:?} {work} {trigger:?} {rule:?} {tokens:?}");
        (task.work.about().to_owned(), meaning)
    });
    all.collect()
}
