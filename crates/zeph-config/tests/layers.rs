//! Layers through the public API: precedence, origins, and all problems at once.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::time::Duration;

use zeph_config::{
    ArgumentConfig, ArgumentKind, BudgetConfig, CommandConfig, Diagnostics, HooksConfig, Layer,
    Layers, LlmConfig, McpApproval, McpConfig, McpTransport, OrchestrationConfig, OverBudget,
    PlanConfig, RetryConfig, ToolsConfig, WithheldReason, env_name, keys,
};

const EVERYTHING: &str = r#"
max_parallel = 3
attempt_timeout = "1m"
task_timeout = "2m"
run_timeout = "3m"
cancel_grace = "1s"
suspend_grace = "0s"
max_tasks = 10
max_output_bytes = "64KiB"
log_bytes = 1024
pass_env = ["DEPLOY_TOKEN", "B"]
db = "runs.db"
observer_buffer = 7
agents = "agents"
prompts = "prompts"
plan_cache = "plans"

[hooks]
failed = ["mail", "-s", "failed", "me@example.com"]
question = ["/usr/bin/notify"]
ended = []
timeout = "5s"

[tools]
write = "out"
run = ["git_log"]
http = ["api.example.com", "http://build.local:8080"]

[mcp.files]
command = ["files", "docs"]
tools = ["read", "write"]
read_only = ["read"]
trust_hints = true
approve = "never"
timeout = "5s"
env = { MODE = "fast" }
pass_env = ["FILES_TOKEN"]

[mcp.web]
url = "https://mcp.example.com/mcp"
token_env = "WEB_TOKEN"
in_clear = true

[retry]
max_retries = 5
base = "250ms"
cap = "1h 30m"

[llm]
model = "ollama::qwen3:8b"
fallback_model = "openai::gpt-5-mini"
base_url = "http://127.0.0.1:8080/v1/"
stream = false
system_role = false
max_tokens_field = "max_completion_tokens"
proxy = "http://proxy:3128"
key_in_clear = true
timeout = "2m"
calls = 2
input_usd = 0.25
fallback_input_usd = 1.0
fallback_output_usd = 4.0
output_usd = 2

[budget]
tokens = 200000
usd = 0.5
over = "partial"

[plan]
max_tasks = 12
max_depth = 4
max_width = 6
max_replans = 1
start_early = false

[commands.git_log]
about = "Lists commits"
run = ["git", "log", "--since={since}", "--", "{path}", "{}"]
args.since = { about = "the first day", pattern = "[0-9-]{10}", optional = true }
args.path = { about = "a folder", path = "crates", dash = true }
"#;

fn git_log() -> CommandConfig {
    let argument = |about: &str, kind, optional, dash| ArgumentConfig {
        about: about.into(),
        kind,
        optional,
        dash,
    };
    let since = ArgumentKind::Pattern("[0-9-]{10}".into());
    let path = ArgumentKind::Path("crates".into());
    CommandConfig {
        about: "Lists commits".into(),
        run: ["git", "log", "--since={since}", "--", "{path}", "{}"]
            .map(str::to_owned)
            .to_vec(),
        args: [
            (
                "since".into(),
                argument("the first day", since, true, false),
            ),
            ("path".into(), argument("a folder", path, false, true)),
        ]
        .into(),
    }
}

fn files() -> McpConfig {
    let command = ["files", "docs"].map(str::to_owned).to_vec();
    McpConfig {
        tools: Some(["read".to_owned(), "write".to_owned()].into()),
        read_only: ["read".to_owned()].into(),
        trust_hints: true,
        approve: McpApproval::Never,
        timeout: Duration::from_secs(5),
        env: [("MODE".to_owned(), "fast".to_owned())].into(),
        pass_env: vec!["FILES_TOKEN".into()],
        ..McpConfig::new(McpTransport::Command(command))
    }
}

fn web() -> McpConfig {
    let url = "https://mcp.example.com/mcp".to_owned();
    McpConfig {
        token_env: Some("WEB_TOKEN".to_owned()),
        in_clear: true,
        ..McpConfig::new(McpTransport::Url(url))
    }
}

fn lines(errors: &Diagnostics) -> Vec<String> {
    errors.to_string().lines().map(str::to_owned).collect()
}

#[test]
fn nothing_given_is_the_default() {
    let resolved = Layers::new()
        .env([("HOME", "/"), ("ZEPH_RUN", "r1"), ("ZEPH_TASK", "t")])
        .resolve()
        .unwrap();
    assert_eq!(resolved.config, OrchestrationConfig::default());
    assert!(resolved.config.validate().is_ok());
    assert!(keys().all(|key| resolved.layer_of(key) == Some(Layer::Default)));
    assert_eq!(resolved.origin_of("nonsense"), None);
    assert!(resolved.unknown_variables.is_empty());
}

#[test]
fn variables_of_no_setting_are_listed() {
    let resolved = Layers::new()
        .env([
            ("ZEPH_OTHER_PROGRAM", "1"),
            ("OTHER", "1"),
            ("ZEPH_ATTEMPT", "1"),
        ])
        .resolve()
        .unwrap();
    assert_eq!(resolved.unknown_variables, ["ZEPH_OTHER_PROGRAM"]);
}

#[test]
fn every_setting_can_be_read_from_a_file() {
    let resolved = Layers::new()
        .user_file(EVERYTHING, "/etc/zeph/zeph.toml")
        .resolve()
        .unwrap();
    let wanted = OrchestrationConfig {
        max_parallel: 3,
        attempt_timeout: Some(Duration::from_secs(60)),
        task_timeout: Some(Duration::from_secs(120)),
        run_timeout: Some(Duration::from_secs(180)),
        cancel_grace: Duration::from_secs(1),
        suspend_grace: Duration::ZERO,
        retry: RetryConfig {
            max_retries: 5,
            base: Duration::from_millis(250),
            cap: Duration::from_secs(5_400),
        },
        max_tasks: 10,
        max_output_bytes: 65_536,
        log_bytes: 1024,
        pass_env: vec!["DEPLOY_TOKEN".into(), "B".into()],
        db: Some("/etc/zeph/runs.db".into()),
        observer_buffer: 7,
        llm: LlmConfig {
            model: Some("ollama::qwen3:8b".into()),
            fallback_model: Some("openai::gpt-5-mini".into()),
            base_url: Some("http://127.0.0.1:8080/v1/".into()),
            stream: false,
            system_role: false,
            max_tokens_field: Some("max_completion_tokens".into()),
            proxy: Some("http://proxy:3128".into()),
            key_in_clear: true,
            timeout: Duration::from_secs(120),
            calls: 2,
            input_usd: Some(250_000),
            fallback_input_usd: Some(1_000_000),
            fallback_output_usd: Some(4_000_000),
            output_usd: Some(2_000_000),
        },
        hooks: HooksConfig {
            failed: ["mail", "-s", "failed", "me@example.com"]
                .map(str::to_owned)
                .to_vec(),
            question: vec!["/usr/bin/notify".into()],
            ended: Vec::new(),
            timeout: Duration::from_secs(5),
        },
        budget: BudgetConfig {
            tokens: Some(200_000),
            usd: Some(500_000),
            over: OverBudget::Partial,
        },
        plan: PlanConfig {
            max_tasks: 12,
            max_depth: 4,
            max_width: 6,
            max_replans: 1,
            start_early: false,
        },
        agents: Some("/etc/zeph/agents".into()),
        prompts: Some("/etc/zeph/prompts".into()),
        plan_cache: Some("/etc/zeph/plans".into()),
        tools: ToolsConfig {
            write: Some("/etc/zeph/out".into()),
            run: vec!["git_log".into()],
            http: vec!["api.example.com".into(), "http://build.local:8080".into()],
        },
        commands: [("git_log".into(), git_log())].into(),
        mcp: [("files".into(), files()), ("web".into(), web())].into(),
    };
    assert_eq!(resolved.config, wanted);
    assert!(keys().all(|key| resolved.layer_of(key) == Some(Layer::UserFile)));
    assert_eq!(
        resolved.origin_of("retry.base").unwrap(),
        "/etc/zeph/zeph.toml:46:8"
    );
}

#[test]
fn the_stronger_source_wins_whatever_the_order() {
    let value = |layers: Layers| {
        let resolved = layers.resolve().unwrap();
        let origin = resolved.origin_of("max_parallel").unwrap();
        (resolved.config.max_parallel, origin)
    };
    let user = Layers::new().user_file("max_parallel = 1", "user.toml");
    assert_eq!(value(user.clone()), (1, "user.toml:1:16".to_owned()));
    let project = Layers::new()
        .project_file("max_parallel = 2", "p.toml")
        .user_file("max_parallel = 1", "user.toml");
    assert_eq!(value(project.clone()), (2, "p.toml:1:16".to_owned()));
    let env = Layers::new()
        .env([("ZEPH_MAX_PARALLEL", " 3 ")])
        .project_file("max_parallel = 2", "p.toml");
    assert_eq!(
        value(env.clone()),
        (3, "environment variable ZEPH_MAX_PARALLEL".to_owned())
    );
    let flag = Layers::new()
        .flag("max_parallel", "4")
        .env([("ZEPH_MAX_PARALLEL", "3")]);
    assert_eq!(value(flag.clone()), (4, "flag --max-parallel".to_owned()));
    assert_eq!(value(flag.flag("max_parallel", "5")).0, 5);
}

#[test]
fn every_setting_has_a_variable_and_a_flag() {
    let text = |key: &str| match key {
        "db" => "x.db",
        key if key.ends_with("timeout") || key.ends_with("grace") => "2s",
        "retry.base" | "retry.cap" => "2s",
        "budget.over" => "partial",
        "llm.stream" | "llm.system_role" | "llm.key_in_clear" | "plan.start_early" => "true",
        _ => "9",
    };
    // Both prices are required together.
    let prices = "llm.input_usd = 1\nllm.output_usd = 1\n\
                  llm.fallback_input_usd = 1\nllm.fallback_output_usd = 1\n";
    for key in keys() {
        let by_flag = Layers::new()
            .user_file(prices, "u.toml")
            .flag(key, text(key))
            .flag("retry.cap", "2s")
            .resolve()
            .unwrap();
        assert!(by_flag.layer_of(key) == Some(Layer::Flag), "{key}");
        let by_env = Layers::new()
            .user_file(prices, "u.toml")
            .env([(env_name(key), text(key))])
            .resolve();
        assert!(by_env.unwrap().layer_of(key) == Some(Layer::Env), "{key}");
    }
}

#[test]
fn none_takes_a_time_out_away() {
    let layers = Layers::new()
        .user_file("run_timeout = '1h'", "u.toml")
        .flag("run_timeout", "none");
    assert_eq!(layers.resolve().unwrap().config.run_timeout, None);
}

#[test]
fn all_mistakes_of_all_sources_are_reported_at_once() {
    let project = "max_parallel = 0\nrun_timeout = 30\ncancel_grace = true\n\
                   max_task = 1\nretry = 3\nlog_bytes = -1\n[lanes]\nnet = 3\n";
    let errors = Layers::new()
        .user_file(
            "max_tasks = 'many'\nattempt_timeout = '0s'\ndb = ''",
            "u.toml",
        )
        .project_file(project, "p.toml")
        .env([
            ("ZEPH_MAX_PARALEL", "1"),
            ("ZEPH_OTHER_PROGRAM", "1"),
            ("ZEPH_LOG_BYTES", "1GiB"),
        ])
        .flag("observer_buffer", "-1")
        .flag("colour", "red")
        .resolve()
        .unwrap_err();
    let duration = "a duration with a unit, such as \"250ms\", \"90s\" or \"1h 30m\"";
    assert_eq!(
        lines(&errors),
        [
            "u.toml:1:13: [wrong_type] `max_tasks` must be a whole number, not \"many\"",
            "u.toml:2:19: [bad_value] `attempt_timeout` must be above 0s, or \"none\"",
            "u.toml:3:6: [bad_value] `db` must be a path, not an empty string",
            "p.toml:1:16: [bad_value] `max_parallel` must be from 1 to 65536, not 0",
            &format!("p.toml:2:15: [wrong_type] `run_timeout` must be {duration}, not 30"),
            &format!("p.toml:3:16: [wrong_type] `cancel_grace` must be {duration}, not a boolean"),
            "p.toml:4:1: [unknown_key] there is no setting \"max_task\" (did you mean \"max_tasks\"?)",
            "p.toml:5:9: [wrong_type] `retry` must be a table, not an integer",
            "p.toml:6:13: [wrong_type] `log_bytes` must be a size such as 65536 or \"64KiB\", not -1",
            "p.toml:7:2: [unknown_key] there is no setting \"lanes\"",
            "environment variable ZEPH_MAX_PARALEL: [unknown_key] there is no setting \"ZEPH_MAX_PARALEL\" (did you mean \"ZEPH_MAX_PARALLEL\"?)",
            "environment variable ZEPH_LOG_BYTES: [bad_value] `log_bytes` must be from 0 to 64MiB, not 1GiB",
            "flag --observer-buffer: [wrong_type] `observer_buffer` must be a whole number, not \"-1\"",
            "flag --colour: [unknown_key] there is no setting \"colour\"",
        ]
    );
    let span = errors.as_slice()[3].span.unwrap();
    assert_eq!(&project[span.start..span.end], "0");
}

#[test]
fn what_is_no_toml_is_reported_with_its_place() {
    let errors = Layers::new()
        .project_file("ä = = 1\nb = \n", "p.toml")
        .resolve()
        .unwrap_err();
    let lines = lines(&errors);
    assert!(lines.len() >= 2, "{lines:?}");
    assert!(
        lines[0].starts_with("p.toml:1:5: [syntax] this is not TOML: "),
        "{lines:?}"
    );
    assert!(lines.last().unwrap().starts_with("p.toml:2:"), "{lines:?}");
}

#[test]
fn settings_of_different_sources_are_compared() {
    let layers = Layers::new().user_file("retry.base = '2m'", "u.toml");
    assert_eq!(
        lines(&layers.clone().resolve().unwrap_err()),
        [
            "u.toml:1:14: [conflict] `retry.base` is 2m, above `retry.cap`, which is 1m (lower it, or raise `retry.cap`)"
        ]
    );
    assert!(layers.flag("retry.cap", "5m").resolve().is_ok());
}

#[test]
fn a_value_made_by_hand_is_checked_too() {
    let config = OrchestrationConfig {
        max_tasks: 0,
        run_timeout: Some(Duration::ZERO),
        db: Some(Path::new("").into()),
        ..OrchestrationConfig::default()
    };
    let errors = config.validate().unwrap_err();
    let wrong: Vec<_> = errors
        .iter()
        .filter_map(|one| one.path.as_deref())
        .collect();
    assert_eq!(wrong, ["run_timeout", "max_tasks", "db"]);
    let first = "run_timeout: [bad_value] `run_timeout` must be above 0s, or \"none\"";
    assert_eq!(lines(&errors)[0], first);
}

#[test]
fn what_is_wrong_with_commands_prices_and_budgets_is_reported_with_its_place() {
    let file = r#"budget = 5
[commands.a]
run = ["ls", "{dir}", "{n}", "{n}"]
abuot = "Lists"
args.n = { about = "how many", integer = [5, 1] }
args.unused = { about = "nothing", text = 10, choice = ["a"] }
[commands.b]
about = "Prints"
run = []
args.x = { text = 0 }
[commands]
c = 7
[llm]
input_usd = 1.1234567
output_usd = -2
model = ""
"#;
    let errors = Layers::new()
        .project_file(file, "p.toml")
        .env([
            ("ZEPH_LLM_INPUT_USD", "3"),
            ("ZEPH_BUDGET_OVER", "maybe"),
            ("ZEPH_LLM_STREAM", "no"),
        ])
        .flag_named("llm.model", "model", "a\nb")
        .resolve()
        .unwrap_err();
    let mut wanted = vec![
        "p.toml:1:10: [wrong_type] `budget` must be a table, not an integer",
        "p.toml:4:1: [unknown_key] `commands.a` has no key \"abuot\" (did you mean \"about\"?)",
        "p.toml:2:1: [missing_key] `commands.a` has no key `about` (add `about = \"Lists commits\"`)",
        "p.toml:5:42: [bad_value] `commands.a.args.n.integer` must be the least and the greatest number, as in [1, 100]",
        "p.toml:6:47: [conflict] `commands.a.args.unused` has both `text` and `choice` (keep one of text, pattern, choice, integer and path)",
        "p.toml:9:7: [bad_value] `commands.b.run` is an empty list",
        "p.toml:10:10: [missing_key] `commands.b.args.x` has no key `about` (add `about = \"the first day\"`)",
        "p.toml:10:19: [bad_value] `commands.b.args.x.text` must be from 1 to 4096, not 0",
        "p.toml:12:5: [wrong_type] `commands.c` must be a table, not an integer",
        "p.toml:14:13: [wrong_type] `llm.input_usd` must be an amount of dollars such as 0.50, or \"none\", not 1.1234567",
        "p.toml:15:14: [wrong_type] `llm.output_usd` must be an amount of dollars such as 0.50, or \"none\", not -2",
        "p.toml:16:9: [bad_value] `llm.model` must be one line of text, not an empty string",
        "environment variable ZEPH_LLM_STREAM: [wrong_type] `llm.stream` must be true or false, not \"no\"",
        "environment variable ZEPH_BUDGET_OVER: [wrong_type] `budget.over` must be \"ask\" or \"partial\", not \"maybe\"",
        "flag --model: [bad_value] `llm.model` must be one line of text without control characters",
        "environment variable ZEPH_LLM_INPUT_USD: [conflict] `llm.input_usd` is given without `llm.output_usd` (give both, or none)",
    ];
    let mut lines = lines(&errors);
    lines.sort();
    wanted.sort_unstable();
    assert_eq!(lines, wanted);
}

#[test]
fn an_untrusted_project_only_lowers_limits() {
    let project = "max_parallel = 4\nrun_timeout = '1h'\nmax_tasks = 200000\ndb = 'x.db'\n\
                   retry.base = '2s'\nbudget.tokens = 5\nllm.input_usd = 0\nllm.output_usd = 0\n\
                   [commands.lint]\nabout = 'Lints'\nrun = ['sh', '-c', 'x']\n";
    let layers = || {
        Layers::new()
            .user_file("max_parallel = 2\nrun_timeout = '2h'", "u.toml")
            .untrusted_project_file(project, "p.toml")
    };
    let resolved = layers().resolve().unwrap();
    let withheld: Vec<_> = (resolved.withheld.iter())
        .map(|one| (one.key.as_str(), one.value.as_str(), one.reason))
        .collect();
    assert_eq!(
        withheld,
        [
            ("max_parallel", "4", WithheldReason::RaisesLimit),
            ("max_tasks", "200000", WithheldReason::RaisesLimit),
            ("db", "'x.db'", WithheldReason::NeedsTrust),
            ("llm.input_usd", "0", WithheldReason::NeedsTrust),
            ("llm.output_usd", "0", WithheldReason::NeedsTrust),
            (
                "commands.lint",
                "about = 'Lints'\nrun = ['sh', '-c', 'x']",
                WithheldReason::NeedsTrust
            ),
        ]
    );
    let config = resolved.config;
    assert_eq!(config.max_parallel, 2);
    assert_eq!(config.run_timeout, Some(Duration::from_secs(3600)));
    assert_eq!(
        config.budget.tokens,
        Some(5),
        "no limit is above every limit"
    );
    assert_eq!(config.retry.base, Duration::from_secs(2));
    assert!(config.db.is_none() && config.commands.is_empty());
    let flag = layers().flag("max_parallel", "9").resolve().unwrap();
    assert_eq!(flag.config.max_parallel, 9, "a flag is the user's");
}
