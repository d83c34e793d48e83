//! Verifying a data folder that no server uses.

use std::path::Path;

use futures_util::TryStreamExt as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Row as _};
use uuid::Uuid;

use super::folder::Folder;
use super::open::MIGRATIONS;
use crate::checksums::checksum;
use crate::open_error::{OpenError, latest};
use crate::report::{MAX_DAMAGE, Report};

/// Each row found is damage, in one column of text.
const RULES: &[&str] = &[
    "SELECT 'the face ' || hex(face_id) || ' has no vector' FROM faces f
        WHERE NOT EXISTS (SELECT 1 FROM vectors v WHERE v.collection = f.collection AND v.face = f.id)
        AND EXISTS (SELECT 1 FROM collections c WHERE c.id = f.collection AND c.dropped = 0)",
    "SELECT 'a vector of collection ' || c.name || ' has no face' FROM vectors v
        JOIN collections c ON c.id = v.collection AND c.dropped = 0
        WHERE NOT EXISTS (SELECT 1 FROM faces f WHERE f.id = v.face AND f.collection = v.collection)",
    "SELECT 'the collection ' || name || ' counts ' || face_count || ' faces and holds ' || held FROM
        (SELECT name, face_count, (SELECT count(*) FROM faces f WHERE f.collection = c.id) AS held
        FROM collections c WHERE dropped = 0) WHERE face_count <> held",
    "SELECT 'the collection ' || name || ' counts ' || user_count || ' users and holds ' || held FROM
        (SELECT name, user_count, (SELECT count(*) FROM users u WHERE u.collection = c.id) AS held
        FROM collections c WHERE dropped = 0) WHERE user_count <> held",
    "SELECT 'a row of ' || \"table\" || ' refers to a missing row of ' || parent
        FROM pragma_foreign_key_check",
];

const VECTORS: &str = "SELECT v.face, v.vector, v.checksum, f.face_id, c.name FROM vectors v
    JOIN collections c ON c.id = v.collection AND c.dropped = 0
    JOIN faces f ON f.id = v.face";

/// Reads all that a folder holds. Fails when a server uses it, or when it cannot be read at all.
pub async fn check(path: &Path) -> Result<Report, OpenError> {
    let folder = Folder::open_existing(path)?;
    let options =
        SqliteConnectOptions::new().filename(folder.database()).pragma("query_only", "ON");
    let mut connection = options.connect().await?;
    let mut report = Report::default();
    let lines: Vec<String> =
        sqlx::query_scalar("PRAGMA integrity_check").fetch_all(&mut connection).await?;
    report.damage.extend(lines.into_iter().filter(|line| line != "ok"));
    if !report.damage.is_empty() {
        // What is read from a broken tree would be more confusing than helpful.
        return Ok(report);
    }
    let found: i64 = sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations")
        .fetch_one(&mut connection)
        .await?;
    let remedy = "this folder: start the server once to upgrade it, then check again";
    if report.has_known_schema(found, latest(&MIGRATIONS), remedy)? {
        check_rows(&mut connection, &mut report).await?;
    }
    report.damage.truncate(MAX_DAMAGE);
    Ok(report)
}

async fn check_rows(connection: &mut SqliteConnection, report: &mut Report) -> sqlx::Result<()> {
    let (collections, faces): (i64, i64) = sqlx::query_as(
        "SELECT count(*), ifnull(sum(face_count), 0) FROM collections WHERE dropped = 0",
    )
    .fetch_one(&mut *connection)
    .await?;
    (report.collections, report.faces) = (collections as u64, faces as u64);
    for rule in RULES {
        report
            .damage
            .extend(sqlx::query_scalar::<_, String>(*rule).fetch_all(&mut *connection).await?);
    }
    let mut rows = sqlx::query(VECTORS).fetch(connection);
    while let Some(row) = rows.try_next().await? {
        let (face, stored): (i64, Option<i64>) = (row.try_get(0)?, row.try_get(2)?);
        if stored != Some(checksum(face, row.try_get(1)?)) {
            let (face_id, collection): (Uuid, String) = (row.try_get(3)?, row.try_get(4)?);
            report.vector_is_damaged(face_id, &collection);
        }
    }
    Ok(())
}
