//! The list of nodes that a database keeps.

use std::time::Duration;

use lookalike_store::{Address, Location, Postgres, Sqlite, Store as _, testing};

const LIFETIME: Duration = Duration::from_mins(1);

#[tokio::test(flavor = "multi_thread")]
async fn nodes_find_one_another_until_they_leave() {
    let address: Address = testing::server().schema().await.parse().unwrap();
    let stores = [Postgres::open(&address).await.unwrap(), Postgres::open(&address).await.unwrap()];
    let [one, two] = [0, 1].map(|index| stores[index].membership().expect("nodes share it"));
    let first = one.beat("http://one", LIFETIME).await.unwrap();
    assert_eq!(first.addresses, ["http://one"]);
    let second = two.beat("http://two", LIFETIME).await.unwrap();
    assert_eq!(second.addresses, ["http://one", "http://two"]);
    assert!(second.now >= first.now && first.now > 1_600_000_000_000);
    assert_eq!((first.secret.len(), &first.secret), (32, &second.secret));
    assert!(!format!("{first:?}").contains("secret"));

    tokio::time::sleep(Duration::from_millis(60)).await;
    let third = one.beat("http://one", Duration::from_millis(30)).await.unwrap();
    assert_eq!(third.addresses, ["http://one"], "the other one was not here for long");
    assert_eq!(two.beat("http://two", LIFETIME).await.unwrap().addresses, second.addresses);
    two.leave("http://two").await.unwrap();
    assert_eq!(one.beat("http://one", LIFETIME).await.unwrap().addresses, ["http://one"]);

    let other: Address = testing::server().schema().await.parse().unwrap();
    let other = Postgres::open(&other).await.unwrap();
    let foreign = other.membership().unwrap().beat("http://one", LIFETIME).await.unwrap();
    assert_ne!(foreign.secret, first.secret, "each database has a secret of its own");
}

#[tokio::test]
async fn a_store_of_one_process_has_no_nodes() {
    assert!(Sqlite::open(&Location::Memory).await.unwrap().membership().is_none());
}
