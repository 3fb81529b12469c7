//! Arguments: what `cargo xtask` can be told, and how it is read.

/// What `cargo xtask help` prints.
pub(crate) const USAGE: &str = "\
Usage: cargo xtask COMMAND

  test-all [--quick] [--only STEP[,STEP]] [--list]
                          the gate: one line a step; --quick leaves out the slow steps
  crash-loop [--kills N]  kill the real binary N times (500) and look what is lost
  soak                    the long forms: a million simulated runs, 500 kills, many property cases
  bench                   every benchmark
  test-wire               what two servers of others say of our calls; fetches 96 MB, once
  test-llm                goals against a real model on this machine; fetches 176 MB, once
  budgets                 the weight of each crate beside its budget
  setup                   install what the gate needs and this machine lacks
  help                    this text";

/// One command, with its options.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Help,
    List,
    TestAll(Choice),
    CrashLoop { kills: u32 },
    Soak,
    Bench,
    TestWire,
    TestLlm,
    Setup,
    Budgets,
}

/// Which steps of the gate to run.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Choice {
    /// Only the steps that are part of the quick gate, with the tests in their short form.
    pub(crate) quick: bool,
    /// Only the steps named here; empty means all.
    pub(crate) only: Vec<String>,
}

/// Reads the words after `cargo xtask`.
pub(crate) fn parse(words: &[String]) -> Result<Command, String> {
    let Some((name, rest)) = words.split_first() else {
        return Ok(Command::Help);
    };
    match name.as_str() {
        "test-all" => test_all(rest),
        "crash-loop" => crash_loop(rest),
        "soak" => bare(rest, Command::Soak),
        "bench" => bare(rest, Command::Bench),
        "test-wire" => bare(rest, Command::TestWire),
        "test-llm" => bare(rest, Command::TestLlm),
        "setup" => bare(rest, Command::Setup),
        "budgets" => bare(rest, Command::Budgets),
        "help" | "--help" | "-h" => Ok(Command::Help),
        other => Err(format!("unknown command `{other}`")),
    }
}

fn bare(rest: &[String], command: Command) -> Result<Command, String> {
    match rest.first() {
        None => Ok(command),
        Some(word) => Err(format!("unexpected `{word}`")),
    }
}

fn test_all(rest: &[String]) -> Result<Command, String> {
    let mut choice = Choice::default();
    let mut words = rest.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--quick" => choice.quick = true,
            "--list" => return Ok(Command::List),
            "--only" => {
                let names = words.next().ok_or("--only needs the name of a step")?;
                choice.only.extend(names.split(',').map(str::to_owned));
            }
            other => return Err(format!("unexpected `{other}`")),
        }
    }
    Ok(Command::TestAll(choice))
}

fn crash_loop(rest: &[String]) -> Result<Command, String> {
    match rest {
        [] => Ok(Command::CrashLoop { kills: 500 }),
        [flag, number] if flag == "--kills" => number
            .parse()
            .map(|kills| Command::CrashLoop { kills })
            .map_err(|_| format!("--kills needs a number, not `{number}`")),
        _ => Err("crash-loop takes `--kills N` and nothing else".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn the_gate_takes_quick_and_only() {
        let choice = Choice {
            quick: true,
            only: vec!["format".to_owned(), "tidy".to_owned()],
        };
        let line = words("test-all --quick --only format,tidy");
        assert_eq!(parse(&line), Ok(Command::TestAll(choice)));
        assert_eq!(parse(&words("test-all --list")), Ok(Command::List));
    }

    #[test]
    fn the_crash_loop_has_a_default_and_wants_a_number() {
        let long = Command::CrashLoop { kills: 500 };
        assert_eq!(parse(&words("crash-loop")), Ok(long));
        let short = Command::CrashLoop { kills: 7 };
        assert_eq!(parse(&words("crash-loop --kills 7")), Ok(short));
        assert!(parse(&words("crash-loop --kills many")).is_err());
    }

    #[test]
    fn what_is_unknown_is_refused() {
        assert!(parse(&words("test-most")).is_err());
        assert!(parse(&words("soak --quick")).is_err());
        assert!(parse(&words("test-llm now")).is_err());
        assert!(parse(&words("test-all --only")).is_err());
        assert_eq!(parse(&[]), Ok(Command::Help));
    }
}
