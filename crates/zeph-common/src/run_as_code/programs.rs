//! The known programs: interpreters, and programs that start another one.

/// How a program reads its command line. Lists of names and options are separated by blanks.
pub(super) struct Program {
    /// Its names in small letters, without path, version and `.exe`.
    pub(super) names: &'static str,
    /// The subcommand that it reads its command line in this way for.
    pub(super) subcommand: &'static str,
    /// Letters of options that take code, alone or in a bundle such as `-lc`.
    pub(super) letters: &'static str,
    /// Other options that take code.
    pub(super) code: &'static str,
    /// Options that take the name of a script, or of the program to start.
    pub(super) script: &'static str,
    /// Options that take any other value in the next argument.
    pub(super) valued: &'static str,
    /// The number of its own arguments before those that `then` describes.
    pub(super) own: usize,
    /// Whether it runs its input if it has neither code nor a script nor a program to start. Those with
    /// [`Then::Script`] and the like always do.
    pub(super) runs_input: bool,
    /// What follows its options and its own arguments.
    pub(super) then: Then,
}

/// What follows the options of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// A script with its arguments, or after code only arguments. Without both, it runs its input.
    Script,
    /// As [`Script`](Self::Script), with the options of a shell.
    Shell,
    /// As [`Script`](Self::Script), but options are also read after code.
    Repeated,
    /// Code, unless an option had it; then data.
    Code,
    /// As [`Code`](Self::Code), but options are also read after it.
    RepeatedCode,
    /// Code to the end of the command line.
    AllCode,
    /// The program to start, with its arguments.
    Program,
    /// The program to start, somewhere.
    Anywhere,
    /// Data, also in options that do not take code.
    Arguments,
    /// Data.
    Data,
    /// Code of an untrusted author, whatever it looks like: options, assignments, commands.
    NoForeign,
}

const NONE: Program = Program {
    names: "",
    subcommand: "",
    letters: "",
    code: "",
    script: "",
    valued: "",
    own: 0,
    runs_input: false,
    then: Then::Program,
};

macro_rules! programs {
    ($($names:literal $then:ident $(, $field:ident $value:literal)*;)*) => {
        pub(super) const PROGRAMS: &[Program] = &[
            $(Program { names: $names, then: Then::$then, $($field: $value,)* ..NONE },)*
        ];
    };
}

programs! {
    "sh bash dash zsh ksh mksh ash fish csh tcsh rbash nu xonsh bash-static" Shell, letters "c",
        code "--command --commands --init-command", script "--rcfile --init-file", valued "-o -O +o +O";
    "python pythonw pypy jython ipython" Script, letters "c", valued "-W -X";
    "pwsh powershell" Script, letters "ce", code "-Command -command -EncodedCommand -encodedcommand";
    "cmd" AllCode, runs_input true;
    "perl" Repeated, letters "eE";
    "ruby jruby lua luajit osascript rscript julia guile groovy tclsh wish gnuplot octave irb ghci iex
        sbcl racket clojure jshell swipl m4" Repeated, letters "eE", code "--eval", script "-r", valued "-I";
    "expect" Repeated, letters "c", script "-f";
    "deno" Code, subcommand "eval";
    "bun deno" Script, subcommand "run";
    "node nodejs bun deno tsx ts-node" Repeated, letters "ep", code "--eval --print",
        script "-r --require --import --loader";
    "php" Repeated, letters "rBRE", code "--run --process-code --process-begin --process-end",
        valued "-d -c";
    "awk gawk mawk nawk" Code, letters "e", code "--source", script "-f --file",
        valued "-F -v --assign --field-separator";
    "sed gsed" RepeatedCode, letters "e", code "--expression", script "-f --file", valued "-l";
    "eval" AllCode;
    "gdb lldb" NoForeign, runs_input true;
    "make gmake ninja just tmux screen" NoForeign;
    "psql" Data, letters "c", code "--command", script "-f --file", runs_input true,
        valued "-d -h -p -U -v --dbname --host --port --username --set";
    "mysql mariadb" Data, letters "e", code "--execute --init-command", runs_input true,
        valued "-h -u -P -D --host --user --port --database";
    "sqlite sqlite3 duckdb" AllCode, own 1, code "-cmd", script "-init", runs_input true,
        valued "-separator -newline -nullvalue";
    "mongo mongosh" Data, code "--eval", script "-f --file", runs_input true;
    "vim vi nvim ex ed" Data, letters "c", code "--cmd", script "-S -s -u", runs_input true;
    "emacs" Data, code "--eval --execute", script "-l --load --script";
    "dc" Data, letters "e", code "--expression", script "-f --file", runs_input true;
    "at batch" Data, script "-f", runs_input true;
    "crontab" Script, valued "-u";
    "sftp ftp lftp" Data, script "-b -o -F -S -D", valued "-P -i -c -l -J", runs_input true;
    "scp" Data, script "-o -F -S -D", valued "-P -i -c -l -J";
    "rsync" Data, letters "e", code "--rsh --rsync-path";
    "watch" AllCode, valued "-n --interval";
    "ssh" AllCode, own 1, script "-o -F", runs_input true,
        valued "-B -D -E -I -J -L -O -Q -R -S -W -b -c -e -i -l -m -p -w";

    "env" Program, letters "S", code "--split-string", valued "-u --unset -C --chdir";
    "sudo" Program, runs_input true,
        valued "-u -g -h -p -C -D -R -T -U -r -t --user --group --host --chdir --prompt";
    "doas" Program, valued "-u -C", runs_input true;
    "su runuser" Data, letters "c", code "--command", script "-s --shell", runs_input true;
    "script" Data, letters "c", code "--command", runs_input true;
    "flock" Program, own 1, letters "c", code "--command", valued "-w -E --timeout --wait";
    "nohup setsid command busybox toybox" Program;
    "nice" Program, valued "-n --adjustment";
    "ionice" Program, valued "-c -n --class --classdata";
    "chrt" Program, own 1, valued "-T -P -D";
    "taskset" Program, own 1;
    "time" Program, valued "-f -o --format --output";
    "timeout" Program, own 1, valued "-k -s --kill-after --signal";
    "stdbuf" Program, valued "-i -o -e --input --output --error";
    "strace ltrace" Program, valued "-e -o -p -s -u -E -P -a -b -S -X -I -O";
    "chroot" Program, own 1, runs_input true;
    "unshare nsenter" Program, runs_input true,
        valued "-t -S -G -R -w --target --setuid --setgid --root --wd --propagation --setgroups";
    "systemd-run" Program, valued "-p -u -H -M -E --property --unit --host --machine --setenv --uid --gid
        --slice --description --working-directory --on-active --on-calendar";
    "xargs" Program, valued "-I -L -n -P -s -d -E -a --delimiter --max-args --max-procs --max-lines";
    "parallel" Program, valued "-j --jobs -a --arg-file -N -n", runs_input true;
    "npx" Program, letters "c", code "--call", valued "-p --package";
    "uvx bunx" Program, valued "-p --python --from --with --package";
    "uv poetry pipx" Program, subcommand "run",
        valued "-p -m -C --python --module --directory --project --with --extra --group --env-file --spec";
    "direnv" Program, subcommand "exec", own 1;
    "docker podman" Program, subcommand "run", own 1, valued "-v -e -w -u -p -m -h -l --volume --env
        --env-file --workdir --user --name --entrypoint --network --net --publish --mount --memory
        --cpus --hostname --label --platform --pull --gpus --device --cap-add --cap-drop";
    "docker podman" Program, subcommand "exec", own 1,
        valued "-e -w -u --env --env-file --workdir --user";
    "find" Anywhere, script "-exec -execdir -ok -okdir", valued "-name -iname -path -ipath -wholename
        -regex -iregex -lname -type -newer -user -group -perm -size -mtime -mmin -ctime -atime -maxdepth
        -mindepth -samefile -printf";
    "nix-shell" Data, code "--run --command", runs_input true;
    "kubectl bwrap" Anywhere;
    "git" Arguments, code "--exec --upload-pack --receive-pack --extcmd";
    "tar" Arguments, code "--to-command --checkpoint-action --use-compress-program --rsh-command
        --info-script --new-volume-script";
    "split sort rg" Arguments, code "--filter --compress-program --pre";
}
