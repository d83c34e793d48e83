//! Data folders of earlier releases open, and hold what they held.

use std::fs;

use lookalike_store::{FaceFilter, Location, RowRange, Sqlite, Store, VectorSource as _};

use crate::contract::{image_of, tenant};

const FIXTURE: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/0.1.0/lookalike.sqlite3");

#[tokio::test]
async fn a_folder_of_0_1_0_opens() {
    let directory = tempfile::tempdir().unwrap();
    fs::copy(FIXTURE, directory.path().join("lookalike.sqlite3")).unwrap();
    let location = Location::Directory(directory.path().to_owned());
    // Upgraded at the first opening, and left as it is at the second.
    for _ in 0..2 {
        let store = Sqlite::open(&location).await.unwrap();
        let owner = tenant("111122223333", "eu-west-1");
        let staff = store.collection(&owner, "staff").await.unwrap();
        assert_eq!(
            (staff.face_count, staff.user_count, staff.model_version.as_str()),
            (12, 1, "7.0")
        );
        assert_eq!(store.collection(&owner, "visitors").await.unwrap().face_count, 2);
        assert_eq!(store.tags(&owner, "staff").await.unwrap()["team"], "red");
        // The same images again are known, and their vectors are what they were.
        let mut vectors = Vec::new();
        store
            .load_faces(staff.key, RowRange::ALL, &mut |_, vector| vectors.push(vector.to_vec()))
            .await
            .unwrap();
        let images = ["one", "two", "three"].map(|image| image_of(&staff, image, Some(image), 4));
        let expected: Vec<_> =
            images.iter().flat_map(|image| &image.faces).map(|face| face.vector.clone()).collect();
        assert_eq!(vectors, expected);
        let mut known = images[0].clone();
        for (face, step) in known.faces.iter_mut().zip(0u8..) {
            face.bounding_box.left = -0.1 + 0.001 * f32::from(step);
        }
        let kept = store.index_faces(known).await.unwrap();
        let of_ann = FaceFilter { user_id: Some("ann".to_owned()), face_ids: None };
        let mut of_ann = store.list_faces(staff.key, None, 10, of_ann).await.unwrap();
        of_ann.sort_by_key(|face| face.row);
        assert_eq!(of_ann, kept[..3]);
        store.close().await;
    }
}
