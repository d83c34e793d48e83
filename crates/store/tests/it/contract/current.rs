//! Hits of a collection as it was seen before, in one look with whether it still is so.

use lookalike_store::{Collection, Face, Revision, User};

use super::{World, association, ids, image_of};

/// Two users with a face each, and a face of nobody.
async fn staff(world: &World) -> (Collection, Vec<Face>, Vec<User>) {
    let staff = world.collection("staff").await;
    let faces = world.index(&staff, "photo", 3).await;
    for (user_id, face) in ["ann", "bob"].into_iter().zip(&faces) {
        world.store.create_user(&staff, user_id, None).await.unwrap();
        let request = association(&staff, user_id, &[face.face_id]);
        world.store.associate_faces(request, None).await.unwrap();
    }
    let users = world.store.list_users(staff.key, None, 10).await.unwrap();
    (world.look_up("staff").await, faces, users)
}

pub async fn hits_come_while_the_collection_is_as_it_was_seen(world: World) {
    let (seen, faces, users) = staff(&world).await;
    let rows = [faces[2].row, 9999, faces[0].row];
    // More than once: a search does not change what it asks for.
    for _ in 0..2 {
        let found = world.store.faces_if_current(&seen, &rows).await.unwrap().unwrap();
        assert_eq!(ids(&found), [faces[2].face_id, faces[0].face_id]);
        assert_eq!(found[1].user_id.as_deref(), Some("ann"));
        assert_eq!(found, world.store.faces_by_rows(seen.key, &rows).await.unwrap());
        let rows = [users[1].row, 9999, users[0].row];
        let found = world.store.users_if_current(&seen, &rows).await.unwrap().unwrap();
        assert_eq!(found, [users[1].clone(), users[0].clone()]);
    }
    assert_eq!(world.store.faces_if_current(&seen, &[]).await.unwrap(), Some(Vec::new()));
    assert_eq!(world.store.users_if_current(&seen, &[9999]).await.unwrap(), Some(Vec::new()));
}

/// What a search is told that saw the collection in this state, where one state is known from
/// another.
async fn assert_outdated(world: &World, seen: &Collection, rows: &[i64], what: &str) {
    let is_current = seen.revision == Revision::default();
    for rows in [rows, &[]] {
        let faces = world.store.faces_if_current(seen, rows).await.unwrap();
        assert_eq!(faces.is_some(), is_current, "faces, after {what}");
        let users = world.store.users_if_current(seen, rows).await.unwrap();
        assert_eq!(users.is_some(), is_current, "users, after {what}");
    }
}

pub async fn no_hits_come_of_another_state_of_the_collection(world: World) {
    let (mut seen, faces, users) = staff(&world).await;
    let rows = [faces[0].row, users[0].row];
    let store = &world.store;
    for what in ["an image", "a deletion", "an association", "a new user", "a user less"] {
        match what {
            "an image" => drop(world.index(&seen, "photo of another", 1).await),
            "a deletion" => {
                drop(store.delete_faces(&seen, &[faces[2].face_id]).await.unwrap());
            }
            "an association" => {
                let others = world.index(&seen, "photo of another", 1).await;
                let request = association(&seen, "ann", &[others[0].face_id]);
                store.associate_faces(request, None).await.unwrap();
            }
            "a new user" => store.create_user(&seen, "eve", None).await.unwrap(),
            _ => store.delete_user(&seen, "bob", None).await.unwrap(),
        }
        assert_outdated(&world, &seen, &rows, what).await;
        seen = world.look_up("staff").await;
        let found = store.faces_if_current(&seen, &rows[..1]).await.unwrap();
        assert_eq!(found.map(|found| ids(&found)), Some(vec![faces[0].face_id]), "{what}");
    }
    if seen.revision != Revision::default() {
        // The same version of a history that a failover lost.
        seen.revision.nonce ^= 1;
        assert_outdated(&world, &seen, &rows, "a failover").await;
    }
}

pub async fn no_hits_come_of_a_collection_that_is_gone(world: World) {
    let (seen, faces, users) = staff(&world).await;
    world.store.delete_collection(&world.tenant, "staff").await.unwrap();
    for made_again in [false, true] {
        if made_again {
            let again = world.collection("staff").await;
            world.store.index_faces(image_of(&again, "photo", None, 3)).await.unwrap();
        }
        for rows in [&[][..], &[faces[0].row], &[users[0].row]] {
            assert_eq!(world.store.faces_if_current(&seen, rows).await.unwrap(), None);
            assert_eq!(world.store.users_if_current(&seen, rows).await.unwrap(), None);
        }
    }
}
