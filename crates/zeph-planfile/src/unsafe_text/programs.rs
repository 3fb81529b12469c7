//! Programs that take code on their command line, and programs that run others.

/// How a program takes code on its command line.
pub(super) struct Interpreter {
    pub(super) names: &'static [&'static str],
    /// Letters that, in a bundle such as `-lc`, make the next argument code.
    pub(super) letters: &'static str,
    /// Long options that make the next argument, or what follows their `=`, code.
    pub(super) long: &'static [&'static str],
    /// Options whose next argument is only a value.
    pub(super) with_value: &'static [&'static str],
    /// Whether the first argument that is no option is code.
    pub(super) first_is_code: bool,
    /// Whether everything after that is code as well.
    pub(super) rest_is_code: bool,
    /// Whether options may follow after code, so that more code can come.
    pub(super) repeats: bool,
    /// Whether it reads code from its input when it is given no script.
    pub(super) reads_stdin: bool,
}

const PLAIN: Interpreter = Interpreter {
    names: &[],
    letters: "",
    long: &[],
    with_value: &[],
    first_is_code: false,
    rest_is_code: false,
    repeats: false,
    reads_stdin: true,
};

pub(super) const INTERPRETERS: [Interpreter; 11] = [
    Interpreter {
        names: &[
            "sh", "bash", "dash", "zsh", "ksh", "mksh", "ash", "fish", "csh", "tcsh", "rbash",
            "nu", "xonsh",
        ],
        letters: "c",
        long: &["--command", "--commands", "--init-command"],
        with_value: &["-o", "-O", "+o", "+O", "--rcfile", "--init-file"],
        ..PLAIN
    },
    Interpreter {
        names: &["python", "pypy", "jython"],
        letters: "c",
        with_value: &["-W", "-X"],
        ..PLAIN
    },
    Interpreter {
        names: &["perl"],
        letters: "eE",
        repeats: true,
        ..PLAIN
    },
    Interpreter {
        names: &[
            "ruby",
            "jruby",
            "lua",
            "luajit",
            "osascript",
            "Rscript",
            "rscript",
            "julia",
            "guile",
        ],
        letters: "eE",
        long: &["--eval"],
        with_value: &["-r", "-I"],
        repeats: true,
        ..PLAIN
    },
    Interpreter {
        names: &["node", "nodejs", "bun", "deno", "tsx", "ts-node"],
        letters: "ep",
        long: &["--eval", "--print", "eval"],
        with_value: &["-r", "--require", "--import", "--loader"],
        repeats: true,
        ..PLAIN
    },
    Interpreter {
        names: &["php"],
        letters: "rBRE",
        long: &[
            "--run",
            "--process-code",
            "--process-begin",
            "--process-end",
        ],
        with_value: &["-d", "-c"],
        repeats: true,
        ..PLAIN
    },
    Interpreter {
        names: &["pwsh", "powershell"],
        letters: "ce",
        long: &["-Command", "-command", "-EncodedCommand", "-encodedcommand"],
        ..PLAIN
    },
    Interpreter {
        names: &["awk", "gawk", "mawk", "nawk"],
        letters: "e",
        long: &["--source"],
        with_value: &["-F", "-v", "-f", "--file", "--assign", "--field-separator"],
        first_is_code: true,
        repeats: true,
        reads_stdin: false,
        ..PLAIN
    },
    Interpreter {
        names: &["sed", "gsed"],
        letters: "e",
        long: &["--expression"],
        with_value: &["-f", "--file", "-l"],
        first_is_code: true,
        repeats: true,
        reads_stdin: false,
        ..PLAIN
    },
    Interpreter {
        names: &["su", "runuser", "script", "flock"],
        letters: "c",
        long: &["--command"],
        reads_stdin: false,
        ..PLAIN
    },
    Interpreter {
        names: &["eval", "watch"],
        with_value: &["-n", "--interval"],
        first_is_code: true,
        rest_is_code: true,
        reads_stdin: false,
        ..PLAIN
    },
];

/// Programs that run the program named further on.
pub(super) const WRAPPERS: [&str; 34] = [
    "env",
    "sudo",
    "doas",
    "nice",
    "nohup",
    "timeout",
    "time",
    "stdbuf",
    "setsid",
    "ionice",
    "chrt",
    "taskset",
    "xargs",
    "parallel",
    "exec",
    "command",
    "busybox",
    "toybox",
    "docker",
    "podman",
    "kubectl",
    "ssh",
    "chroot",
    "unshare",
    "nsenter",
    "flock",
    "find",
    "bwrap",
    "systemd-run",
    "uv",
    "poetry",
    "npx",
    "direnv",
    "nix-shell",
];
