//! Tenants as a whole: what they hold, and its deletion.

use std::sync::{Arc, Mutex};

use lookalike_store::{Change, ChangeSink, Scope, Step, Tenant, TenantTotals};

use super::{World, new_collection, tenant};

fn totals(tenant: &Tenant, collections: u64, faces: u64, users: u64) -> TenantTotals {
    TenantTotals { tenant: tenant.clone(), collections, faces, users }
}

/// The world's own tenant with two collections, and one with an empty collection.
async fn two_tenants(world: &World) -> Tenant {
    let staff = world.collection("staff").await;
    world.index(&staff, "photo", 3).await;
    world.store.create_user(&staff, "ann", None).await.unwrap();
    let visitors = world.collection("visitors").await;
    world.index(&visitors, "photo", 2).await;
    let other = tenant("444455556666", "us-east-1");
    world.store.create_collection(&other, new_collection("staff")).await.unwrap();
    other
}

pub async fn tenants_are_totaled(world: World) {
    assert_eq!(world.store.tenants().await.unwrap(), []);
    let other = two_tenants(&world).await;
    let all = [totals(&world.tenant, 2, 5, 1), totals(&other, 1, 0, 0)];
    assert_eq!(world.store.tenants().await.unwrap(), all);
    world.store.delete_collection(&other, "staff").await.unwrap();
    assert_eq!(world.store.tenants().await.unwrap(), all[..1]);
}

pub async fn the_size_is_that_of_the_data(world: World) {
    let total = async || {
        let size = world.store.size().await.unwrap();
        size.database + size.log.unwrap_or_default()
    };
    let empty = total().await;
    assert!(empty > 4096, "{empty}");
    let staff = world.collection("staff").await;
    for image in 0..4 {
        world.index(&staff, &format!("photo {image}"), 100).await;
    }
    let filled = total().await;
    assert!(filled > empty + 400 * 16, "{empty} {filled}");
}

pub async fn a_reset_takes_what_is_in_scope(mut world: World) {
    let other = two_tenants(&world).await;
    let staff = world.look_up("staff").await;
    let faces = world.index(&staff, "photo", 3).await;
    let token = world.token("token", 1);
    world.store.create_user(&staff, "bob", Some(token)).await.unwrap();

    let elsewhere =
        Scope { account: Some(other.account.clone()), region: Some("eu-west-1".into()) };
    assert_eq!(world.store.reset(&elsewhere).await.unwrap(), []);
    let mine = Scope { account: None, region: Some(world.tenant.region.clone()) };
    assert!(mine.contains(&world.tenant) && !mine.contains(&other));
    let deleted = world.store.reset(&mine).await.unwrap();
    assert_eq!(deleted, [totals(&world.tenant, 2, 5, 2)]);
    world.reopen().await;
    assert_eq!(world.store.tenants().await.unwrap(), [totals(&other, 1, 0, 0)]);
    assert_eq!(world.store.collection_by_key(staff.key).await.unwrap(), None);
    assert_eq!(world.face(staff.key, faces[0].face_id).await, None);

    let again = world.collection("staff").await;
    assert!(again.key > staff.key, "a key was used again");
    let new = world.index(&again, "photo", 3).await;
    assert!(new.iter().all(|face| face.face_id != faces[0].face_id));
    let other_request = world.token("token", 2);
    world.store.create_user(&again, "bob", Some(other_request)).await.unwrap();
    assert_eq!(world.store.reset(&Scope::default()).await.unwrap().len(), 2);
    assert_eq!(world.store.tenants().await.unwrap(), []);
}

#[derive(Default)]
struct Heard(Mutex<Vec<Change>>);

impl ChangeSink for Heard {
    fn committed(&self, changes: &[Change], _: Option<Step>) {
        self.0.lock().unwrap().extend_from_slice(changes);
    }
}

pub async fn a_reset_is_told_to_the_sinks(world: World) {
    two_tenants(&world).await;
    let keys = [world.look_up("staff").await.key, world.look_up("visitors").await.key];
    let heard = Arc::new(Heard::default());
    let sink: Arc<dyn ChangeSink> = heard.clone();
    world.store.subscribe(&sink);
    let mine = Scope { account: Some(world.tenant.account.clone()), region: None };
    world.store.reset(&mine).await.unwrap();
    let mut dropped: Vec<_> = heard.0.lock().unwrap().iter().map(Change::collection).collect();
    dropped.sort();
    assert_eq!(dropped, keys);
}
