//! Opening a data directory: locks, schemas and damaged files.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use lookalike_store::{Failure, Location, OpenError, Sqlite, Store, StoreError};
use sqlx::ConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use crate::contract::{assert_fails, image_of, new_collection, tenant};

const FILE: &str = "lookalike.sqlite3";

fn at(directory: &Path) -> Location {
    Location::Directory(directory.to_owned())
}

/// Opens and expects a refusal.
async fn refusal(directory: &Path) -> OpenError {
    match Sqlite::open(&at(directory)).await {
        Ok(_) => panic!("it opened"),
        Err(error) => error,
    }
}

async fn directly(directory: &Path) -> SqliteConnection {
    SqliteConnectOptions::new().filename(directory.join(FILE)).connect().await.unwrap()
}

/// A data directory that a server has used.
async fn used() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let store = Sqlite::open(&at(directory.path())).await.unwrap();
    store.create_collection(&tenant("1", "r"), new_collection("staff")).await.unwrap();
    store.close().await;
    directory
}

#[tokio::test]
async fn makes_the_directory_and_leaves_one_file_when_closed() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("a/b");
    let store = Sqlite::open(&at(&directory)).await.unwrap();
    store.create_collection(&tenant("1", "r"), new_collection("staff")).await.unwrap();
    store.close().await;
    let mut files: Vec<_> =
        fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    files.sort();
    assert_eq!(files, ["lookalike.lock", FILE], "the write-ahead log was not folded in");
}

#[tokio::test]
async fn two_servers_cannot_share_a_directory() {
    let directory = tempfile::tempdir().unwrap();
    let first = Sqlite::open(&at(directory.path())).await.unwrap();
    let error = refusal(directory.path()).await;
    assert!(matches!(&error, OpenError::InUse(path) if path == directory.path()), "{error:?}");
    assert!(error.to_string().contains("another lookalike server is using the data directory"));
    first.close().await;
    let second = Sqlite::open(&at(directory.path())).await.unwrap();
    // Dropped without being closed, it lets go as soon as its writer has ended.
    drop(second);
    for _ in 0..100 {
        if Sqlite::open(&at(directory.path())).await.is_ok() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("a dropped store holds its lock");
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_left_alone() {
    let directory = used().await;
    let insert = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (9, 'later', 1, x'00', 0)";
    sqlx::query(insert).execute(&mut directly(directory.path()).await).await.unwrap();
    let error = refusal(directory.path()).await;
    assert!(matches!(error, OpenError::NewerSchema { found: 9, known: 3 }), "{error:?}");
    assert!(
        error.to_string().contains("written by a newer lookalike (schema 9, this one knows 3)"),
        "{error}"
    );

    let delete = "DELETE FROM _sqlx_migrations WHERE version = 9";
    sqlx::query(delete).execute(&mut directly(directory.path()).await).await.unwrap();
    let store = Sqlite::open(&at(directory.path())).await.unwrap();
    store.collection(&tenant("1", "r"), "staff").await.unwrap();
}

#[tokio::test]
async fn a_foreign_schema_is_refused() {
    let directory = used().await;
    sqlx::query("UPDATE _sqlx_migrations SET checksum = x'00'")
        .execute(&mut directly(directory.path()).await)
        .await
        .unwrap();
    let error = refusal(directory.path()).await;
    assert!(matches!(error, OpenError::ForeignSchema(1)), "{error:?}");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let junk = "no database ".repeat(1000);
    fs::write(directory.path().join(FILE), &junk).unwrap();
    let error = refusal(directory.path()).await;
    assert!(matches!(error, OpenError::Database { failure: Failure::Corrupt, .. }), "{error:?}");
    assert!(error.to_string().contains("damaged or is no database"), "{error}");
    assert_eq!(
        fs::read_to_string(directory.path().join(FILE)).unwrap(),
        junk,
        "the user's file was changed"
    );
}

#[tokio::test]
async fn a_damaged_database_is_reported_and_not_answered_from() {
    let directory = used().await;
    let path = directory.path().join(FILE);
    let mut bytes = fs::read(&path).unwrap();
    // All but the header and the schema's first page.
    bytes[4096..].fill(0x5a);
    fs::write(&path, bytes).unwrap();
    let failure = match Sqlite::open(&at(directory.path())).await {
        Err(OpenError::Database { failure, .. }) => failure,
        Err(error) => panic!("{error:?}"),
        Ok(store) => match store.collection(&tenant("1", "r"), "staff").await {
            Err(StoreError::Database { failure, .. }) => failure,
            other => panic!("{other:?}"),
        },
    };
    assert_eq!(failure, Failure::Corrupt);
}

#[tokio::test]
async fn a_path_that_is_a_file_is_refused() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("file");
    fs::write(&path, "").unwrap();
    let error = refusal(&path).await;
    assert!(matches!(error, OpenError::Directory { .. }), "{error:?}");
    assert!(error.to_string().starts_with("cannot use "), "{error}");
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[tokio::test]
async fn only_the_owner_may_read_the_data() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("data");
    // Once as it is made, and once as an earlier version made it.
    for _ in 0..2 {
        let store = Sqlite::open(&at(&directory)).await.unwrap();
        assert_eq!(mode(&directory), 0o700);
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            assert_eq!(mode(&path), 0o600, "{}", path.display());
        }
        store.close().await;
        set_mode(&directory, 0o755);
        set_mode(&directory.join(FILE), 0o644);
        set_mode(&directory.join("lookalike.lock"), 0o644);
    }
    // A folder that holds other files keeps its permissions.
    fs::write(directory.join("notes.txt"), "").unwrap();
    let _store = Sqlite::open(&at(&directory)).await.unwrap();
    assert_eq!((mode(&directory), mode(&directory.join(FILE))), (0o755, 0o600));
}

#[tokio::test]
async fn writes_stop_when_the_files_are_deleted_or_replaced() {
    let wal = "lookalike.sqlite3-wal";
    for harm in ["folder", "log", "moved", "replaced"] {
        let parent = tempfile::tempdir().unwrap();
        let directory = parent.path().join("data");
        let store = Sqlite::open(&at(&directory)).await.unwrap();
        let staff =
            store.create_collection(&tenant("1", "r"), new_collection("staff")).await.unwrap();
        store.check_ready().await.unwrap();
        match harm {
            "folder" => fs::remove_dir_all(&directory).unwrap(),
            "log" => fs::remove_file(directory.join(wal)).unwrap(),
            "moved" => fs::rename(&directory, parent.path().join("elsewhere")).unwrap(),
            _ => {
                fs::copy(directory.join(FILE), directory.join("copy")).unwrap();
                fs::rename(directory.join("copy"), directory.join(FILE)).unwrap();
            }
        }
        let refused = store.index_faces(image_of(&staff, "photo", None, 1)).await;
        assert!(matches!(refused, Err(StoreError::FilesReplaced(_))), "{harm}: {refused:?}");
        let text = refused.unwrap_err().to_string();
        assert!(text.contains("deleted or replaced while the server ran"), "{text}");
        // What was found stands for a second.
        tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
        assert_fails!(store.check_ready().await, StoreError::FilesReplaced(_));
        assert!(!directory.join(FILE).exists() || harm != "folder", "it was made anew");
    }
}

#[tokio::test]
async fn a_lost_database_does_not_become_a_new_one() {
    for harm in ["deleted", "emptied"] {
        let directory = used().await;
        let path = directory.path().join(FILE);
        if harm == "deleted" {
            fs::remove_file(&path).unwrap();
        } else {
            fs::write(&path, "").unwrap();
        }
        let error = refusal(directory.path()).await;
        assert!(matches!(&error, OpenError::DatabaseGone(gone) if *gone == path), "{error:?}");
        assert!(error.to_string().contains("is missing or empty, and it held data before"));
        assert!(fs::metadata(&path).map_or(0, |file| file.len()) == 0, "it was made anew");
    }
}

#[tokio::test]
async fn a_lost_log_is_noticed() {
    let directory = tempfile::tempdir().unwrap();
    let store = Sqlite::open(&at(directory.path())).await.unwrap();
    store.create_collection(&tenant("1", "r"), new_collection("staff")).await.unwrap();
    // What a crash leaves, but for the log.
    let crashed = tempfile::tempdir().unwrap();
    for name in [FILE, "lookalike.lock"] {
        fs::copy(directory.path().join(name), crashed.path().join(name)).unwrap();
    }
    let log = crashed.path().join("lookalike.sqlite3-wal");
    for content in [None, Some("cut short")] {
        if let Some(content) = content {
            fs::write(&log, content).unwrap();
        }
        let error = refusal(crashed.path()).await;
        assert!(matches!(&error, OpenError::LogGone(gone) if *gone == log), "{error:?}");
    }
    fs::copy(directory.path().join("lookalike.sqlite3-wal"), &log).unwrap();
    let recovered = Sqlite::open(&at(crashed.path())).await.unwrap();
    recovered.collection(&tenant("1", "r"), "staff").await.unwrap();
}
