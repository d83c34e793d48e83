//! Several servers over one PostgreSQL database.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use lookalike_store::testing::{Server as Database, server};
use serde_json::{Value, json};

use crate::support::faces::Photo;
use crate::support::process::Process;
use crate::support::{Client, TestServer, bytes};

async fn two_servers() -> [TestServer; 2] {
    let address = server().schema().await;
    let options = ["--data", address.as_str(), "--workers", "1"];
    [TestServer::with(&options).await, TestServer::with(&options).await]
}

/// The ids of the faces that a search for a photo finds.
async fn found(client: &Client, collection: &str, photo: &[u8]) -> Vec<String> {
    let input =
        json!({ "CollectionId": collection, "Image": bytes(photo), "FaceMatchThreshold": 99 });
    ids(&client.ok("SearchFacesByImage", input).await["FaceMatches"])
}

fn ids(matches: &Value) -> Vec<String> {
    let matches = matches.as_array().expect("matches");
    matches
        .iter()
        .map(|found| found["Face"]["FaceId"].as_str().expect("an id").to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_node_has_answered_every_node_finds() {
    let [one, two] = two_servers().await;
    one.collection("staff").await;
    let photos: Vec<Vec<u8>> = (0..4).map(|person| Photo::of(person, 0).jpeg()).collect();
    // Both have the collection in memory before it changes.
    for node in [&one, &two] {
        node.index("staff", &Photo::of(90, 0).jpeg()).await;
        assert!(found(node, "staff", &photos[0]).await.is_empty());
    }
    for (turn, photo) in photos.iter().enumerate() {
        let (writer, reader) = if turn % 2 == 0 { (&one, &two) } else { (&two, &one) };
        let face = writer.index_one("staff", photo).await;
        assert_eq!(found(reader, "staff", photo).await, [face.as_str()], "turn {turn}");
        assert_eq!(found(writer, "staff", photo).await, [face.as_str()], "turn {turn}");
        assert_eq!(reader.index_one("staff", photo).await, face, "the same image is kept once");
        writer.ok("DeleteFaces", json!({ "CollectionId": "staff", "FaceIds": [face] })).await;
        assert!(found(reader, "staff", photo).await.is_empty(), "turn {turn}");
    }
    // A collection that is made again under its name is another one.
    let face = one.index_one("staff", &photos[0]).await;
    assert_eq!(found(&two, "staff", &photos[0]).await, [face]);
    one.ok("DeleteCollection", json!({ "CollectionId": "staff" })).await;
    let (code, _) = two.refusal("ListFaces", json!({ "CollectionId": "staff" })).await;
    assert_eq!(code, "ResourceNotFoundException");
    one.collection("staff").await;
    let face = one.index_one("staff", &photos[1]).await;
    assert!(found(&two, "staff", &photos[0]).await.is_empty());
    assert_eq!(found(&two, "staff", &photos[1]).await, [face]);
}

#[tokio::test(flavor = "multi_thread")]
async fn searches_for_a_known_face_find_what_every_node_has_answered() {
    known_faces_are_searched(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_search_for_one_another_find_for_a_known_face_what_every_node_has_answered() {
    known_faces_are_searched(&SHARING).await;
}

/// A node that nobody has told of other writes for a while begins searches with what it knows.
async fn known_faces_are_searched(options: &[&str]) {
    let address = server().schema().await;
    let options = [&["--data", address.as_str(), "--workers", "1"], options].concat();
    let [one, two] = [TestServer::with(&options).await, TestServer::with(&options).await];
    let search =
        |face: &str| json!({ "CollectionId": "staff", "FaceId": face, "FaceMatchThreshold": 0 });
    let found = async |node: &TestServer, face: &str| {
        // The first of these meets what the others have made the node expect.
        let mut answers = Vec::new();
        for _ in 0..4 {
            answers.push(node.ok("SearchFaces", search(face)).await["FaceMatches"].clone());
        }
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
        answers.remove(0)
    };
    let users = async |face: &str| {
        let input = json!({ "CollectionId": "staff", "FaceId": face, "UserMatchThreshold": 0 });
        let mut counts = Vec::new();
        for _ in 0..4 {
            let answer = one.ok("SearchUsers", input.clone()).await;
            counts.push(answer["UserMatches"].as_array().expect("matches").len());
        }
        assert!(counts.iter().all(|count| *count == counts[0]), "{counts:?}");
        counts[0]
    };
    one.collection("staff").await;
    let [first, second] = [Photo::of(1, 1).jpeg(), Photo::of(1, 2).jpeg()];
    let face = one.index_one("staff", &first).await;
    assert_eq!(found(&one, &face).await, json!([]));
    assert_eq!(users(&face).await, 0);

    let other = two.index_one("staff", &second).await;
    assert_eq!(ids(&found(&one, &face).await), [other.as_str()]);
    assert_eq!(ids(&found(&two, &other).await), [face.as_str()]);
    two.ok("CreateUser", json!({ "CollectionId": "staff", "UserId": "ann" })).await;
    let give = json!({ "CollectionId": "staff", "UserId": "ann", "FaceIds": [other] });
    two.ok("AssociateFaces", give.clone()).await;
    assert_eq!(found(&one, &face).await[0]["Face"]["UserId"], "ann");
    assert_eq!(users(&face).await, 1);
    two.ok("DisassociateFaces", give).await;
    assert_eq!(found(&one, &face).await[0]["Face"]["UserId"], Value::Null);
    assert_eq!(users(&face).await, 0);
    two.ok("DeleteFaces", json!({ "CollectionId": "staff", "FaceIds": [other] })).await;
    assert_eq!(found(&one, &face).await, json!([]));
    let unknown = one.refusal("SearchFaces", search(&other)).await;
    assert_eq!(unknown.0, "InvalidParameterException");
    // What a node writes itself.
    let other = one.index_one("staff", &second).await;
    assert_eq!(ids(&found(&one, &face).await), [other.as_str()]);

    two.ok("DeleteCollection", json!({ "CollectionId": "staff" })).await;
    assert_eq!(one.refusal("SearchFaces", search(&face)).await.0, "ResourceNotFoundException");
    two.collection("staff").await;
    assert_eq!(one.refusal("SearchFaces", search(&face)).await.0, "InvalidParameterException");
    let face = two.index_one("staff", &first).await;
    assert_eq!(found(&one, &face).await, json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn users_and_tokens_are_the_same_on_every_node() {
    let [one, two] = two_servers().await;
    one.collection("staff").await;
    let photo = Photo::of(1, 0).jpeg();
    let face = one.index_one("staff", &photo).await;
    let make = json!({ "CollectionId": "staff", "UserId": "ann" });
    let (of_one, of_two) =
        tokio::join!(one.call("CreateUser", make.clone()), two.call("CreateUser", make.clone()));
    let mut statuses = [of_one.status, of_two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 400], "{of_one:?} {of_two:?}");
    let refused = if of_one.status == 400 { of_one } else { of_two };
    assert_eq!(refused.refusal().0, "ConflictException");

    let bob = json!({ "CollectionId": "staff", "UserId": "bob", "ClientRequestToken": "token" });
    let (of_one, of_two) =
        tokio::join!(one.call("CreateUser", bob.clone()), two.call("CreateUser", bob.clone()));
    assert_eq!((of_one.status, of_two.status), (200, 200), "{of_one:?} {of_two:?}");
    let eve = json!({ "CollectionId": "staff", "UserId": "eve", "ClientRequestToken": "token" });
    assert_eq!(two.refusal("CreateUser", eve).await.0, "IdempotentParameterMismatchException");

    let probe = json!({ "CollectionId": "staff", "Image": bytes(&photo) });
    let matched = async |node: &Client| {
        let answer = node.ok("SearchUsersByImage", probe.clone()).await;
        let matches = answer["UserMatches"].as_array().unwrap().clone();
        matches.iter().map(|found| found["User"]["UserId"].clone()).collect::<Vec<_>>()
    };
    assert!(matched(&two).await.is_empty());
    let give = json!({ "CollectionId": "staff", "UserId": "ann", "FaceIds": [face] });
    one.ok("AssociateFaces", give.clone()).await;
    assert_eq!(matched(&two).await, ["ann"]);
    two.ok("DisassociateFaces", give).await;
    assert!(matched(&one).await.is_empty());

    let arn = one.ok("DescribeCollection", json!({ "CollectionId": "staff" })).await;
    let arn = &arn["CollectionARN"];
    one.ok("TagResource", json!({ "ResourceArn": arn, "Tags": { "team": "red" } })).await;
    let tags = two.ok("ListTagsForResource", json!({ "ResourceArn": arn })).await;
    assert_eq!(tags["Tags"], json!({ "team": "red" }));
}

/// Indexes photos until it is told to stop; trying again what fails as an SDK does. Gives what was
/// acknowledged.
async fn index_until(
    nodes: Vec<Client>,
    number: u64,
    photo: Value,
    stop: Arc<AtomicBool>,
) -> HashSet<String> {
    let mut acknowledged = HashSet::new();
    for turn in 0.. {
        let external = format!("{number}-{turn}");
        let input = json!({ "CollectionId": "staff", "Image": photo, "ExternalImageId": external, "QualityFilter": "NONE" });
        let mut node = (turn + number) as usize;
        let face = loop {
            if let Some(answer) = nodes[node % nodes.len()].attempt("IndexFaces", &input).await {
                break answer["FaceRecords"][0]["Face"]["FaceId"].as_str().expect("one").to_owned();
            }
            node += 1;
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        assert!(acknowledged.insert(face), "a face id came twice");
        if stop.load(Relaxed) {
            return acknowledged;
        }
    }
    unreachable!("the loop ends by returning")
}

/// Every face that was acknowledged is there once, in lists and in searches.
async fn check(node: &Client, acknowledged: &HashSet<String>) {
    let listed = node.ok("ListFaces", json!({ "CollectionId": "staff", "MaxResults": 4096 })).await;
    let faces = listed["Faces"].as_array().unwrap();
    let there: HashSet<&str> = faces.iter().map(|face| face["FaceId"].as_str().unwrap()).collect();
    assert_eq!(there, acknowledged.iter().map(String::as_str).collect());
    let described = node.ok("DescribeCollection", json!({ "CollectionId": "staff" })).await;
    assert_eq!(described["FaceCount"], acknowledged.len());
    let face = acknowledged.iter().next().expect("a face");
    let input = json!({ "CollectionId": "staff", "FaceId": face, "FaceMatchThreshold": 0, "MaxFaces": 4096 });
    let matches = ids(&node.ok("SearchFaces", input).await["FaceMatches"]);
    assert_eq!(matches.len(), acknowledged.len() - 1, "searches see what lists see");
}

/// Clients index, through all nodes by turns, before and after something happens. Gives what was
/// acknowledged.
async fn work(nodes: Vec<Client>, during: impl AsyncFnOnce()) -> HashSet<String> {
    let stop = Arc::new(AtomicBool::new(false));
    nodes[0].collection("staff").await;
    let tasks: Vec<_> = (0..4)
        .map(|number| {
            let photo = bytes(&Photo::of(number, 0).jpeg());
            tokio::spawn(index_until(nodes.clone(), number, photo, Arc::clone(&stop)))
        })
        .collect();
    tokio::time::sleep(Duration::from_secs(1)).await;
    during().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    stop.store(true, Relaxed);
    let mut acknowledged = HashSet::new();
    for task in tasks {
        acknowledged.extend(task.await.unwrap());
    }
    acknowledged
}

/// What lets nodes search for one another.
const SHARING: [&str; 2] = ["--node-address", "http://127.0.0.1:0"];

fn node(address: &str, options: &[&str]) -> Process {
    Process::with(Path::new(address), &[&["--workers", "1"], options].concat(), &[])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_node_takes_nothing_with_it() {
    let address = server().schema().await;
    let (mut one, two) = (node(&address, &[]), node(&address, &[]));
    let stays = Client::new(&two.url);
    let clients = vec![Client::new(&one.url), stays.clone()];
    let acknowledged = work(clients, async || one.kill()).await;
    check(&stays, &acknowledged).await;
    let again = node(&address, &[]);
    check(&Client::new(&again.url), &acknowledged).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promoted_replica_takes_over() {
    a_replica_is_promoted(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promoted_replica_takes_over_for_nodes_that_search_for_one_another() {
    a_replica_is_promoted(&SHARING).await;
}

async fn a_replica_is_promoted(options: &[&str]) {
    let database = Database::with_replica();
    let address = database.schema().await;
    let nodes = [node(&address, options), node(&address, options)];
    let clients: Vec<Client> = nodes.iter().map(|node| Client::new(&node.url)).collect();
    let acknowledged = work(clients.clone(), async || {
        tokio::task::block_in_place(|| {
            database.crash_primary();
            database.promote_replica();
        });
    })
    .await;
    for client in &clients {
        check(client, &acknowledged).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_backup_is_what_every_node_answers() {
    a_backup_is_restored(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_backup_is_what_nodes_answer_that_search_for_one_another() {
    a_backup_is_restored(&SHARING).await;
}

async fn a_backup_is_restored(options: &[&str]) {
    let database = Database::alone();
    let address = database.schema().await;
    let options = [&["--data", address.as_str(), "--workers", "1"], options].concat();
    let nodes = [TestServer::with(&options).await, TestServer::with(&options).await];
    let photos: Vec<Vec<u8>> = (0..4).map(|person| Photo::of(person, 0).jpeg()).collect();
    // After the restore a call may meet a connection that is gone: as an SDK, it tries again.
    let matches = async |node: &TestServer, photo: &[u8]| {
        let input =
            json!({ "CollectionId": "staff", "Image": bytes(photo), "FaceMatchThreshold": 99 });
        for _ in 0..50 {
            if let Some(answer) = node.attempt("SearchFacesByImage", &input).await {
                return ids(&answer["FaceMatches"]);
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        panic!("no answer after the restore")
    };
    let found = async |photo: &[u8]| {
        let [one, two] = [matches(&nodes[0], photo).await, matches(&nodes[1], photo).await];
        assert_eq!(one, two, "the nodes disagree");
        one
    };
    nodes[0].collection("staff").await;
    let kept = nodes[0].index_one("staff", &photos[0]).await;
    assert_eq!(found(&photos[0]).await, [kept.as_str()]);
    tokio::task::block_in_place(|| database.back_up());

    // Both nodes hold what the backup does not have: one face more, and one less.
    let lost = nodes[1].index_one("staff", &photos[1]).await;
    nodes[0].ok("DeleteFaces", json!({ "CollectionId": "staff", "FaceIds": [kept] })).await;
    assert_eq!(found(&photos[1]).await, [lost.as_str()]);
    assert!(found(&photos[0]).await.is_empty());
    tokio::task::block_in_place(|| database.restore());

    assert_eq!(found(&photos[0]).await, [kept.as_str()], "deleted after the backup");
    assert!(found(&photos[1]).await.is_empty(), "indexed after the backup");
    // The versions of the lost history come again; the nonces do not.
    let new = nodes[0].index_one("staff", &photos[2]).await;
    nodes[1].index_one("staff", &photos[3]).await;
    assert_eq!(found(&photos[2]).await, [new.as_str()]);
    assert!(found(&photos[1]).await.is_empty());
    let listed = nodes[1].ok("ListFaces", json!({ "CollectionId": "staff" })).await;
    assert_eq!(listed["Faces"].as_array().expect("faces").len(), 3);
}
