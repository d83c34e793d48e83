use std::sync::Arc;

use crate::testing::scattered;
use crate::{Arena, CHUNK_ROWS, Query, Scanner};

fn arena(rows: usize) -> (Arc<Arena>, Vec<Vec<f32>>) {
    let vectors = scattered(rows, 32);
    let arena = Arc::new(Arena::new(32));
    for (id, vector) in (0i64..).zip(&vectors) {
        arena.insert(id, vector).unwrap();
    }
    (arena, vectors)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_searches_each_get_their_own_answer() {
    let (large, vectors) = arena(9 * CHUNK_ROWS);
    let (small, _) = arena(100);
    for (threads, others) in [(1, 0), (3, 0), (3, 2), (3, 99)] {
        let scanner = Arc::new(Scanner::new(threads).unwrap());
        scanner.yield_to(move || others);
        let searches: Vec<_> = (0..30)
            .map(|number| {
                let (scanner, vector, k) =
                    (Arc::clone(&scanner), vectors[number * 97].clone(), number % 7);
                let arena = Arc::clone(if number % 5 == 0 { &small } else { &large });
                tokio::spawn(async move {
                    let query = Query::new(&vector, 0.3, k).unwrap();
                    let found = scanner.search(&arena, query).await.unwrap();
                    assert_eq!(found, arena.search(&vector, 0.3, k).unwrap());
                    found.len()
                })
            })
            .collect();
        let mut found = 0;
        for search in searches {
            found += search.await.unwrap();
        }
        assert!(found > 40, "most searches find themselves and more");
    }
}

#[tokio::test]
async fn abandoned_searches_do_not_stop_others() {
    let (large, vectors) = arena(3 * CHUNK_ROWS);
    let scanner = Scanner::new(1).unwrap();
    for vector in &vectors[..50] {
        let query = Query::new(vector, 0.0, 5).unwrap();
        let abandoned =
            tokio::time::timeout(std::time::Duration::ZERO, scanner.search(&large, query));
        drop(abandoned.await);
    }
    let found = scanner.search(&large, Query::new(&vectors[7], 0.5, 1).unwrap()).await.unwrap();
    assert_eq!(found[0].id, 7);
}
