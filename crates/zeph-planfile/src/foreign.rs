//! Words of other tools: the keys and values that people bring along, and what plan files have instead.

/// Words of other tools in small letters with `_`, separated by blanks, and the help for each of them.
type Help = (&'static str, &'static str);

/// Keys of a plan.
const PLAN: &[Help] = &[
    (
        "jobs steps stages nodes workflow pipeline tasks_list dag stage job step",
        "write each task as a table `[tasks.NAME]` with `run`, `shell`, `prompt` or `ask`",
    ),
    (
        "name title version api_version apiversion kind metadata spec schema",
        "a plan needs neither name nor version; `goal` says what it is for",
    ),
    (
        "on schedule cron triggers trigger start_date interval",
        "a plan has no schedule; start `zeph run` from cron or a timer",
    ),
    (
        "environment vars_env envs env_vars",
        "write `env = { NAME = \"value\" }`",
    ),
    (
        "envfile dotenv env_files env_from environment_file",
        "write `env_file = \".env\"`",
    ),
    (
        "variables vars inputs parameters args arguments",
        "declare values as `[params]`, and use them as `${{ params.NAME }}`",
    ),
    (
        "parallelism max_workers max_parallelism max_active_tasks parallel workers",
        "write `max_parallel = 4`",
    ),
    (
        "concurrency",
        "write `max_parallel = 4` for the attempts of a run, or `group = \"NAME\"` for runs that must not overlap",
    ),
    (
        "concurrency_group max_active_runs concurrency_policy mutex allow_overlap singleton depends_on_past cancel_in_progress lock",
        "write `group = \"NAME\"`, and `on_conflict = \"queue\"`, `\"refuse\"` or `\"cancel_running\"`",
    ),
    (
        "pools pool resources resource_groups semaphores mutexes limits",
        "declare lanes: `[lanes]` with `NAME = 2`, and `lanes = [\"NAME\"]` in the tasks",
    ),
    (
        "timeout_minutes timeout_seconds deadline active_deadline_seconds max_duration",
        "write `timeout = \"30m\"`",
    ),
    (
        "secrets",
        "declare a secret as `[params]` with `NAME = { secret = true, env = \"VARIABLE\" }`",
    ),
    ("default default_args", "write `[defaults]`"),
    (
        "on_exit onexit handlers finally after_script teardown cleanup",
        "write a task with `finally = true`: it runs when everything else has ended, also after a failure",
    ),
    (
        "includes extends import imports template templates base inherit",
        "write `include = [\"shared.toml\"]` for shared `[params]`, `[lanes]`, `[defaults]` and `env`; a task takes a whole plan with `plan = \"FILE\"`",
    ),
];

/// Keys of a task.
const TASK: &[Help] = &[
    (
        "depends_on dependson depends dependencies deps requires require upstream need wait_for stage",
        "write `needs = [\"NAME\"]`",
    ),
    (
        "if only_if condition conditions unless rules run_if preconditions precondition",
        "write `when = \"${{ … }}\"` with an expression that is true or false",
    ),
    (
        "strategy parallel_matrix job_matrix axes variants",
        "write `matrix = { os = [\"linux\", \"mac\"] }`, and use `${{ matrix.os }}`",
    ),
    (
        "for_each for with_items with_param with_sequence loop each expand map",
        "write `foreach = \"${{ tasks.NAME.json }}\"` or `foreach = [\"a\", \"b\"]`, and use `${{ item }}`",
    ),
    (
        "script scripts bash sh inline steps step commands cmds bash_command code",
        "write `shell = \"…\"` for a script, or `run = [\"program\", \"argument\"]` for one command",
    ),
    (
        "command cmd exec argv args entrypoint program execute arguments",
        "write `run = [\"program\", \"argument\"]`",
    ),
    (
        "working_dir workingdir working_directory workingdirectory workdir work_dir dir directory chdir folder",
        "write `cwd = \"FOLDER\"`",
    ),
    (
        "continue_on_error continueonerror continue_on allow_failure ignore_error ignore_errors ignore_failure soft_fail fail_fast",
        "write `on_failure = \"skip\"`; tasks that need it and still run have `after = \"all_done\"`",
    ),
    (
        "fallback fallbacks alternative backup rescue catch otherwise else",
        "write `on_failure = { fallback = \"NAME\" }`: that task runs in its place",
    ),
    (
        "env_file envfile env_from dotenv environment_file",
        "write `env_file = \".env\"` at the top of the plan; all commands get its variables",
    ),
    (
        "environment vars variables envs env_vars",
        "write `env = { NAME = \"value\" }`",
    ),
    (
        "retries max_retries attempts max_attempts retry_count retry_policy retrypolicy retry_strategy retrystrategy repeat tries retry_delay",
        "write `retry = 3`, or `retry = { max = 3, base = \"1s\", cap = \"1m\" }`",
    ),
    (
        "timeout_minutes timeoutminutes timeout_seconds timeout_in_minutes execution_timeout deadline max_time time_limit",
        "write `timeout = \"5m\"` for an attempt, `total_timeout` for all of them",
    ),
    (
        "outputs output_variables set_output",
        "write lines `name=value` to the file that `$ZEPH_OUTPUT` names; they are `${{ tasks.NAME.outputs.name }}`",
    ),
    (
        "generates produces save artifact artefacts store_artifacts upload_artifact",
        "write `artifacts = [\"dist/*.gz\"]`: the files are kept, and are `${{ tasks.NAME.artifacts['dist/x.gz'] }}` of a task that needs it",
    ),
    (
        "sources inputs caching cached cache_key memoize fingerprint skip_if_unchanged",
        "write `cache = { inputs = [\"src/**\"] }`: the result of an equal command counts while these files are the same",
    ),
    (
        "register",
        "the result of a task is its standard output, `${{ tasks.NAME.stdout }}`",
    ),
    (
        "concurrency pool pools resource resource_class semaphore mutex max_active_tis_per_dag tags_limit queue",
        "declare `[lanes]` with `NAME = 1`, and write `lanes = [\"NAME\"]`",
    ),
    (
        "secrets secret",
        "declare `[params]` with `NAME = { secret = true, env = \"VARIABLE\" }`, and pass it on: `env = { TOKEN = \"${{ params.NAME }}\" }`",
    ),
    (
        "uses image container docker runs_on agent_pool executor type operator kind plugin",
        "a task runs a program of this machine: `run = [\"docker\", \"run\", …]`, `shell`, `prompt` or `ask`",
    ),
    (
        "name id task_id key title label alias",
        "the name of a task is the name of its table, `[tasks.NAME]`; `description` is for people",
    ),
    (
        "always run_always cleanup teardown on_exit",
        "write `finally = true` for a task that runs when everything else has ended, also after a failure",
    ),
    (
        "trigger_rule triggerrule trigger on_success onsuccess on on_error onerror on_failed",
        "write `after = \"all_done\"`, \"any_success\", \"any_failed\" or \"none_failed\"",
    ),
    (
        "exit_codes success_codes allowed_exit_codes success_exit_codes expected_exit_codes ok_exit_codes",
        "write `ok_codes = [0, 1]`",
    ),
    (
        "skip_on_exit_code skip_exit_code skip_exit_codes",
        "write `skip_codes = [99]`: these exit codes skip the task",
    ),
    (
        "no_output_timeout heartbeat_timeout inactivity_timeout silence_timeout stall_timeout",
        "write `idle_timeout = \"5m\"`: the longest time without output",
    ),
    ("input std_in", "write `stdin = \"…\"`"),
    (
        "paths path_dirs prepend_path extra_path add_path",
        "write `path = [\"./bin\"]`: folders that are searched before those of PATH",
    ),
    (
        "llm system system_prompt temperature",
        "the instructions of a model belong to an agent: `agent = \"NAME\"`; a task may have a `model`",
    ),
    (
        "question message confirm confirmation manual input_prompt",
        "write `ask = \"…\"` for a question, `approve = \"…\"` for a gate in front of a command",
    ),
    (
        "background daemon service detach is_background",
        "a task ends with its program; the guide shows how a task starts a service",
    ),
    (
        "subplan sub_plan subworkflow sub_workflow workflow subdag sub_dag dag call child include",
        "write `plan = \"FILE\"`, with `params = { … }` for its parameters",
    ),
    (
        "with",
        "write `params = { … }` beside `plan`, and `env = { … }` for a command",
    ),
    ("weight order", "write `priority = 1`"),
];

/// Keys of `cache`.
const CACHE: &[Help] = &[
    (
        "files paths sources patterns globs watch",
        "write `inputs = [\"src/**\"]`",
    ),
    (
        "outputs artifacts targets generates",
        "write `artifacts = [\"dist/*.gz\"]` at the task: they are a part of its result",
    ),
    (
        "key keys env variables environment",
        "the command, its arguments and its `env` are a part of the key; write a value that matters into `env`",
    ),
    (
        "ttl max_age expires",
        "a result is found until its run is deleted, for example by `zeph prune --older-than 30d`",
    ),
];

/// Words for `after`.
const AFTER: &[Help] = &[
    (
        "always done finished all completed any_done complete ended succeeded_or_failed all_finished",
        "write `after = \"all_done\"`: it runs when all that it needs has ended, in whatever way",
    ),
    (
        "success succeeded on_success all_succeeded ok successful",
        "write `after = \"all_success\"`, which is the default",
    ),
    (
        "failure failed on_failure on_error error one_failed",
        "write `after = \"any_failed\"`: it runs once one that it needs has failed",
    ),
    (
        "one_success any_succeeded first_success",
        "write `after = \"any_success\"`: it runs once one that it needs has completed",
    ),
    (
        "none_failed_min_one_success no_failure no_failures",
        "write `after = \"none_failed\"`: it runs when all that it needs has ended, and none of it failed",
    ),
];

/// Keys of a parameter.
const PARAM: &[Help] = &[
    (
        "required optional mandatory nullable",
        "a parameter without `default` is required",
    ),
    (
        "value initial default_value",
        "write `default = …`, or give the value with `-p NAME=VALUE`",
    ),
    (
        "options values enum allowed allowed_values oneof one_of",
        "write `choices = [\"a\", \"b\"]`",
    ),
    (
        "desc help label title prompt doc",
        "write `description = \"…\"`",
    ),
    (
        "sensitive hidden masked is_secret confidential",
        "write `secret = true`",
    ),
    (
        "from_env env_var envvar variable environment",
        "write `env = \"VARIABLE\"`",
    ),
    (
        "regex regexp match matches format validate validation min_length max_length",
        "write `pattern = \"[a-z]+\"`, which has to match the whole text",
    ),
    ("minimum gte ge", "write `min = 1`"),
    ("maximum lte le", "write `max = 9`"),
];

/// Keys of `matrix`.
const MATRIX: &[Help] = &[(
    "matrix max-parallel max_parallel fail-fast fail_fast",
    "the axes are the keys of `matrix` itself; limits are `[lanes]`, and `on_failure` says what a failure stops",
)];

/// Keys of `foreach`.
const FOREACH: &[Help] = &[
    (
        "items list over values with from each of",
        "write `in = \"${{ … }}\"` with a list",
    ),
    (
        "limit max_items count maximum",
        "write `max = 100`: a longer list fails the task",
    ),
    (
        "parallel parallelism concurrency max_workers batch_size",
        "write `max_parallel = 4`",
    ),
    (
        "fail_fast continue_on_error on_error ignore_errors tolerate",
        "write `on_failure = \"abort\"`, \"finish\" or \"skip\"",
    ),
];

/// Keys of `retry`.
const RETRY: &[Help] = &[
    (
        "attempts max_attempts limit count times retries max_retries tries number",
        "write `max = 3`, which is up to four attempts",
    ),
    (
        "delay interval wait backoff sleep min_delay initial_interval delay_seconds base_delay period",
        "write `base = \"1s\"`, the shortest wait; it doubles up to `cap`",
    ),
    (
        "max_delay max_interval max_backoff max_wait max_duration",
        "write `cap = \"1m\"`, the longest wait",
    ),
    (
        "factor multiplier exponential jitter",
        "waits always double, with jitter, between `base` and `cap`",
    ),
    (
        "on exit_codes on_codes when if on_exit_codes codes retry_on",
        "write `retry_codes = [75]` beside it; without it, every exit code that is not in `ok_codes` is retried",
    ),
];

/// Words for `on_failure`.
const ON_FAILURE: &[Help] = &[
    (
        "continue ignore proceed warn allow soft_fail skipped pass none",
        "write `on_failure = \"skip\"`; tasks that need it and still run have `after = \"all_done\"`",
    ),
    (
        "fail stop cancel terminate exit fail_fast error halt",
        "write `on_failure = \"abort\"`, which is the default",
    ),
    (
        "pause wait manual prompt confirm approve human",
        "write `on_failure = \"ask\"`",
    ),
    (
        "restart again always on_failure rerun",
        "write `retry = 3`, or `on_failure = \"retry\"`",
    ),
    (
        "default value substitute",
        "write `on_failure = { value = … }`",
    ),
    (
        "fallback alternative backup instead otherwise else rescue catch handler",
        "write `on_failure = { fallback = \"NAME\" }`: that task runs in its place",
    ),
];

/// Keys of `ask` and `approve`.
const ASK: &[Help] = &[
    (
        "question message prompt title body description",
        "write `text = \"…\"`",
    ),
    (
        "options values enum answers buttons select",
        "write `choices = [\"a\", \"b\"]` in `ask`; `approve` takes yes or no",
    ),
    (
        "type kind format",
        "write `answer = \"text\"`, \"number\" or \"yes_no\"",
    ),
    (
        "timeout wait expires deadline timeout_minutes",
        "write `after = \"1h\"` and `default = …`, the answer after that time",
    ),
    (
        "approvers reviewers assignee users who role",
        "a person who may use the database of the runs answers; there are no roles",
    ),
];

/// The help for an unknown key of a parameter.
pub(crate) fn param_key(key: &str) -> Option<&'static str> {
    find(PARAM, key)
}

/// The help for an unknown key of `cache`.
pub(crate) fn cache_key(key: &str) -> Option<&'static str> {
    find(CACHE, key)
}

/// The help for an unknown key of `foreach`.
pub(crate) fn foreach_key(key: &str) -> Option<&'static str> {
    find(FOREACH, key)
}

/// The help for a word that cannot name an axis.
pub(crate) fn matrix_key(key: &str) -> Option<&'static str> {
    find(MATRIX, key)
}

/// The help for an unknown key of `retry`.
pub(crate) fn retry_key(key: &str) -> Option<&'static str> {
    find(RETRY, key)
}

/// The help for an unknown word of `on_failure`.
pub(crate) fn on_failure_word(word: &str) -> Option<&'static str> {
    find(ON_FAILURE, word)
}

/// The help for an unknown key of `ask` or `approve`.
pub(crate) fn ask_key(key: &str) -> Option<&'static str> {
    find(ASK, key)
}

/// The help for an unknown key of a plan.
pub(crate) fn plan_key(key: &str) -> Option<&'static str> {
    find(PLAN, key)
}

/// The help for an unknown key of a task, or of `defaults`.
pub(crate) fn task_key(key: &str) -> Option<&'static str> {
    find(TASK, key)
}

/// The help for an unknown word of `after`.
pub(crate) fn after_word(word: &str) -> Option<&'static str> {
    find(AFTER, word)
}

/// Whether a text that is not TOML looks like YAML: by the name of its file, or by its first line.
pub(crate) fn is_yaml(name: &str, text: &str) -> bool {
    let ending = name.rsplit_once('.').map(|(_, ending)| ending);
    if ending.is_some_and(|it| it.eq_ignore_ascii_case("yaml") || it.eq_ignore_ascii_case("yml")) {
        return true;
    }
    let lines = text.trim_start_matches('\u{feff}').lines();
    let first = lines
        .map(str::trim_end)
        .find(|line| !line.is_empty() && !line.starts_with('#'));
    first.is_some_and(|line| {
        let key = line.split_once(':').filter(|(key, rest)| {
            let is_key = |c: char| c.is_alphanumeric() || "_-'\"".contains(c);
            !key.is_empty() && key.chars().all(is_key) && (rest.is_empty() || rest.starts_with(' '))
        });
        line == "---" || key.is_some()
    })
}

fn find(table: &[Help], word: &str) -> Option<&'static str> {
    // A long text is no word of a tool.
    let word = (word.len() <= 64).then(|| word.to_ascii_lowercase().replace(['-', '.'], "_"))?;
    let found = (table.iter()).find(|(words, _)| words.split(' ').any(|one| one == word));
    found.map(|(_, help)| *help)
}

#[cfg(test)]
mod tests {
    use super::{AFTER, ASK, FOREACH, ON_FAILURE, PARAM, PLAN, RETRY, TASK, is_yaml};

    #[test]
    fn no_word_has_two_meanings() {
        for table in [PLAN, TASK, AFTER, PARAM, FOREACH, RETRY, ON_FAILURE, ASK] {
            let mut words: Vec<&str> = (table.iter())
                .flat_map(|(words, _)| words.split(' '))
                .collect();
            let count = words.len();
            words.sort_unstable();
            words.dedup();
            assert_eq!(words.len(), count);
            assert!(words.iter().all(|word| !word.is_empty()));
        }
    }

    #[test]
    fn yaml_is_recognized_by_its_first_line() {
        for text in [
            "jobs:\n  a: 1",
            "---\na: 1",
            "# x\n\nversion: '3'",
            "\u{feff}tasks:",
        ] {
            assert!(is_yaml("plan", text), "{text}");
        }
        assert!(is_yaml("plan.yml", "x = 1"));
        for text in [
            "",
            "a = 1",
            "[tasks.a]",
            "http://x",
            "see: this = that: x y:z\n",
            "a:b",
        ] {
            let is_prose = text.starts_with("see");
            assert_eq!(is_yaml("plan.toml", text), is_prose, "{text}");
        }
    }
}
