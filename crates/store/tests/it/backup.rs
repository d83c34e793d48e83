//! Copies of a data folder, made while a server writes and after it was killed.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use lookalike_store::{BackupError, Location, OpenError, Sqlite, Store, backup, check};

use crate::contract::{image_of, new_collection, tenant};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_made_while_others_write_is_sound() {
    let parent = tempfile::tempdir().unwrap();
    let (folder, target) = (parent.path().join("data"), parent.path().join("copy"));
    let store = Arc::new(Sqlite::open(&Location::Directory(folder.clone())).await.unwrap());
    let owner = tenant("1", "r");
    let staff = store.create_collection(&owner, new_collection("staff")).await.unwrap();
    for image in 0..20 {
        store.index_faces(image_of(&staff, &image.to_string(), None, 100)).await.unwrap();
    }
    let stop = Arc::new(AtomicBool::new(false));
    let writer = tokio::spawn({
        let (store, staff, stop) = (Arc::clone(&store), staff.clone(), Arc::clone(&stop));
        async move {
            let mut written = 0;
            while !stop.load(Ordering::Relaxed) {
                let name = format!("more {written}");
                store.index_faces(image_of(&staff, &name, None, 3)).await.unwrap();
                written += 1;
            }
            written
        }
    });
    let copied = backup(&folder, &target).await.unwrap();
    stop.store(true, Ordering::Relaxed);
    let written = writer.await.unwrap();
    store.index_faces(image_of(&staff, "last", None, 1)).await.unwrap();
    let faces = store.collection(&owner, "staff").await.unwrap().face_count;
    assert_eq!(faces, 2001 + 3 * written);

    assert!(copied.faces >= 2000 && copied.faces < faces && copied.faces % 3 == 2000 % 3);
    let found = check(&target).await.unwrap();
    assert_eq!((found.damage, found.collections, found.faces), (vec![], 1, copied.faces));
    let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(target.clone()), mode(target.join("lookalike.sqlite3"))), (0o700, 0o600));
    // It serves, and goes on where the original was.
    let copy = Sqlite::open(&Location::Directory(target)).await.unwrap();
    let staff = copy.collection(&owner, "staff").await.unwrap();
    assert_eq!(staff.face_count, copied.faces);
    copy.index_faces(image_of(&staff, "another", None, 1)).await.unwrap();
}

#[tokio::test]
async fn nothing_is_overwritten() {
    let parent = tempfile::tempdir().unwrap();
    let (folder, target) = (parent.path().join("data"), parent.path().join("copy"));
    let missing = backup(&folder, &target).await;
    assert!(matches!(missing, Err(BackupError::Folder(OpenError::Directory { .. }))));
    assert!(!target.exists() && !folder.exists());
    let store = Sqlite::open(&Location::Directory(folder.clone())).await.unwrap();
    store.close().await;
    backup(&folder, &target).await.unwrap();
    let before = fs::read(target.join("lookalike.sqlite3")).unwrap();
    let again = backup(&folder, &target).await;
    assert!(matches!(&again, Err(BackupError::TargetExists(path)) if *path == target), "{again:?}");
    assert_eq!(fs::read(target.join("lookalike.sqlite3")).unwrap(), before);
    let nowhere = backup(&folder, &parent.path().join("a/b")).await;
    assert!(matches!(nowhere, Err(BackupError::Target { .. })), "{nowhere:?}");
}
