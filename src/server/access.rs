//! Who may call: what the options and the credentials file mean together.

use std::path::Path;

use aws_json::auth::{AuthMode, Credentials};
use tracing::warn;

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
