//! `lookalike migrate`: from a data folder into a database that several nodes can share.

use std::fmt;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use thiserror::Error;

use lookalike_store::{
    Address, Collection, Export, Import, Location, NewImport, OpenError, Postgres, Sqlite, Store,
    StoreError, StoredFace, Tenant, Transfer as _, TransferRows,
};

/// Collections that are listed at a time.
const PAGE: usize = 100;

/// Why a folder was not migrated. What was copied before stands, and is passed over by the next run.
#[derive(Debug, Error)]
pub enum MigrateError {
    #[error("{0} is not the address of a database: it begins with postgres://")]
    NoAddress(String),
    #[error("there is no data folder at {}", .0.display())]
    NoFolder(PathBuf),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("cannot copy the collection {0}: run the command again, it goes on where it ended")]
    Copy(Name, #[source] StoreError),
    #[error(
        "the database has another collection {0}: delete one of the two, or migrate into an empty \
         database"
    )]
    Different(Name),
    #[error(
        "the copy of the collection {0} is not what was read: delete it in the database and run the \
         command again"
    )]
    Damaged(Name),
    #[error("cannot list the collections")]
    List(#[source] StoreError),
}

/// A collection with its tenant.
#[derive(Debug, Clone)]
pub struct Name(Tenant, String);

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of account {} in {}", self.1, self.0.account, self.0.region)
    }
}

/// Copies every collection of a folder that no server uses, compares each copy with what was read,
/// and prints what it did.
pub async fn run(folder: &Path, address: &str) -> Result<(), MigrateError> {
    if !Address::is_one(address) {
        return Err(MigrateError::NoAddress(address.to_owned()));
    }
    if !folder.is_dir() {
        return Err(MigrateError::NoFolder(folder.to_owned()));
    }
    let from = Sqlite::open(&Location::Directory(folder.to_owned())).await?;
    let to = Postgres::open(&address.parse()?).await?;
    let result = copy_all(&from, &to).await;
    from.close().await;
    to.close().await;
    result
}

async fn copy_all(from: &Sqlite, to: &Postgres) -> Result<(), MigrateError> {
    for totals in from.tenants().await.map_err(MigrateError::List)? {
        let tenant = totals.tenant;
        let mut after = None;
        loop {
            let page = from.list_collections(&tenant, after, PAGE).await;
            let page = page.map_err(MigrateError::List)?;
            for collection in &page {
                migrate(from, to, Name(tenant.clone(), collection.name.clone())).await?;
            }
            match page.last() {
                Some(last) if page.len() == PAGE => after = Some(last.key),
                _ => break,
            }
        }
    }
    Ok(())
}

async fn migrate(from: &Sqlite, to: &Postgres, name: Name) -> Result<(), MigrateError> {
    let failed = |error| MigrateError::Copy(name.clone(), error);
    let there = match to.collection(&name.0, &name.1).await {
        Err(StoreError::NotFound(_)) => false,
        Err(error) => return Err(failed(error)),
        Ok(_) => true,
    };
    let mut source = from.export_collection(&name.0, &name.1).await.map_err(failed)?;
    let read = if there {
        read(&mut source).await.map_err(failed)?
    } else {
        copy(&mut source, to, &name.0).await.map_err(failed)?
    };
    let mut target = to.export_collection(&name.0, &name.1).await.map_err(failed)?;
    let same = Summary::of(&source.collection) == Summary::of(&target.collection)
        && source.tags == target.tags
        && read == self::read(&mut target).await.map_err(failed)?;
    let (faces, users) = (source.collection.face_count, source.collection.user_count);
    match (same, there) {
        (true, false) => println!("{name}: copied and verified {faces} faces, {users} users"),
        (true, true) => println!("{name}: is there; verified {faces} faces, {users} users"),
        (false, true) => return Err(MigrateError::Different(name)),
        (false, false) => return Err(MigrateError::Damaged(name)),
    }
    Ok(())
}

/// What two collections have in common that hold the same.
#[derive(PartialEq)]
struct Summary {
    model_version: String,
    pack: lookalike_store::PackId,
    created_at: i64,
    faces: u64,
    users: u64,
}

impl Summary {
    fn of(collection: &Collection) -> Self {
        Self {
            model_version: collection.model_version.clone(),
            pack: collection.pack.clone(),
            created_at: collection.created_at,
            faces: collection.face_count,
            users: collection.user_count,
        }
    }
}

/// A digest of all rows in their order.
type Checksum = [u8; 32];

async fn read(export: &mut Export) -> Result<Checksum, StoreError> {
    let mut digest = Sha256::new();
    while let Some(rows) = export.next().await? {
        feed(&mut digest, &rows);
    }
    Ok(digest.finalize().into())
}

/// Copies what an export reads; nobody finds the copy before it is whole.
async fn copy(export: &mut Export, to: &Postgres, tenant: &Tenant) -> Result<Checksum, StoreError> {
    let Collection { name, model_version, pack, created_at, .. } = export.collection.clone();
    let tags = export.tags.clone();
    let new = NewImport { name, model_version, pack, created_at, tags };
    let import = to.begin_import(tenant, new).await?;
    let copied = fill(export, to, &import).await;
    if copied.is_err() {
        // Where this fails, too, it is cleared away some time later.
        let _ = to.abandon_imports(std::slice::from_ref(&import)).await;
    } else {
        to.finish_imports(std::slice::from_ref(&import), false).await?;
    }
    copied
}

async fn fill(export: &mut Export, to: &Postgres, import: &Import) -> Result<Checksum, StoreError> {
    let mut digest = Sha256::new();
    while let Some(rows) = export.next().await? {
        feed(&mut digest, &rows);
        to.import_rows(import, rows).await?;
    }
    Ok(digest.finalize().into())
}

fn feed(digest: &mut Sha256, rows: &TransferRows) {
    match rows {
        TransferRows::Users(users) => users.iter().for_each(|user| text(digest, Some(user))),
        TransferRows::Faces(faces) => faces.iter().for_each(|face| feed_face(digest, face)),
    }
}

fn feed_face(digest: &mut Sha256, face: &StoredFace) {
    digest.update(face.face_id.as_bytes());
    digest.update(face.image_id.as_bytes());
    digest.update(face.image_sha256);
    digest.update(face.ordinal.to_le_bytes());
    let b = face.bounding_box;
    let numbers = [b.left, b.top, b.width, b.height, face.confidence];
    for number in numbers.iter().chain(&face.vector) {
        digest.update(number.to_le_bytes());
    }
    text(digest, face.external_image_id.as_ref());
    text(digest, Some(&face.model_version));
    text(digest, face.user_id.as_ref());
}

/// With its length, so that no two lists of texts feed the same bytes.
fn text(digest: &mut Sha256, text: Option<&String>) {
    let length = text.map_or(u64::MAX, |text| text.len() as u64);
    digest.update(length.to_le_bytes());
    digest.update(text.map_or(&[][..], String::as_bytes));
}
