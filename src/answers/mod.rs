//! Answers that tests declare in place of what the networks would see.

mod declaration;
mod detail;
mod likeness;

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use aws_json::{ApiError, Wildcard};
use lookalike_store::{Scope, Tenant};
use lookalike_vision::{AnalyzedFace, Pack};

use crate::faults::injected;

pub use self::declaration::{Declaration, DeclaredFace, ImagePattern};
pub use self::detail::Detail;

/// Declarations that are held at a time.
const MOST: usize = 10_000;

/// The declared answers, the latest last.
#[derive(Default)]
pub struct Answers {
    entries: RwLock<Vec<Arc<Entry>>>,
    last_id: AtomicU64,
}

/// A declared answer that is in force.
pub struct Entry {
    used: AtomicU64,
    declaration: Declaration,
    operations: Vec<Wildcard>,
    digest: Option<[u8; 32]>,
    external_image_id: Option<Wildcard>,
    s3_object: Option<Wildcard>,
}

/// An image that a request shows.
#[derive(Clone, Copy)]
pub struct Shown<'a> {
    pub operation: &'a str,
    pub tenant: &'a Tenant,
    pub external_image_id: Option<&'a str>,
    /// Bucket and name, with a slash between them.
    pub s3_object: Option<&'a str>,
    /// SHA-256 of the bytes, where they are known.
    pub digest: Option<&'a [u8; 32]>,
}

/// Whom a declared face is like.
pub enum Likeness<'a> {
    Person(&'a str),
    Vector(&'a [f32]),
}

impl Answers {
    /// Puts declarations in force, all or none; their ids, or what is wrong.
    pub fn declare(&self, declarations: Vec<Declaration>) -> Result<Vec<u64>, String> {
        for (index, declaration) in declarations.iter().enumerate() {
            declaration.check().map_err(|wrong| format!("answers[{index}]: {wrong}"))?;
        }
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        if entries.len() + declarations.len() > MOST {
            return Err(format!("there may be {MOST} declared answers at most"));
        }
        let first = entries.len();
        for mut declaration in declarations {
            declaration.id = self.last_id.fetch_add(1, Relaxed) + 1;
            entries.push(Arc::new(Entry::new(declaration)?));
        }
        Ok(entries[first..].iter().map(|entry| entry.declaration.id).collect())
    }

    /// The declared answers, oldest first.
    pub fn list(&self) -> Vec<Declaration> {
        let report = |entry: &Arc<Entry>| Declaration {
            used: entry.used.load(Relaxed),
            ..entry.declaration.clone()
        };
        self.entries().iter().map(report).collect()
    }

    /// Forgets those of these tenants: all of them, or those that name the account or region.
    pub fn forget(&self, scope: &Scope) {
        let is_kept = |entry: &Arc<Entry>| {
            let Declaration { account, region, .. } = &entry.declaration;
            (scope.account.is_some() && scope.account != *account)
                || (scope.region.is_some() && scope.region != *region)
        };
        self.entries.write().unwrap_or_else(PoisonError::into_inner).retain(is_kept);
    }

    /// Whether there is any.
    pub fn is_empty(&self) -> bool {
        self.entries().is_empty()
    }

    /// The latest declaration that holds for an image, counted as used.
    pub fn find(&self, shown: Shown<'_>) -> Option<Arc<Entry>> {
        self.entries().iter().rev().find(|entry| entry.is_of(shown) && entry.take()).cloned()
    }

    fn entries(&self) -> std::sync::RwLockReadGuard<'_, Vec<Arc<Entry>>> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn new(declaration: Declaration) -> Result<Self, String> {
        let pattern = |text: &Option<String>| text.as_deref().map(Wildcard::new);
        let operations = declaration.operations.iter();
        Ok(Self {
            used: AtomicU64::new(0),
            operations: operations.map(|name| Wildcard::ignoring_case(name)).collect(),
            digest: declaration.image.digest()?,
            external_image_id: pattern(&declaration.image.external_image_id),
            s3_object: pattern(&declaration.image.s3_object),
            declaration,
        })
    }

    fn is_of(&self, shown: Shown<'_>) -> bool {
        let Declaration { account, region, .. } = &self.declaration;
        let scope = Scope { account: account.clone(), region: region.clone() };
        let fits = |pattern: &Option<Wildcard>, text: Option<&str>| {
            pattern.as_ref().is_none_or(|pattern| text.is_some_and(|text| pattern.is_match(text)))
        };
        (self.operations.is_empty()
            || self.operations.iter().any(|name| name.is_match(shown.operation)))
            && self.digest.as_ref().is_none_or(|digest| Some(digest) == shown.digest)
            && fits(&self.external_image_id, shown.external_image_id)
            && fits(&self.s3_object, shown.s3_object)
            && scope.contains(shown.tenant)
    }

    /// Counts a use, unless the declaration is used up.
    fn take(&self) -> bool {
        let most = self.declaration.times.unwrap_or(u64::MAX);
        let count = |used: u64| (used < most).then_some(used + 1);
        self.used.fetch_update(Relaxed, Relaxed, count).is_ok()
    }

    /// Waits as declared; then the declared faces, none where the networks are to look, or the
    /// declared error.
    pub async fn faces(&self) -> Result<Option<&[DeclaredFace]>, ApiError> {
        tokio::time::sleep(Duration::from_millis(self.declaration.latency_ms)).await;
        match self.declaration.code() {
            Ok(Some(code)) => Err(injected(code, self.declaration.message.as_deref())),
            _ => Ok(self.declaration.faces.as_deref()),
        }
    }
}

impl DeclaredFace {
    /// What the networks would see of this face among `count` faces.
    pub fn face(&self, index: usize, count: usize) -> AnalyzedFace {
        self.detail.face(index, count)
    }

    /// The vector that the networks would make of this face. `place` names it among all faces of
    /// all images.
    pub fn vector(&self, likeness: Likeness<'_>, place: &str, pack: &Pack) -> Box<[f32]> {
        let dimensions = pack.embedder.dimensions;
        let target = match likeness {
            Likeness::Person(name) => likeness::of_name(&format!("person {name}"), dimensions),
            Likeness::Vector(vector) => vector.iter().map(|value| f64::from(*value)).collect(),
        };
        let away = likeness::of_name(&format!("place {place}"), dimensions);
        let similarity = self.similarity.unwrap_or(100.0);
        likeness::at_similarity(&target, &away, similarity, &pack.calibration).into()
    }
}

#[cfg(test)]
mod tests;
