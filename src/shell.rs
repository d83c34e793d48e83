//! `lookalike env`: what a shell sets for its programs to call this server.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::listen::{parse_listen, reachable};

/// Print what sends a shell's AWS SDKs here: eval "$(lookalike env)".
#[derive(Debug, Clone, Args)]
pub struct EnvCommand {
    /// The address that the server listens on.
    #[arg(long, env = "LOOKALIKE_LISTEN", default_value = "127.0.0.1:9340", value_parser = parse_listen)]
    listen: SocketAddr,
    /// The shell that reads it; that of $SHELL if not given.
    #[arg(long, value_enum)]
    shell: Option<Shell>,
    /// Print what sends them to AWS again.
    #[arg(long)]
    unset: bool,
}

/// A family of shells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// sh, bash, zsh and their like.
    Sh,
    Fish,
    Powershell,
}

const ENDPOINT: &str = "AWS_ENDPOINT_URL_REKOGNITION";

/// What an open server takes for keys, and a region: SDKs call nothing without them.
const DEFAULTS: [(&str, &str); 3] = [
    ("AWS_ACCESS_KEY_ID", "000000000000"),
    ("AWS_SECRET_ACCESS_KEY", "open"),
    ("AWS_DEFAULT_REGION", "us-east-1"),
];

/// Prints the lines.
pub fn run(command: &EnvCommand) {
    let shell = command.shell.unwrap_or_else(|| Shell::of(std::env::var_os("SHELL")));
    let variable = |name: &str| std::env::var(name).ok();
    print!("{}", lines(command, shell, variable, has_aws_files()));
}

impl Shell {
    fn of(path: Option<std::ffi::OsString>) -> Self {
        let name = path.map(PathBuf::from).and_then(|path| Some(path.file_name()?.to_owned()));
        match name.as_deref().and_then(std::ffi::OsStr::to_str) {
            Some("fish") => Self::Fish,
            Some("pwsh") => Self::Powershell,
            None if cfg!(windows) => Self::Powershell,
            _ => Self::Sh,
        }
    }

    /// Values have nothing in them that a shell would take for its own.
    fn set(self, name: &str, value: &str) -> String {
        match self {
            Self::Sh => format!("export {name}='{value}'"),
            Self::Fish => format!("set -gx {name} '{value}'"),
            Self::Powershell => format!("$env:{name} = '{value}'"),
        }
    }

    fn unset(self, name: &str) -> String {
        match self {
            Self::Sh => format!("unset {name}"),
            Self::Fish => format!("set -e {name}"),
            Self::Powershell => format!("Remove-Item Env:{name} -ErrorAction SilentlyContinue"),
        }
    }

    fn hint(self, unset: bool) -> String {
        let command = if unset { "lookalike env --unset" } else { "lookalike env" };
        match self {
            Self::Sh => format!("# eval \"$({command})\""),
            Self::Fish => format!("# {command} --shell fish | source"),
            Self::Powershell => {
                format!("# {command} --shell powershell | Out-String | Invoke-Expression")
            }
        }
    }
}

/// Keys and a region of the caller's own stay: other services need them, and an open server takes
/// them too.
fn lines(
    command: &EnvCommand,
    shell: Shell,
    variable: impl Fn(&str) -> Option<String>,
    has_aws_files: bool,
) -> String {
    let mut lines = Vec::new();
    if command.unset {
        lines.push(shell.unset(ENDPOINT));
        let ours =
            DEFAULTS[..2].iter().all(|(name, value)| variable(name).as_deref() == Some(value));
        lines.extend(DEFAULTS[..2].iter().filter(|_| ours).map(|(name, _)| shell.unset(name)));
    } else {
        lines.push(shell.set(ENDPOINT, &format!("http://{}", reachable(command.listen))));
        let is_set = |name| variable(name).is_some();
        let has_keys = has_aws_files || is_set("AWS_ACCESS_KEY_ID") || is_set("AWS_PROFILE");
        let has_region = has_aws_files || is_set("AWS_REGION") || is_set("AWS_DEFAULT_REGION");
        for (name, value) in DEFAULTS {
            if !(if name.ends_with("REGION") { has_region } else { has_keys }) {
                lines.push(shell.set(name, value));
            }
        }
    }
    lines.push(shell.hint(command.unset));
    lines.into_iter().fold(String::new(), |mut text, line| {
        let _ = writeln!(text, "{line}");
        text
    })
}

/// Whether the caller has set up keys for AWS in files.
fn has_aws_files() -> bool {
    let named = ["AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"].map(std::env::var_os);
    let own = std::env::home_dir()
        .map(|home| [home.join(".aws/credentials"), home.join(".aws/config")])
        .into_iter()
        .flatten();
    named.into_iter().flatten().map(PathBuf::from).chain(own).any(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(shell: Shell, set: &[(&str, &str)], has_files: bool, unset: bool) -> String {
        let listen = "0.0.0.0:9600".parse().expect("an address");
        let command = EnvCommand { listen, shell: None, unset };
        let variable = |name: &str| {
            set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        lines(&command, shell, variable, has_files)
    }

    #[test]
    fn each_shell_gets_its_own_syntax() {
        assert_eq!(
            printed(Shell::Sh, &[], false, false),
            "export AWS_ENDPOINT_URL_REKOGNITION='http://127.0.0.1:9600'\n\
             export AWS_ACCESS_KEY_ID='000000000000'\n\
             export AWS_SECRET_ACCESS_KEY='open'\n\
             export AWS_DEFAULT_REGION='us-east-1'\n\
             # eval \"$(lookalike env)\"\n"
        );
        assert!(printed(Shell::Fish, &[], false, false).contains("set -gx AWS_DEFAULT_REGION"));
        assert!(
            printed(Shell::Powershell, &[], false, false).contains("$env:AWS_DEFAULT_REGION =")
        );
        assert_eq!(Shell::of(Some("/usr/bin/fish".into())), Shell::Fish);
        assert_eq!(Shell::of(Some("/bin/zsh".into())), Shell::Sh);
    }

    #[test]
    fn keys_of_the_caller_are_let_be() {
        let keys = [("AWS_ACCESS_KEY_ID", "AKIA"), ("AWS_REGION", "eu-west-1")];
        for printed in
            [printed(Shell::Sh, &keys, false, false), printed(Shell::Sh, &[], true, false)]
        {
            assert_eq!(printed.lines().count(), 2, "{printed}");
        }
        assert_eq!(printed(Shell::Sh, &keys, false, true).lines().count(), 2);
        let ours = [("AWS_ACCESS_KEY_ID", "000000000000"), ("AWS_SECRET_ACCESS_KEY", "open")];
        assert!(printed(Shell::Sh, &ours, false, true).contains("unset AWS_SECRET_ACCESS_KEY"));
    }
}
