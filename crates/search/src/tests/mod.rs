//! Tests of the search as a whole.

mod arena;
mod scanner;

use super::testing::scattered;

#[test]
fn a_cosine_is_that_of_a_search_in_every_dimension() {
    for dimension in [1, 15, 16, 63, 64, 80, 100, 128, 200] {
        let vectors = scattered(2, dimension);
        let arena = super::Arena::new(dimension);
        arena.insert(7, &vectors[0]).unwrap();
        let hits = arena.search(&vectors[1], -1.0, 1).unwrap();
        assert_eq!(super::cosine(&vectors[1], &vectors[0]), hits[0].cosine, "{dimension}");
    }
}
