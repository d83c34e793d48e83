//! Verifying a database, beside the servers that use it.

use futures_util::TryStreamExt as _;
use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, Row as _};
use uuid::Uuid;

use super::address::Address;
use super::engine::Engine;
use super::load::SNAPSHOT;
use super::open::MIGRATIONS;
use crate::checksums::checksum;
use crate::open_error::{OpenError, latest};
use crate::report::{MAX_DAMAGE, Report};

/// Each row found is damage, in one column of text.
const RULES: &[&str] = &[
    "SELECT format('the face %s of collection %s has no vector', f.face_id, c.name) FROM faces f
        JOIN collections c ON c.id = f.collection AND NOT c.dropped
        WHERE NOT EXISTS (SELECT FROM vectors v WHERE v.collection = f.collection AND v.face = f.id)",
    "SELECT format('a vector of collection %s has no face', c.name) FROM vectors v
        JOIN collections c ON c.id = v.collection AND NOT c.dropped
        WHERE NOT EXISTS (SELECT FROM faces f WHERE f.collection = v.collection AND f.id = v.face)",
    "SELECT format('the collection %s counts %s faces and holds %s', name, face_count, held) FROM
        (SELECT name, face_count, (SELECT count(*) FROM faces f WHERE f.collection = c.id) AS held
        FROM collections c WHERE NOT dropped) counted WHERE face_count <> held",
    "SELECT format('the collection %s counts %s users and holds %s', name, user_count, held) FROM
        (SELECT name, user_count, (SELECT count(*) FROM users u WHERE u.collection = c.id) AS held
        FROM collections c WHERE NOT dropped) counted WHERE user_count <> held",
    "SELECT format('the user %s of collection %s counts %s faces and has %s', user_id, name, face_count, held) FROM
        (SELECT u.user_id, c.name, u.face_count,
            (SELECT count(*) FROM faces f WHERE f.collection = u.collection AND f.owner = u.id) AS held
        FROM users u JOIN collections c ON c.id = u.collection AND NOT c.dropped) counted WHERE face_count <> held",
    "SELECT format('the face %s of collection %s is of a user who is gone', f.face_id, c.name) FROM faces f
        JOIN collections c ON c.id = f.collection AND NOT c.dropped
        WHERE f.owner IS NOT NULL AND NOT EXISTS (SELECT FROM users u WHERE u.collection = f.collection AND u.id = f.owner)",
    "SELECT format('the collection %s gives new faces the numbers of old ones', name) FROM collections c
        WHERE NOT dropped AND next_row <= greatest(
            (SELECT max(id) FROM faces f WHERE f.collection = c.id), (SELECT max(id) FROM users u WHERE u.collection = c.id))",
    "SELECT format('the last change of collection %s is not noted: nodes cannot keep in step', name) FROM collections c
        WHERE NOT dropped AND NOT EXISTS
            (SELECT FROM changes h WHERE h.collection = c.id AND h.version = c.version AND h.nonce = c.nonce)",
];

const TOTALS: &str =
    "SELECT count(*), coalesce(sum(face_count), 0)::bigint FROM collections WHERE NOT dropped";

const VECTORS: &str = "SELECT v.face, v.vector, v.checksum, f.face_id, c.name FROM vectors v
    JOIN collections c ON c.id = v.collection AND NOT c.dropped
    JOIN faces f ON f.collection = v.collection AND f.id = v.face";

/// Reads all that a database holds, as it is at one moment. Fails when it cannot be read.
pub async fn check(address: &Address) -> Result<Report, OpenError> {
    let mut connection = Engine::new(address).connect().await?;
    let found: i64 = sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations")
        .fetch_one(&mut connection)
        .await?;
    let mut report = Report::default();
    let remedy = "this database: start a server once to upgrade it, then check again";
    if report.has_known_schema(found, latest(&MIGRATIONS), remedy)? {
        check_rows(&mut connection, &mut report).await?;
    }
    report.damage.truncate(MAX_DAMAGE);
    Ok(report)
}

async fn check_rows(connection: &mut PgConnection, report: &mut Report) -> sqlx::Result<()> {
    let mut snapshot = connection.begin_with(SNAPSHOT).await?;
    let (collections, faces): (i64, i64) = sqlx::query_as(TOTALS).fetch_one(&mut *snapshot).await?;
    (report.collections, report.faces) = (collections as u64, faces as u64);
    for rule in RULES {
        let found = sqlx::query_scalar::<_, String>(*rule).fetch_all(&mut *snapshot).await?;
        report.damage.extend(found);
    }
    let mut rows = sqlx::query(VECTORS).fetch(&mut *snapshot);
    while let Some(row) = rows.try_next().await? {
        let (face, stored): (i64, i64) = (row.try_get(0)?, row.try_get(2)?);
        if stored != checksum(face, row.try_get(1)?) {
            let (face_id, collection): (Uuid, String) = (row.try_get(3)?, row.try_get(4)?);
            report.vector_is_damaged(face_id, &collection);
        }
    }
    Ok(())
}
