//! A PostgreSQL database is verified beside its servers.

use std::sync::Arc;

use lookalike_store::testing::server;
use lookalike_store::{Address, Postgres, Report, Store, check_database};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _};

use crate::contract::{association, ids, image_of, new_collection, tenant};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_kind_of_damage_is_found_and_what_is_sound_passes() {
    let text = server().schema().await;
    let address: Address = text.parse().expect("an address");
    let store: Arc<dyn Store> = Arc::new(Postgres::open(&address).await.expect("opens"));
    let ours = tenant("111122223333", "eu-west-1");
    let staff = store.create_collection(&ours, new_collection("staff")).await.expect("one");
    let faces = store.index_faces(image_of(&staff, "photo", None, 3)).await.expect("faces");
    store.create_user(&staff, "ann", None).await.expect("a user");
    let give = association(&staff, "ann", &ids(&faces)[..2]);
    store.associate_faces(give, None).await.expect("an association");
    // What is being cleared away is nobody's concern.
    let gone = store.create_collection(&ours, new_collection("gone")).await.expect("another");
    store.index_faces(image_of(&gone, "photo", None, 3)).await.expect("faces");
    store.delete_collection(&ours, "gone").await.expect("is deleted");
    let sound = Report { collections: 1, faces: 3, damage: vec![] };
    assert_eq!(check_database(&address).await.expect("is read"), sound);

    let mut connection = PgConnection::connect(&text).await.expect("connects");
    for (damage, words) in [
        (
            "UPDATE vectors SET vector = set_byte(vector, 0, 1 + get_byte(vector, 0) % 200)",
            "is damaged",
        ),
        ("DELETE FROM vectors WHERE face IN (SELECT max(face) FROM vectors)", "has no vector"),
        ("UPDATE collections SET face_count = 7 WHERE NOT dropped", "counts 7 faces and holds 3"),
        ("UPDATE collections SET user_count = 7 WHERE NOT dropped", "counts 7 users and holds 1"),
        ("UPDATE users SET face_count = 1", "ann of collection staff counts 1 faces and has 2"),
        ("UPDATE faces SET owner = 99 WHERE owner IS NULL", "is of a user who is gone"),
        ("UPDATE collections SET next_row = 2 WHERE NOT dropped", "the numbers of old ones"),
        ("UPDATE collections SET nonce = 1 WHERE NOT dropped", "is not noted"),
    ] {
        let broken = AssertSqlSafe(damage);
        let mut transaction = connection.begin().await.expect("begins");
        sqlx::query(broken).execute(&mut *transaction).await.expect(damage);
        transaction.commit().await.expect("commits");
        let report = check_database(&address).await.expect("is read");
        assert!(report.damage.iter().any(|line| line.contains(words)), "{damage}: {report:?}");
    }
}
