//! Filling an index from the store.

use std::sync::Arc;

use tokio::sync::watch;

use super::MemberKind;
use super::Part;
use super::fill::Fill;
use super::index::{Edit, Index};
use super::members::{Loaded, Member, Members};
use super::progress::Progress;
use lookalike_store::{StoreResult, VectorSource};

/// A load that is under way; if it ends in any way but well, the collection is as if it had never
/// been asked for.
pub struct Load {
    pub part: Part,
    pub members: Arc<Members>,
    pub sender: watch::Sender<Option<Loaded>>,
}

impl Load {
    pub async fn run(self, source: Arc<dyn VectorSource>) {
        let index = Arc::new(Index::default());
        let outcome = self.read(&*source, &index).await;
        let loaded = match outcome {
            Ok(Some(())) => {
                self.replay(&index);
                self.members.touch(&index);
                self.members.keep_within_limit();
                Ok(Some(index))
            }
            // Deleted since the search asked for it: nothing is found and, as nobody would ever
            // remove it, nothing is kept.
            Ok(None) => {
                self.forget();
                Ok(None)
            }
            Err(error) => {
                tracing::error!(collection = self.part.collection.0, %error, "a collection could not be loaded");
                self.forget();
                Err(Arc::new(error))
            }
        };
        self.sender.send_replace(Some(loaded));
    }

    /// Fills the index; none when the collection is gone.
    async fn read(&self, source: &dyn VectorSource, index: &Arc<Index>) -> StoreResult<Option<()>> {
        let Part { collection, kind, rows } = self.part;
        let Some(described) = source.collection_by_key(collection).await? else { return Ok(None) };
        let mut progress = Progress::new(described, self.part);
        let mut fill = Fill::new(Arc::clone(index));
        let shown = match kind {
            MemberKind::Faces => {
                let mut visit = |row: i64, vector: &[f32]| {
                    fill.push(Edit::Put(row, vector.to_vec()));
                    progress.step();
                };
                source.load_faces(collection, rows, &mut visit).await?
            }
            MemberKind::Users => {
                let mut visit = |user: i64, faces: &[Vec<f32>]| {
                    fill.push(Edit::user(user, faces));
                    progress.step();
                };
                source.load_users(collection, rows, &mut visit).await?
            }
        };
        fill.finish().await;
        index.loaded(shown);
        progress.done();
        Ok(Some(()))
    }

    /// Applies what was committed since the load began, until nothing is left, and then opens the
    /// index to searches and direct writes.
    fn replay(&self, index: &Arc<Index>) {
        loop {
            let edits = {
                let mut members = self.members.lock();
                let Some(member) = members.get_mut(&self.part).filter(|member| self.owns(member))
                else {
                    return;
                };
                match member {
                    Member::Loading { queue, .. } if !queue.is_empty() => std::mem::take(queue),
                    _ => {
                        *member = Member::Ready(Arc::clone(index));
                        return;
                    }
                }
            };
            index.apply(edits);
        }
    }

    fn forget(&self) {
        let mut members = self.members.lock();
        if members.get(&self.part).is_some_and(|member| self.owns(member)) {
            members.remove(&self.part);
        }
    }

    /// Whether an entry is this load's: the collection may have been dropped and asked for again.
    fn owns(&self, member: &Member) -> bool {
        matches!(member, Member::Loading { loaded, .. } if loaded.same_channel(&self.sender.subscribe()))
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.forget();
    }
}
