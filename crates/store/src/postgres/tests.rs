//! How PostgreSQL does what is asked of it, which only its sessions show.

use std::collections::BTreeMap;

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Row as _};
use uuid::Uuid;

use super::Postgres;
use crate::testing::server;
use crate::{
    BoundingBox, Collection, IndexFaces, NewCollection, NewFace, PackId, RowRange, Store, Tenant,
    VectorSource as _,
};

/// Times that a statement is planned anew before PostgreSQL decides whether it keeps a plan.
const FIRST_PLANS: i64 = 5;
const CALLS: u8 = 12;

fn image(collection: &Collection, number: u8) -> IndexFaces {
    let face = NewFace {
        face_id: Uuid::new_v4(),
        ordinal: 0,
        bounding_box: BoundingBox { left: 0.1, top: 0.1, width: 0.5, height: 0.5 },
        confidence: 99.0,
        vector: vec![0.1; 4],
    };
    IndexFaces {
        collection: collection.clone(),
        image_sha256: [number; 32],
        external_image_id: None,
        image_id: Uuid::new_v4(),
        model_version: "7.0".to_owned(),
        faces: vec![face],
    }
}

/// The statements of a session that were called often enough: name, text, number of parameters,
/// times that it was planned anew.
async fn called(session: &mut PgConnection) -> Vec<(String, String, i32, i64)> {
    let query = "SELECT name, statement, cardinality(parameter_types), custom_plans
        FROM pg_prepared_statements WHERE generic_plans + custom_plans >= $1";
    sqlx::query_as(query).bind(i64::from(CALLS)).fetch_all(session).await.unwrap()
}

/// Asserts that the session keeps its plans, and that they fit tables of any size.
async fn check(session: &mut PgConnection, least: usize) {
    let statements = called(session).await;
    assert!(statements.len() >= least, "{statements:#?}");
    for (name, text, parameters, planned) in statements {
        assert!(planned <= FIRST_PLANS, "planned {planned} times: {text}");
        let nothing = vec!["NULL"; usize::try_from(parameters).unwrap()].join(", ");
        let explain = AssertSqlSafe(format!("EXPLAIN EXECUTE {name} ({nothing})"));
        for step in sqlx::raw_sql(explain).fetch_all(&mut *session).await.unwrap() {
            let step: String = step.get(0);
            // A face that is read and then left out is one of many in a larger table.
            let is_of_collections = step.contains("(NOT dropped)") || step.contains("(name = $3)");
            for whole in ["Seq Scan", "Hash Join", "Merge Join", "Filter: "] {
                assert!(is_of_collections || !step.contains(whole), "{step} in {text}");
            }
        }
    }
}

#[tokio::test]
async fn what_is_called_often_is_planned_once_and_for_tables_of_any_size() {
    let address = server().schema().await.parse().unwrap();
    let store = Postgres::open(&address).await.unwrap();
    let tenant = Tenant { account: "111122223333".to_owned(), region: "eu-west-1".to_owned() };
    let new = NewCollection {
        name: "staff".to_owned(),
        model_version: "7.0".to_owned(),
        pack: PackId { name: "default".to_owned(), version: "1".to_owned() },
        tags: BTreeMap::new(),
    };
    let key = store.create_collection(&tenant, new).await.unwrap().key;
    for number in 0..=CALLS {
        let before = store.collection(&tenant, "staff").await.unwrap();
        let face = store.index_faces(image(&before, number)).await.unwrap().remove(0);
        let since = store.faces_since(key, RowRange::ALL, before.revision).await.unwrap();
        assert_eq!(since.map(|since| since.rows.len()), Some(1));
        let now = store.collection(&tenant, "staff").await.unwrap();
        assert!(store.faces_if_current(&now, &[face.row]).await.unwrap().is_some());
        assert!(store.users_by_rows(key, &[face.row]).await.unwrap().is_empty());
        assert!(store.user_vectors(key, face.row).await.unwrap().is_empty());
        assert!(store.face_vector(key, face.face_id).await.unwrap().is_some());
        assert_eq!(store.faces_by_rows(key, &[face.row]).await.unwrap(), [face]);
    }
    check(&mut store.engine.writer().await.unwrap().connection, 4).await;
    store
        .engine
        .read(async |mut lease| {
            check(&mut lease.connection, 7).await;
            Ok(())
        })
        .await
        .unwrap();
}
