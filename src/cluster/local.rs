//! What this node itself can answer.

use std::time::Duration;

use futures_util::stream::{self, StreamExt as _};
use tokio::time::timeout;

use super::wire::{Answer, Patience, Question};
use crate::gallery::{Found, Gallery, Part};
use lookalike_store::RowRange;

/// Parts that are searched, or loaded, at a time.
const AT_ONCE: usize = 4;
/// How long a small part may take to load before others are asked for it.
const A_LITTLE: Duration = Duration::from_millis(200);
/// How long one that is in memory may take, in case it has to be loaded again; less than the asking
/// node waits, which takes a node that does not answer for gone.
const SOON: Duration = Duration::from_secs(3);

/// Searches these parts with what is in memory, or can be loaded with that patience; the rest is
/// missing.
pub async fn answer(
    gallery: &Gallery,
    question: &Question,
    parts: Vec<RowRange>,
    patience: Patience,
) -> Answer {
    let search = |rows| async move { (rows, search(gallery, question, rows, patience).await) };
    let mut searches = stream::iter(parts.into_iter().map(search)).buffer_unordered(AT_ONCE);
    let mut answer = Answer::default();
    while let Some((rows, found)) = searches.next().await {
        match found {
            Some(found) => answer.found.merge(found, question.k),
            None => answer.missing.push(rows),
        }
    }
    answer
}

async fn search(
    gallery: &Gallery,
    question: &Question,
    rows: RowRange,
    patience: Patience,
) -> Option<Found> {
    let part: Part = question.part(rows);
    match patience {
        Patience::None if !gallery.is_loaded(part) => return None,
        Patience::Little => timeout(A_LITTLE, gallery.load(part)).await.ok()?.ok()?,
        Patience::None | Patience::Long => {}
    }
    let Question { revision, min_cosine, k, vector, .. } = question;
    let search = gallery.search_part(part, *revision, vector, *min_cosine, *k);
    let searched = match patience {
        Patience::Long => search.await,
        Patience::None | Patience::Little => timeout(SOON, search).await.ok()?,
    };
    match searched {
        Ok(found) => Some(found),
        Err(error) => {
            // The node that was called searches itself, and meets the error if it lasts.
            tracing::debug!(%error, collection = part.collection.0, "cannot search a part");
            None
        }
    }
}
