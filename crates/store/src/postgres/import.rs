//! Collections written as a whole: a dropped collection that is filled, and then is dropped no more.

use std::collections::HashMap;

use async_trait::async_trait;
use sqlx::postgres::PgConnection;

use super::collections::{self, FIRST_CHANGE};
use super::import_rows;
use super::rows::CollectionRow;
use super::tags;
use super::transaction::{Effect, Transaction, nonce};
use super::writer::{Target, Write};
use crate::change::Change;
use crate::error::{Entity, Quota, StoreError, StoreResult};
use crate::rows::{Collection, CollectionKey};
use crate::tenant::Tenant;
use crate::transfer::{Import, NewImport, TransferRows};
use crate::{MAX_FACES_PER_COLLECTION, MAX_FACES_PER_USER};

/// How long an import may rest, in milliseconds, before any node clears it away.
const REST: i64 = 10 * 60 * 1000;

const BEGIN: &str = "INSERT INTO collections (account, region, name, model_version, pack_name, pack_version, created_at, nonce, dropped, importing_until)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, true, $9) RETURNING id";

const EXTEND: &str = "UPDATE collections SET importing_until = $2 WHERE id = $1";

const COUNT_FACES_OF_USERS: &str = "UPDATE users u SET face_count = u.face_count + gained.faces
    FROM unnest($2::bigint[], $3::bigint[]) gained (id, faces) WHERE u.collection = $1 AND u.id = gained.id
    RETURNING u.face_count";

// Locked in ascending order, as a reset does, so that nobody waits for one who waits for him.
const LOCK_NAMES: &str = "SELECT c.id, c.account, c.region, c.name FROM collections c
    JOIN unnest($1::text[], $2::text[], $3::text[]) wanted (account, region, name) USING (account, region, name)
    WHERE NOT c.dropped ORDER BY c.id FOR UPDATE OF c";

const REPLACE: &str = "WITH gone AS (
        UPDATE collections SET dropped = true, version = version + 1, nonce = $2 WHERE id = $1 RETURNING id, version
    )
    INSERT INTO changes (collection, version, nonce, faces, users) SELECT id, version, $2, '{}', '{}' FROM gone";

const SHOW: &str = concat!(
    "UPDATE collections SET dropped = false, importing_until = NULL WHERE id = $1 AND importing_until IS NOT NULL RETURNING ",
    collections::columns!()
);

const ABANDON: &str = "UPDATE collections SET importing_until = NULL
    WHERE id = ANY($1) AND importing_until IS NOT NULL RETURNING id";

pub(super) struct Begin {
    pub(super) tenant: Tenant,
    pub(super) new: NewImport,
    pub(super) now: i64,
}

#[async_trait]
impl Write for Begin {
    type Output = Import;

    fn target(&self) -> Target {
        Target::Many
    }

    async fn apply(&self, transaction: &mut Transaction<'_>) -> StoreResult<Import> {
        let Self { tenant, new, now } = self;
        let nonce = nonce();
        let id: i64 = sqlx::query_scalar(BEGIN)
            .bind(&tenant.account)
            .bind(&tenant.region)
            .bind(&new.name)
            .bind(&new.model_version)
            .bind(&new.pack.name)
            .bind(&new.pack.version)
            .bind(new.created_at)
            .bind(nonce)
            .bind(now + REST)
            .fetch_one(&mut *transaction.connection)
            .await?;
        let first = sqlx::query(FIRST_CHANGE).bind(id).bind(nonce);
        first.execute(&mut *transaction.connection).await?;
        tags::insert(transaction.connection, id, &new.tags).await?;
        transaction.effect = Effect::Written;
        Ok(Import { key: CollectionKey(id), tenant: tenant.clone(), name: new.name.clone() })
    }
}

pub(super) struct Rows {
    pub(super) import: Import,
    pub(super) rows: TransferRows,
    pub(super) now: i64,
}

#[async_trait]
impl Write for Rows {
    type Output = ();

    fn target(&self) -> Target {
        Target::Import(self.import.key)
    }

    async fn apply(&self, transaction: &mut Transaction<'_>) -> StoreResult<()> {
        let Self { import, rows, now } = self;
        let locked = transaction.locked(&import.name)?;
        let first = locked.next_row;
        match rows {
            TransferRows::Users(users) => {
                locked.next_row += users.len() as i64;
                locked.user_count += users.len() as i64;
                import_rows::users(transaction.connection, import.key, first, users).await?;
            }
            TransferRows::Faces(faces) => {
                locked.next_row += faces.len() as i64;
                locked.face_count += faces.len() as i64;
                if locked.face_count as u64 > MAX_FACES_PER_COLLECTION {
                    return Err(StoreError::Quota(Quota::FacesPerCollection));
                }
                let connection = &mut *transaction.connection;
                let gained = import_rows::faces(connection, import.key, first, faces).await?;
                count_faces(connection, import.key, gained).await?;
            }
        }
        let extend = sqlx::query(EXTEND).bind(import.key.0).bind(now + REST);
        extend.execute(&mut *transaction.connection).await?;
        transaction.effect = Effect::Changed;
        Ok(())
    }
}

/// Adds to what users count.
async fn count_faces(
    connection: &mut PgConnection,
    collection: CollectionKey,
    gained: HashMap<i64, i64>,
) -> StoreResult<()> {
    if gained.is_empty() {
        return Ok(());
    }
    let (users, faces): (Vec<i64>, Vec<i64>) = gained.into_iter().unzip();
    let counts: Vec<i64> = sqlx::query_scalar(COUNT_FACES_OF_USERS)
        .bind(collection.0)
        .bind(users)
        .bind(faces)
        .fetch_all(connection)
        .await?;
    if counts.into_iter().any(|count| count as usize > MAX_FACES_PER_USER) {
        return Err(StoreError::Quota(Quota::FacesPerUser));
    }
    Ok(())
}

fn ended(import: &Import) -> StoreError {
    StoreError::NotFound(Entity::Collection(import.name.clone()))
}

fn exists(import: &Import) -> StoreError {
    StoreError::AlreadyExists(Entity::Collection(import.name.clone()))
}

pub(super) struct Finish {
    pub(super) imports: Vec<Import>,
    pub(super) replace: bool,
}

/// Account, region and name.
type FullName<'a> = (&'a str, &'a str, &'a str);

fn name_of(import: &Import) -> FullName<'_> {
    let Import { tenant: Tenant { account, region }, name, .. } = import;
    (account, region, name)
}

impl Finish {
    /// The collections that have the names of the imports, locked.
    async fn lock_names(
        &self,
        connection: &mut PgConnection,
    ) -> StoreResult<HashMap<FullName<'_>, i64>> {
        let names = self.imports.iter().map(name_of);
        let (accounts, (regions, own)): (Vec<&str>, (Vec<&str>, Vec<&str>)) =
            names.map(|(account, region, name)| (account, (region, name))).unzip();
        let found: Vec<(i64, String, String, String)> = sqlx::query_as(LOCK_NAMES)
            .bind(accounts)
            .bind(regions)
            .bind(own)
            .fetch_all(connection)
            .await?;
        let ids: HashMap<_, _> = found
            .iter()
            .map(|(id, account, region, name)| ((&**account, &**region, &**name), *id))
            .collect();
        let ours = self.imports.iter().map(name_of);
        Ok(ours.filter_map(|name| Some((name, *ids.get(&name)?))).collect())
    }
}

#[async_trait]
impl Write for Finish {
    type Output = Vec<Collection>;

    fn target(&self) -> Target {
        Target::Many
    }

    async fn apply(&self, transaction: &mut Transaction<'_>) -> StoreResult<Vec<Collection>> {
        let mut there = self.lock_names(transaction.connection).await?;
        // The unique names are taken in one order, too.
        let mut order: Vec<&Import> = self.imports.iter().collect();
        order.sort_unstable_by_key(|import| name_of(import));
        let mut shown = HashMap::with_capacity(order.len());
        for import in order {
            match there.remove(&name_of(import)) {
                None => {}
                Some(_) if !self.replace => return Err(exists(import)),
                Some(id) => {
                    let replace = sqlx::query(REPLACE).bind(id).bind(nonce());
                    replace.execute(&mut *transaction.connection).await?;
                    let collection = CollectionKey(id);
                    transaction.changes.push(Change::CollectionDropped { collection });
                }
            }
            let show = sqlx::query_as(SHOW).bind(import.key.0);
            let collection: Option<CollectionRow> =
                show.fetch_optional(&mut *transaction.connection).await.map_err(|error| {
                    // Another node has made one of that name just now.
                    match error.as_database_error() {
                        Some(conflict) if conflict.is_unique_violation() => exists(import),
                        _ => error.into(),
                    }
                })?;
            shown.insert(import.key, collection.ok_or_else(|| ended(import))?.into());
        }
        let shown = self.imports.iter().filter_map(|import| shown.remove(&import.key)).collect();
        transaction.effect = Effect::Written;
        Ok(shown)
    }
}

pub(super) struct Abandon {
    pub(super) imports: Vec<CollectionKey>,
}

#[async_trait]
impl Write for Abandon {
    type Output = ();

    fn target(&self) -> Target {
        Target::Many
    }

    async fn apply(&self, transaction: &mut Transaction<'_>) -> StoreResult<()> {
        let keys: Vec<i64> = self.imports.iter().map(|key| key.0).collect();
        let abandoned: Vec<i64> =
            sqlx::query_scalar(ABANDON).bind(keys).fetch_all(&mut *transaction.connection).await?;
        // What a dropped collection held is cleared away after this batch.
        let dropped = abandoned.into_iter().map(CollectionKey);
        transaction
            .changes
            .extend(dropped.map(|collection| Change::CollectionDropped { collection }));
        transaction.effect = Effect::Written;
        Ok(())
    }
}
