//! Why a store could not be opened.

use std::io;
use std::path::{Path, PathBuf};

use sqlx::migrate::{MigrateError, Migrator};

use crate::error::Failure;

/// Why a database could not be opened, in words for the operator.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("another lookalike server is using the data directory {}: stop it or give this one another directory", .0.display())]
    InUse(PathBuf),
    #[error(
        "cannot use {} as the data directory: make it writable to the user {user}, or choose \
         another with --data",
        path.display()
    )]
    Directory { path: PathBuf, user: u32, source: io::Error },
    #[error(
        "{} is missing or empty, and it held data before: put the database back from a backup. To \
         begin anew, delete its whole folder",
        .0.display()
    )]
    DatabaseGone(PathBuf),
    #[error(
        "{} is missing or cut short, and the server before ended without closing it: what was \
         written last is lost. Put it back, or delete lookalike.lock beside it to go on without",
        .0.display()
    )]
    LogGone(PathBuf),
    #[error(
        "the database was written by a newer lookalike (schema {found}, this one knows {known}): run that version or a newer one, or \
         use another data directory"
    )]
    NewerSchema { found: i64, known: i64 },
    #[error(
        "the database's schema {0} is not the one that this lookalike makes: it was written by an unreleased version"
    )]
    ForeignSchema(i64),
    #[error("cannot bring the database's schema up to date")]
    Migration(#[source] MigrateError),
    /// Without the address, which may hold a password.
    #[error(
        "the address of the database is not of the form postgres://USER:PASSWORD@HOST:PORT,HOST:PORT/DATABASE"
    )]
    Address(#[source] sqlx::Error),
    #[error("cannot open the database: {failure}")]
    Database { failure: Failure, source: sqlx::Error },
}

impl OpenError {
    /// A folder that the operating system keeps from the server.
    pub(crate) fn unusable(path: &Path, source: io::Error) -> Self {
        let user = rustix::process::geteuid().as_raw();
        Self::Directory { path: path.to_owned(), user, source }
    }

    /// What keeps a database from getting the schema of these migrations.
    pub(crate) fn migrating(migrations: &Migrator, error: MigrateError) -> Self {
        match error {
            MigrateError::VersionMissing(found) => {
                Self::NewerSchema { found, known: latest(migrations) }
            }
            MigrateError::VersionMismatch(version) => Self::ForeignSchema(version),
            MigrateError::Execute(source) | MigrateError::ExecuteMigration(source, _) => {
                source.into()
            }
            error => Self::Migration(error),
        }
    }
}

/// The version of the schema that these migrations make.
pub(crate) fn latest(migrations: &Migrator) -> i64 {
    migrations.iter().map(|migration| migration.version).max().unwrap_or(0)
}

impl From<sqlx::Error> for OpenError {
    fn from(source: sqlx::Error) -> Self {
        Self::Database { failure: Failure::of(&source), source }
    }
}
