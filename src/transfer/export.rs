//! From the store to a file.

use std::io;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use super::format::{CollectionLine, End, FaceLine, Header, Line, VERSION};
use lookalike_store::{Collection, Entity, Export, Store, StoreError, Tenant, TransferRows};

/// Collections that are looked up at a time.
const PAGE: usize = 1000;

/// Which collections are exported; all that fit what is stated.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    pub account: Option<String>,
    pub region: Option<String>,
    pub collection: Option<String>,
}

/// The collections that were found.
#[derive(Debug, Default)]
pub struct Selected {
    collections: Vec<(Tenant, String)>,
    /// How many faces they had when they were found.
    pub faces: u64,
}

/// Why an export broke off.
#[derive(Debug, Error)]
pub enum ExportError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the export cannot be written")]
    Write(#[source] io::Error),
}

/// Finds the collections; none fails where the selection names one.
pub async fn select(store: &dyn Store, selection: &Selection) -> Result<Selected, StoreError> {
    let fits = |wanted: &Option<String>, found: &str| {
        wanted.as_deref().is_none_or(|wanted| wanted == found)
    };
    let mut selected = Selected::default();
    for totals in store.tenants().await? {
        let tenant = totals.tenant;
        if !fits(&selection.account, &tenant.account) || !fits(&selection.region, &tenant.region) {
            continue;
        }
        let mut after = None;
        loop {
            let page = store.list_collections(&tenant, after, PAGE).await?;
            after = page.last().map(|collection| collection.key);
            for Collection { name, face_count, .. } in page.iter().cloned() {
                if fits(&selection.collection, &name) {
                    selected.collections.push((tenant.clone(), name));
                    selected.faces += face_count;
                }
            }
            if page.len() < PAGE {
                break;
            }
        }
    }
    match &selection.collection {
        Some(name) if selected.collections.is_empty() => {
            Err(StoreError::NotFound(Entity::Collection(name.clone())))
        }
        _ => Ok(selected),
    }
}

/// Hands the lines of an export to `write`, some at a time. Each collection is as it is at one
/// moment; one that has been deleted meanwhile is left out. Computes much between awaits.
pub async fn export(
    store: &dyn Store,
    selected: Selected,
    mut write: impl AsyncFnMut(Bytes) -> io::Result<()>,
) -> Result<End, ExportError> {
    let mut lines = Lines::default();
    let header = Header { version: VERSION, server: env!("CARGO_PKG_VERSION").to_owned() };
    lines.add(&Line::LookalikeExport(header));
    for (tenant, name) in selected.collections {
        let mut export = match store.export_collection(&tenant, &name).await {
            Err(StoreError::NotFound(_)) => continue,
            export => export?,
        };
        lines.add(&Line::Collection(collection_line(tenant, &export)));
        lines.end.collections += 1;
        while let Some(rows) = export.next().await? {
            lines.add_rows(rows);
            write(lines.take()).await.map_err(ExportError::Write)?;
        }
    }
    let end = lines.finish();
    write(lines.take()).await.map_err(ExportError::Write)?;
    Ok(end)
}

fn collection_line(tenant: Tenant, export: &Export) -> CollectionLine {
    let collection = &export.collection;
    CollectionLine {
        account: tenant.account,
        region: tenant.region,
        name: collection.name.clone(),
        face_model_version: collection.model_version.clone(),
        pack: (&collection.pack).into(),
        created_at: collection.created_at,
        tags: export.tags.clone(),
        users: collection.user_count,
        faces: collection.face_count,
    }
}

/// Lines that were not written yet, and the digest of those that were.
struct Lines {
    text: Vec<u8>,
    digest: Sha256,
    end: End,
}

impl Default for Lines {
    fn default() -> Self {
        let end = End { collections: 0, users: 0, faces: 0, sha256: String::new() };
        Self { text: Vec::new(), digest: Sha256::new(), end }
    }
}

impl Lines {
    fn add(&mut self, line: &Line<'_>) {
        serde_json::to_writer(&mut self.text, line).expect("lines are plain JSON, in memory");
        self.text.push(b'\n');
    }

    fn add_rows(&mut self, rows: TransferRows) {
        match rows {
            TransferRows::Users(users) => {
                self.end.users += users.len() as u64;
                users.into_iter().for_each(|user| self.add(&Line::User(user)));
            }
            TransferRows::Faces(faces) => {
                self.end.faces += faces.len() as u64;
                for face in faces {
                    self.add(&Line::Face(Box::new(FaceLine::from(face))));
                }
            }
        }
    }

    fn take(&mut self) -> Bytes {
        let text = std::mem::take(&mut self.text);
        self.digest.update(&text);
        text.into()
    }

    /// Adds the last line.
    fn finish(&mut self) -> End {
        self.digest.update(&self.text);
        let digest = std::mem::take(&mut self.digest).finalize();
        self.end.sha256 = hex::encode(digest);
        self.add(&Line::End(self.end.clone()));
        self.end.clone()
    }
}
