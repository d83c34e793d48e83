//! Keeping up with what other nodes commit.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::index::{Edit, Index};
use super::members::Members;
use super::{MemberKind, Part};
use lookalike_store::{CollectionKey, Revision, StoreResult, VectorSource};

/// How often indexes that nobody searches catch up, and those of deleted collections go.
const SWEEP_EVERY: Duration = Duration::from_secs(5);

/// Brings an index to the state that a look-up has read, or a later one. False when it cannot be
/// brought there: the collection has to be loaded again.
pub async fn catch_up(
    source: &dyn VectorSource,
    Part { collection, kind, rows }: Part,
    index: &Index,
    wanted: Revision,
) -> StoreResult<bool> {
    if index.revision() == wanted {
        return Ok(true);
    }
    let _turn = index.catching_up.lock().await;
    loop {
        let at = index.revision();
        if at == wanted {
            return Ok(true);
        }
        // An index that is ahead, of a look-up that was a moment earlier, is asked for too: that its
        // state is one which the collection had shows that it is not of a lost history.
        let since = match kind {
            MemberKind::Faces => source.faces_since(collection, rows, at).await?.map(|since| {
                let edits = since.rows.into_iter().map(|(row, face)| Edit::face(row, face));
                (since.to, edits.collect())
            }),
            MemberKind::Users => source.users_since(collection, rows, at).await?.map(|since| {
                let edits = since.rows.into_iter();
                let edits = edits.map(|(row, faces)| Edit::user(row, &faces.unwrap_or_default()));
                (since.to, edits.collect())
            }),
        };
        let Some((to, edits)) = since else { return Ok(false) };
        if index.step(at, to, edits) {
            return Ok(to.version > wanted.version || to == wanted);
        }
    }
}

/// Sweeps until the gallery is gone, or the store turns out to see all writes itself.
pub async fn sweep(members: Weak<Members>, source: Arc<dyn VectorSource>) {
    loop {
        tokio::time::sleep(SWEEP_EVERY).await;
        let Some(members) = members.upgrade() else { return };
        let held = members.ready();
        let mut keys: Vec<CollectionKey> = held.iter().map(|(part, _)| part.collection).collect();
        keys.dedup();
        match source.revisions(&keys).await {
            Ok(None) => return,
            Ok(Some(revisions)) => refresh(&members, &*source, held, &revisions).await,
            Err(error) => tracing::debug!(%error, "cannot ask what other nodes have changed"),
        }
    }
}

async fn refresh(
    members: &Members,
    source: &dyn VectorSource,
    held: Vec<(Part, Arc<Index>)>,
    revisions: &HashMap<CollectionKey, Revision>,
) {
    for (part, index) in held {
        let Some(revision) = revisions.get(&part.collection) else {
            members.forget_collection(part.collection);
            continue;
        };
        match catch_up(source, part, &index, *revision).await {
            Ok(true) => {}
            Ok(false) => members.forget(part, &index),
            Err(error) => tracing::debug!(%error, "cannot catch up with other nodes"),
        }
    }
}
