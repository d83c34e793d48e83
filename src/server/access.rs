//! Who may call: what the options and the credentials file mean together.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use aws_json::auth::{Auth, AuthMode, Credentials};
use aws_json::causes;
use tracing::{error, info, warn};

use super::browsers::AllowedOrigin;
use crate::app::StartError;
use crate::config::{AuthConfig, AuthKind};

/// The mode that the options ask for. A credentials file is never ignored: it means `verify`, and
/// `open` beside one is refused.
pub(super) fn auth_mode(config: &AuthConfig) -> Result<AuthMode, StartError> {
    match (config.auth, &config.credentials) {
        (None | Some(AuthKind::Open), None) => Ok(AuthMode::Open),
        (None | Some(AuthKind::Verify), Some(file)) => {
            let keys = Credentials::load(file)?;
            warn_if_readable_by_others(file);
            Ok(AuthMode::Verify(keys))
        }
        (Some(AuthKind::Open), Some(file)) => Err(StartError::OpenWithCredentials(file.clone())),
        (Some(AuthKind::Verify), None) => Err(StartError::VerifyWithoutCredentials),
    }
}

/// States once what an open server lets others do.
pub(super) fn warn_if_exposed(
    addresses: impl Iterator<Item = SocketAddr>,
    origins: &[AllowedOrigin],
) {
    for listen in addresses.filter(|address| !address.ip().is_loopback()) {
        warn!(
            address = %listen,
            "anyone who can reach this address may read and delete every collection: give callers keys \
             with --credentials, or listen on 127.0.0.1"
        );
    }
    if origins.contains(&AllowedOrigin::Any) {
        warn!("--cors-origin * lets every page in a browser read and delete every collection");
    }
}

/// SIGHUP, which asks for the credentials file to be read again.
pub(super) struct Reload {
    file: Option<PathBuf>,
    #[cfg(unix)]
    hangups: Option<tokio::signal::unix::Signal>,
}

impl Reload {
    /// Listens from now on, so that a signal at start does not end the process.
    pub(super) fn new(file: Option<PathBuf>) -> Self {
        #[cfg(unix)]
        {
            let hangups = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup());
            if let Err(error) = &hangups {
                warn!(%error, "SIGHUP cannot be caught: restart the server to change its keys");
            }
            Self { file, hangups: hangups.ok() }
        }
        #[cfg(not(unix))]
        Self { file }
    }

    /// Reads the keys anew at every signal; never returns.
    pub(super) async fn run(self, auth: &Auth) {
        #[cfg(unix)]
        if let Some(mut hangups) = self.hangups {
            while hangups.recv().await.is_some() {
                reload(self.file.as_deref(), auth);
            }
        }
        std::future::pending::<()>().await;
    }
}

/// Puts the keys of a file in force; with a mistake in it the old ones stay.
fn reload(file: Option<&Path>, auth: &Auth) {
    let Some(file) = file else {
        info!("SIGHUP: there is no credentials file to read again");
        return;
    };
    let shown = file.display();
    match Credentials::load(file) {
        Ok(keys) => {
            warn_if_readable_by_others(file);
            info!(file = %shown, keys = keys.count(), "credentials reloaded");
            auth.replace_keys(keys);
        }
        Err(failure) => {
            let cause = causes(&failure);
            error!(error = %failure, cause, "credentials not reloaded: the old keys stay in force");
        }
    }
}

#[cfg(unix)]
fn warn_if_readable_by_others(file: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    let Ok(metadata) = file.metadata() else { return };
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        let mode = format!("{mode:04o}");
        warn!(file = %file.display(), mode, "other users can read the credentials file: chmod 600 it");
    }
}

#[cfg(not(unix))]
fn warn_if_readable_by_others(_file: &Path) {}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    const KEYS: &str = r#"
        [[key]]
        access_key_id = "AKIDALICE"
        secret_access_key = "hush"
        account = "123456789012"
        user = "alice"
    "#;

    fn mode(auth: Option<AuthKind>, credentials: Option<PathBuf>) -> Result<AuthMode, StartError> {
        auth_mode(&AuthConfig { auth, credentials })
    }

    #[test]
    fn a_credentials_file_is_never_ignored() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("keys.toml");
        std::fs::write(&file, KEYS).expect("writes");
        for auth in [None, Some(AuthKind::Verify)] {
            assert!(matches!(mode(auth, Some(file.clone())), Ok(AuthMode::Verify(_))));
        }
        let contradiction = mode(Some(AuthKind::Open), Some(file.clone()));
        assert!(matches!(contradiction, Err(StartError::OpenWithCredentials(_))));
        for auth in [None, Some(AuthKind::Open)] {
            assert!(matches!(mode(auth, None), Ok(AuthMode::Open)));
        }
        std::fs::write(&file, "[[key").expect("writes");
        assert!(matches!(mode(None, Some(file)), Err(StartError::Credentials(_))));
    }
}
