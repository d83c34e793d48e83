//! Tags.

use std::collections::BTreeMap;

use lookalike_store::{Entity, MAX_TAGS, NewCollection, Quota, StoreError};

use super::{World, assert_fails, new_collection};

fn tags<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

pub async fn tags_merge_and_go(mut world: World) {
    let new =
        NewCollection { tags: tags([("team", "red"), ("cost", "1")]), ..new_collection("staff") };
    world.store.create_collection(&world.tenant, new).await.unwrap();
    world
        .store
        .put_tags(&world.tenant, "staff", tags([("cost", "2"), ("empty", "")]))
        .await
        .unwrap();
    world
        .store
        .remove_tags(&world.tenant, "staff", vec!["team".to_owned(), "never there".to_owned()])
        .await
        .unwrap();
    assert_eq!(
        world.store.tags(&world.tenant, "staff").await.unwrap(),
        tags([("cost", "2"), ("empty", "")])
    );
    assert_fails!(
        world.store.put_tags(&world.tenant, "none", BTreeMap::new()).await,
        StoreError::NotFound(Entity::Collection(_))
    );
    assert_fails!(
        world.store.remove_tags(&world.tenant, "none", Vec::new()).await,
        StoreError::NotFound(Entity::Collection(_))
    );

    world.store.delete_collection(&world.tenant, "staff").await.unwrap();
    world.collection("staff").await;
    world.reopen().await;
    let tags = world.store.tags(&world.tenant, "staff").await.unwrap();
    assert!(tags.is_empty(), "tags of the deleted collection came back");
}

pub async fn at_most_200_tags(world: World) {
    let many = |range: std::ops::Range<usize>| {
        range.map(|n| (n.to_string(), String::new())).collect::<BTreeMap<_, _>>()
    };
    let too_many = NewCollection { tags: many(0..MAX_TAGS + 1), ..new_collection("staff") };
    assert_fails!(
        world.store.create_collection(&world.tenant, too_many).await,
        StoreError::Quota(Quota::Tags)
    );
    assert_fails!(
        world.store.collection(&world.tenant, "staff").await,
        StoreError::NotFound(Entity::Collection(_))
    );

    let full = NewCollection { tags: many(0..MAX_TAGS), ..new_collection("staff") };
    world.store.create_collection(&world.tenant, full).await.unwrap();
    world.store.put_tags(&world.tenant, "staff", tags([("7", "replaced")])).await.unwrap();
    assert_fails!(
        world
            .store
            .put_tags(&world.tenant, "staff", tags([("8", "replaced"), ("one more", "")]))
            .await,
        StoreError::Quota(Quota::Tags)
    );
    let kept = world.store.tags(&world.tenant, "staff").await.unwrap();
    assert_eq!(kept.len(), MAX_TAGS);
    assert_eq!((kept["7"].as_str(), kept["8"].as_str()), ("replaced", ""));
}
