//! Environment variables that nothing reads: a mistyped option must not be ignored in silence.

use std::ffi::OsString;

use clap::Command;
use thiserror::Error;

const PREFIX: &str = "LOOKALIKE_";
/// What is read without being an option, by the server or by its tools and tests.
const OTHERS: [&str; 6] = [
    "LOOKALIKE_LOG",
    "LOOKALIKE_HOME",
    "LOOKALIKE_URL",
    "LOOKALIKE_BIN",
    "LOOKALIKE_SHARED",
    "LOOKALIKE_WORK",
];
/// How alike two names are, of 1, if one is meant by the other.
const ALIKE: f64 = 0.7;

/// A variable that is none of the server's.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum UnknownVariable {
    #[error("there is no environment variable {0}; did you mean {1}?")]
    Similar(String, String),
    #[error("there is no environment variable {0}; `lookalike --help` lists them all")]
    Unlike(String),
}

/// Refuses variables that begin as the server's do but are none of them.
pub fn check(
    command: &Command,
    variables: impl Iterator<Item = (OsString, OsString)>,
) -> Result<(), UnknownVariable> {
    let mut known: Vec<String> = OTHERS.iter().map(ToString::to_string).collect();
    collect(command, &mut known);
    for (name, value) in variables {
        let (name, value) = (name.to_string_lossy(), value.to_string_lossy());
        let Some(rest) = name.strip_prefix(PREFIX) else { continue };
        if known.iter().any(|known| *known == name) || is_service_link(rest, &value) {
            continue;
        }
        let likeness = |known: &String| strsim::jaro_winkler(&known[PREFIX.len()..], rest);
        let similar = known.iter().filter(|known| likeness(known) > ALIKE);
        let most = similar.max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
        return Err(match most {
            Some(most) => UnknownVariable::Similar(name.into_owned(), most.clone()),
            None => UnknownVariable::Unlike(name.into_owned()),
        });
    }
    Ok(())
}

/// The variables of a command's options and of its subcommands'.
fn collect(command: &Command, known: &mut Vec<String>) {
    let variables = command.get_arguments().filter_map(clap::Arg::get_env);
    known.extend(variables.map(|name| name.to_string_lossy().into_owned()));
    command.get_subcommands().for_each(|command| collect(command, known));
}

/// Kubernetes describes a service named `lookalike` to every container in variables of its own:
/// `LOOKALIKE_SERVICE_HOST`, `LOOKALIKE_PORT=tcp://…`, `LOOKALIKE_PORT_9340_TCP_ADDR`.
fn is_service_link(rest: &str, value: &str) -> bool {
    ["SERVICE_HOST", "SERVICE_PORT", "_TCP", "_UDP"].iter().any(|mark| rest.contains(mark))
        || ["tcp://", "udp://"].iter().any(|scheme| value.starts_with(scheme))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::config::Cli;

    fn check_one(name: &str, value: &str) -> Result<(), String> {
        let variables = [(name.into(), value.into())];
        check(&Cli::command(), variables.into_iter()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_mistyped_variable_is_refused_with_what_was_meant() {
        for (wrong, meant) in [
            ("LOOKALIKE_LISTN", "LOOKALIKE_LISTEN"),
            ("LOOKALIKE_CREDENTIAL", "LOOKALIKE_CREDENTIALS"),
            ("LOOKALIKE_LOG_LEVEL", "LOOKALIKE_LOG"),
            ("LOOKALIKE_MODEL_MIRROR", "LOOKALIKE_MODELS_MIRROR"),
        ] {
            let refusal = check_one(wrong, "x").expect_err(wrong);
            assert!(refusal.contains(wrong) && refusal.contains(meant), "{refusal}");
        }
        assert!(check_one("LOOKALIKE_QQQ", "x").expect_err("unknown").contains("--help"));
        assert!(check_one("LOOKALIKE_PORT", "9340").is_err());
    }

    #[test]
    fn options_other_programs_and_service_links_are_let_be() {
        for (name, value) in [
            ("LOOKALIKE_LISTEN", "x"),
            ("LOOKALIKE_LOG", "debug"),
            ("LOOKALIKE_SERVICE_HOST", "10.0.0.1"),
            ("LOOKALIKE_SERVICE_PORT_HTTP", "9340"),
            ("LOOKALIKE_PORT", "tcp://10.0.0.1:9340"),
            ("LOOKALIKE_PORT_9340_TCP_ADDR", "10.0.0.1"),
            ("PATH", "/bin"),
        ] {
            assert_eq!(check_one(name, value), Ok(()), "{name}");
        }
    }
}
