//! Environment variables that are run as code.

use super::contains;

/// Variables that decide which program runs, or that programs read as code or as options, by their names
/// or by the beginnings of them.
const VARIABLES: &str = "PATH HOME XDG_CONFIG_HOME XDG_CONFIG_DIRS XDG_DATA_DIRS
    BASH_ENV BASH_LOADABLES_PATH ENV SHELL IFS PS4 PROMPT_COMMAND SHELLOPTS BASHOPTS CDPATH FPATH ZDOTDIR INPUTRC
    NODE_OPTIONS NODE_PATH PYTHONPATH PYTHONSTARTUP PYTHONHOME PYTHONUSERBASE
    PYTHONINSPECT PYTHONBREAKPOINT PYTHONWARNINGS
    PERL5OPT PERL5LIB PERLLIB PERL5DB RUBYOPT RUBYLIB GEM_HOME GEM_PATH PHPRC PHP_INI_SCAN_DIR LUA_INIT LUA_PATH LUA_CPATH
    R_PROFILE R_PROFILE_USER R_ENVIRON R_ENVIRON_USER R_LIBS JULIA_LOAD_PATH GUILE_LOAD_PATH TCLLIBPATH
    ERL_FLAGS ERL_AFLAGS ERL_ZFLAGS ELIXIR_ERL_OPTIONS
    JAVA_TOOL_OPTIONS _JAVA_OPTIONS JDK_JAVA_OPTIONS JAVA_OPTS JAVA_HOME MAVEN_OPTS ANT_OPTS SBT_OPTS
    GRADLE_OPTS CLASSPATH
    MAKEFLAGS MFLAGS GNUMAKEFLAGS MAKEFILES AWKPATH AWKLIBPATH
    EDITOR VISUAL PAGER MANPAGER BROWSER LESS LESSOPEN LESSCLOSE LESSKEY LESSKEYIN SYSTEMD_PAGER
    VIMINIT GVIMINIT EXINIT MYVIMRC PSQLRC PSQL_EDITOR PSQL_PAGER SCREENRC
    SSH_ASKPASS SUDO_ASKPASS RSYNC_RSH CVS_RSH SVN_SSH HGRCPATH HGEDITOR
    RUSTC RUSTC_WRAPPER RUSTC_WORKSPACE_WRAPPER RUSTDOC RUSTFLAGS GOFLAGS CC CXX LD CFLAGS CXXFLAGS LDFLAGS
    GCC_EXEC_PREFIX COMPILER_PATH GCONV_PATH GTK_MODULES OPENSSL_CONF GNUPGHOME AWS_CONFIG_FILE TERMINFO TAR_OPTIONS GZIP ZIPOPT RIPGREP_CONFIG_PATH WGETRC CURL_HOME DOCKER_HOST DOCKER_CONFIG KUBECONFIG";
const PREFIXES: [&str; 11] = [
    "LD_",
    "DYLD_",
    "GIT_",
    "BASH_FUNC_",
    "NPM_CONFIG_",
    "PIP_",
    "CARGO_",
    "LUA_INIT_",
    "BUNDLE_",
    "RUSTUP_",
    "ANSIBLE_",
];
/// Variables with such a beginning that are data.
const DATA: &str = "GIT_AUTHOR_NAME GIT_AUTHOR_EMAIL GIT_AUTHOR_DATE GIT_COMMITTER_NAME
    GIT_COMMITTER_EMAIL GIT_COMMITTER_DATE";

/// Whether programs run the value of that environment variable, or let it decide what runs.
///
/// Knows the usual ones; an unknown variable is data.
///
/// # Examples
/// ```
/// assert!(zeph_common::is_code_variable("BASH_ENV"));
/// assert!(!zeph_common::is_code_variable("TITLE"));
/// ```
#[must_use]
pub fn is_code_variable(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let has_prefix = PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    contains(VARIABLES, &name) || (has_prefix && !contains(DATA, &name))
}

#[cfg(test)]
mod tests {
    use super::is_code_variable;

    #[test]
    fn variables_that_run_are_known_by_name_and_by_prefix() {
        for name in [
            "PATH",
            "path",
            "BASH_ENV",
            "LD_PRELOAD",
            "NODE_OPTIONS",
            "GIT_SSH_COMMAND",
            "PYTHONPATH",
            "npm_config_node_options",
        ] {
            assert!(is_code_variable(name), "{name}");
        }
        for name in ["TITLE", "LANG", "GIT_AUTHOR_NAME", "PATHS", "MY_PATH", ""] {
            assert!(!is_code_variable(name), "{name}");
        }
    }
}
