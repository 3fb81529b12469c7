//! Tests of what command lines run as code.

use super::{Argument, Inserted, run_as_code};

/// `$` is a foreign value, alone or at the end of a word; `%` one of a person.
pub(super) fn args(line: &str) -> Vec<Argument<'_>> {
    line.split(' ')
        .map(|word| {
            let inserted = match word.chars().last() {
                Some('$') => Inserted::Foreign,
                Some('%') => Inserted::Unknown,
                _ => Inserted::Nothing,
            };
            let known = word.trim_end_matches(['$', '%']);
            Argument { known, inserted }
        })
        .collect()
}

#[test]
fn code_is_found_where_interpreters_take_it() {
    for (line, expected) in [
        ("sh -c $", &[2][..]),
        ("sh -c %", &[2]),
        ("sh -c echo _ $", &[]),
        ("/bin/bash -euo pipefail -c echo$ $", &[4]),
        ("bash -eco pipefail $", &[3]),
        ("bash -lc $", &[2]),
        ("bash -c code bash $", &[]),
        ("bash -c code bash bash -c $", &[6]),
        ("sh -c -e $", &[3]),
        ("sh -$ x", &[1]),
        ("sh -x$ x", &[1]),
        ("node --$", &[1]),
        ("awk -F$ code", &[1]),
        ("bash -o errexit -c $", &[4]),
        ("sh -cecho$", &[1]),
        ("bash-static -c $", &[2]),
        ("python3.12 -c $", &[2]),
        ("python3 -c code $", &[]),
        ("python3 -W error -c $", &[4]),
        ("python3 tool.py -c $", &[]),
        ("perl -ne print -e $", &[4]),
        ("perl -ne print $", &[3]),
        ("perl -ne print -- $", &[4]),
        ("perl -e print -- $", &[]),
        ("perl -e print $", &[3]),
        ("ruby -e $", &[2]),
        ("node --eval=$", &[1]),
        ("node -p $", &[2]),
        ("deno eval $", &[2]),
        ("php -r $", &[2]),
        ("awk -F : $ file", &[3]),
        ("awk -f prog.awk", &[]),
        ("awk -v x=$ code", &[]),
        ("sed -e s/a/b/ -e $", &[4]),
        ("sed -n p $", &[3]),
        ("sed -n p a $ -- $", &[4]),
        ("sed -n $", &[2]),
        ("ssh host ls $", &[3]),
        ("ssh % uptime", &[]),
        ("watch -n 1 ls $", &[4]),
        ("git -c $ log", &[]),
        ("apt-get install bash sed eval $", &[]),
        ("npm run watch $", &[]),
        ("grep -e $", &[]),
        ("echo $ $", &[]),
        ("make $", &[1]),
        ("make VERSION=$", &[1]),
        ("make VERSION=%", &[]),
        ("timeout 5 make -C dir -j 4 $ all", &[7]),
        ("psql -d shop -c $", &[4]),
        ("psql -d $ -c code", &[]),
        ("psql -c code a $", &[4]),
        ("psql -f $", &[2]),
        ("sqlite3 runs.db $", &[2]),
        ("sqlite3 -json runs.db .mode $", &[4]),
        ("duckdb -cmd $", &[2]),
        ("git rebase --exec $", &[3]),
        ("git switch -c $", &[]),
        ("git log --since=$ -n$", &[]),
        ("git add make $", &[]),
        ("sort -k$ file", &[]),
        ("git bisect run sh -c $", &[5]),
        ("tar --to-command=$ -xf a", &[1]),
        ("sort --compress-program $", &[2]),
        ("rsync -avze $ a b", &[2]),
        ("rsync -a -- $ b", &[]),
        ("ssh -o $ host", &[2]),
        ("ssh -oProxyCommand=$ host", &[1]),
        ("ssh -p % host", &[]),
        ("scp -- $ host:", &[]),
        ("vim -c $", &[2]),
    ] {
        assert_eq!(run_as_code(&args(line)).arguments, expected, "{line}");
    }
}

#[test]
fn programs_are_followed_to_what_they_start() {
    for (line, expected) in [
        ("$ x", &[0][..]),
        ("env -i A=b bash -c $", &[5]),
        ("env A=$ cat", &[]),
        ("env BASH_ENV=$ cat", &[1]),
        ("env -u A PATH=a:$ cat", &[3]),
        ("env PATH=% cat", &[]),
        ("sudo LD_PRELOAD=$ cat", &[1]),
        ("docker run -e NODE_OPTIONS=$ image", &[3]),
        ("docker run --env=PATH=$ image", &[2]),
        ("docker run -e NAME=$ image", &[]),
        ("unshare -r $", &[2]),
        ("uv run --with a $", &[4]),
        ("systemd-run --user $", &[2]),
        ("direnv exec . $", &[3]),
        ("env -S echo$", &[2]),
        ("env -S%", &[1]),
        ("env $", &[1]),
        ("env $ -c x", &[1]),
        ("nice env -S $", &[3]),
        ("timeout 9 env -S $", &[4]),
        ("timeout 5 eval $", &[3]),
        ("timeout 5 ssh host $", &[4]),
        ("timeout -k 1 5 wc $", &[]),
        ("nice -n 5 $", &[3]),
        ("nohup setsid $", &[2]),
        ("xargs -n 1 $", &[3]),
        ("xargs -0 sh -c $", &[4]),
        ("flock f $", &[2]),
        ("flock f -c $", &[3]),
        ("find . -exec $ ;", &[3]),
        ("find . -exec sh -c $ ;", &[5]),
        ("find . -name $", &[]),
        ("sudo -u bob zsh -c $", &[5]),
        ("su bob -c $", &[3]),
        ("busybox sh -c $", &[3]),
        ("strace -o log mawk $", &[4]),
        ("npx $", &[1]),
        ("docker run --rm -v /a:/b image $", &[6]),
        ("docker run image wc $", &[]),
        ("docker logs $", &[]),
        ("kubectl exec pod -- $", &[4]),
        ("kubectl get pod $", &[]),
        ("sh entry.sh bash -c $", &[4]),
        ("unknown bash -c $", &[3]),
    ] {
        assert_eq!(run_as_code(&args(line)).arguments, expected, "{line}");
    }
}

#[test]
fn an_untrusted_value_does_not_name_a_script() {
    for (line, expected) in [
        ("sh $", &[1][..]),
        ("sh %", &[]),
        ("sh dir/$", &[1]),
        ("sh -- $", &[2]),
        ("sh x.sh $", &[]),
        ("node -- $", &[2]),
        ("node -r $", &[2]),
        ("perl -- $", &[2]),
        ("bash --rcfile $", &[2]),
        ("awk -f $", &[2]),
        ("awk -f$", &[1]),
        ("sed --file=$", &[1]),
        ("python -m $", &[2]),
    ] {
        assert_eq!(run_as_code(&args(line)).arguments, expected, "{line}");
    }
}

#[test]
fn code_is_found_on_standard_input() {
    for (line, expected) in [
        ("sh", true),
        ("bash -s a", true),
        ("bash -x", true),
        ("bash /dev/fd/0", true),
        ("python3 -", true),
        ("awk -f-", true),
        ("sed -f /dev/stdin", true),
        ("env A=b node", true),
        ("ssh host", true),
        ("ssh host bash", true),
        ("docker run -i image sh", true),
        ("xargs env", true),
        ("xargs sh -c", true),
        ("xargs -I {} sh -c code", true),
        ("nice xargs -n 1 sh -c code", true),
        ("xargs rm", false),
        ("ssh host cat", false),
        ("sh -c cat", false),
        ("timeout 5 bash -c ./dev/stdin", false),
        ("psql shop", true),
        ("psql -d shop -h host", true),
        ("psql -f -", true),
        ("psql -f a.sql", false),
        ("psql -c code", false),
        ("mysql shop", true),
        ("mysql -e code shop", false),
        ("sqlite3", true),
        ("sqlite3 runs.db", true),
        ("sqlite3 -cmd .timer runs.db", true),
        ("sqlite3 runs.db code", false),
        ("ed file", true),
        ("vim -es file", true),
        ("gdb prog", true),
        ("make -f -", true),
        ("make -f-", true),
        ("make all", false),
        ("at now", true),
        ("crontab -", true),
        ("dc", true),
        ("sudo -s", true),
        ("chroot dir", true),
        ("su bob", true),
        ("parallel", true),
        ("xargs", false),
        ("docker run -i image", false),
        ("sed p", false),
        ("sed -f -", true),
        ("sh x.sh", false),
        ("python3 -m json.tool", false),
        ("perl -ne print", false),
        ("grep bash", false),
        ("wc -l", false),
    ] {
        assert_eq!(run_as_code(&args(line)).stdin, expected, "{line}");
    }
}
