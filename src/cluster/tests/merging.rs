use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use proptest::prelude::*;

use crate::cluster::local;
use crate::cluster::ownership::parts;
use crate::cluster::wire::{Answer, AnswerBody, Patience, Question};
use crate::gallery::{Found, Gallery, MemberKind};
use lookalike_search::testing::scattered;
use lookalike_store::{
    Collection, CollectionKey, FaceVisitor, PackId, Revision, RowRange, Since, StoreError,
    StoreResult, UserVisitor, VectorSource,
};

const KEY: CollectionKey = CollectionKey(7);

/// The vectors of a collection, those of its rows 1, 2, 3 and so on.
struct Shelf(Vec<Vec<f32>>);

impl Shelf {
    fn collection(&self) -> Collection {
        Collection {
            key: KEY,
            name: "staff".to_owned(),
            model_version: "7.0".to_owned(),
            pack: PackId { name: "default".to_owned(), version: "1".to_owned() },
            created_at: 0,
            face_count: self.0.len() as u64,
            user_count: 0,
            revision: Revision::default(),
            next_row: self.0.len() as i64 + 1,
        }
    }
}

#[async_trait]
impl VectorSource for Shelf {
    async fn collection_by_key(&self, _: CollectionKey) -> StoreResult<Option<Collection>> {
        Ok(Some(self.collection()))
    }

    async fn load_faces(
        &self,
        _: CollectionKey,
        rows: RowRange,
        visit: &mut FaceVisitor<'_>,
    ) -> StoreResult<Revision> {
        for (row, vector) in (1..).zip(&self.0).filter(|(row, _)| rows.contains(*row)) {
            visit(row, vector);
        }
        Ok(Revision::default())
    }

    async fn load_users(
        &self,
        _: CollectionKey,
        _: RowRange,
        _: &mut UserVisitor<'_>,
    ) -> StoreResult<Revision> {
        Err(StoreError::Closed)
    }

    /// Whoever asks what has changed waits for long.
    async fn faces_since(
        &self,
        _: CollectionKey,
        _: RowRange,
        _: Revision,
    ) -> StoreResult<Option<Since<Vec<f32>>>> {
        std::future::pending().await
    }
}

fn question(vector: &[f32], min_cosine: f32, k: usize) -> Question {
    Question {
        collection: KEY,
        revision: Revision::default(),
        kind: MemberKind::Faces,
        min_cosine,
        k,
        vector: vector.to_vec(),
    }
}

fn bits(found: &Found) -> Vec<(i64, u32)> {
    found.hits.iter().map(|hit| (hit.id, hit.cosine.to_bits())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn parts_find_what_a_scan_of_the_whole_finds(
        count in 1..3000_usize, distinct in 1..400_usize, part_rows in 100..1500_i64,
        k in 1..200_usize, min_cosine in -1.0..1.0_f32, probe in any::<prop::sample::Index>(),
    ) {
        // Many rows have the same vector, so that the order of ties counts.
        let vectors = scattered(distinct.min(count), 32);
        let all: Vec<Vec<f32>> = (0..count).map(|row| vectors[row % vectors.len()].clone()).collect();
        let shelf = Arc::new(Shelf(all));
        let collection = shelf.collection();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let gallery = Gallery::new(Arc::clone(&shelf) as Arc<dyn VectorSource>, 2).unwrap();
            let probe = probe.get(&vectors);
            let whole = gallery.search(&collection, MemberKind::Faces, probe, min_cosine, k).await.unwrap();
            let parts = parts(collection.next_row, part_rows);
            let question = question(probe, min_cosine, k);
            // As two nodes, each of which sends what it found.
            let mut merged = Found::default();
            let (one, two) = parts.split_at(parts.len() / 2);
            for parts in [two, one] {
                let answer = local::answer(&gallery, &question, parts.to_vec(), Patience::Long).await;
                let sent = serde_json::to_vec(&AnswerBody::from(answer)).unwrap();
                let answer = Answer::from(serde_json::from_slice::<AnswerBody>(&sent).unwrap());
                assert!(answer.missing.is_empty());
                merged.merge(answer.found, k);
            }
            assert_eq!(bits(&merged), bits(&whole));
            assert_eq!((merged.compared, whole.compared), (count, count));
        });
    }
}

#[tokio::test]
async fn what_is_not_in_memory_is_missing_where_nobody_waits() {
    let shelf = Arc::new(Shelf(scattered(300, 32)));
    let gallery = Gallery::new(Arc::clone(&shelf) as Arc<dyn VectorSource>, 1).unwrap();
    let question = question(&shelf.0[120], 0.999, 5);
    let all = parts(301, 100);
    let ask = async |parts: &[RowRange], patience| {
        local::answer(&gallery, &question, parts.to_vec(), patience).await
    };
    let answer = ask(&all, Patience::None).await;
    assert_eq!(answer, Answer { found: Found::default(), missing: all.clone() });
    assert_eq!(gallery.size().collections, 0, "nothing was loaded");
    let answer = ask(&all[1..2], Patience::Little).await;
    assert_eq!((answer.found.hits[0].id, answer.missing.len()), (121, 0));
    let answer = ask(&all, Patience::None).await;
    assert_eq!((answer.found.hits[0].id, answer.missing), (121, vec![all[0], all[2]]));

    let users = Question { kind: MemberKind::Users, ..question.clone() };
    let answer = local::answer(&gallery, &users, all.clone(), Patience::Long).await;
    assert_eq!(answer.missing, all, "what cannot be loaded is missing");

    // Parts of others make room once nobody has searched them for a while.
    let keep = |part: crate::gallery::Part| part.rows == all[0];
    ask(&all, Patience::Long).await;
    gallery.forget_idle(keep, 2);
    ask(&all[1..2], Patience::None).await;
    gallery.forget_idle(keep, 2);
    let held = all.iter().map(|rows| gallery.is_loaded(question.part(*rows)));
    assert_eq!(held.collect::<Vec<_>>(), [true, true, false]);
}

/// A node that is slow answers before it is taken for gone.
#[tokio::test(start_paused = true)]
async fn a_copy_that_takes_long_to_catch_up_is_missing_in_time() {
    let shelf = Arc::new(Shelf(scattered(50, 32)));
    let gallery = Gallery::new(Arc::clone(&shelf) as Arc<dyn VectorSource>, 1).unwrap();
    let all = parts(51, 100);
    let now = question(&shelf.0[20], 0.999, 5);
    let later = Question { revision: Revision { version: 1, nonce: 1 }, ..now.clone() };
    let answer = local::answer(&gallery, &now, all.clone(), Patience::Little).await;
    assert_eq!(answer.found.hits[0].id, 21);
    for patience in [Patience::Little, Patience::None] {
        let began = tokio::time::Instant::now();
        let answer = local::answer(&gallery, &later, all.clone(), patience).await;
        assert_eq!(answer.missing, all, "{patience:?}");
        assert!(began.elapsed() < Duration::from_secs(5), "{patience:?}: {:?}", began.elapsed());
    }
    let patient = local::answer(&gallery, &later, all, Patience::Long);
    assert!(tokio::time::timeout(Duration::from_secs(50), patient).await.is_err());
}
