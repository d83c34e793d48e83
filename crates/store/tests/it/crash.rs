//! A server that is killed at any moment loses nothing it has acknowledged and leaves nothing
//! half-written.
//!
//! The test starts this very binary again as a child that writes and reports each acknowledged
//! write on its standard output, kills it in the middle of that, and looks at what it left. The
//! same directory serves all rounds.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use lookalike_store::{
    Face, FaceFilter, Location, MAX_FACES_PER_USER, RowRange, Sqlite, Store, VectorSource as _,
};
use sqlx::ConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use uuid::Uuid;

use crate::contract::{association, ids, image_of, new_collection, tenant};

const DIRECTORY: &str = "LOOKALIKE_TEST_CRASH_DIRECTORY";
const ROUND: &str = "LOOKALIKE_TEST_CRASH_ROUND";
const CHILD: &str = "crash::child_that_writes_until_it_is_killed";
/// Unless `CRASH_ROUNDS` states more.
const ROUNDS: u32 = 12;
const WRITERS: u32 = 4;
const FACES_PER_IMAGE: u32 = 3;

/// Writes for ever. A line says what was acknowledged: `+` new faces, `-` a deletion, `u` an
/// association; `?` announces a deletion.
#[test]
#[ignore = "it is the child of another test"]
fn child_that_writes_until_it_is_killed() {
    let directory = std::env::var_os(DIRECTORY).expect("started by its parent");
    let round = std::env::var(ROUND).expect("started by its parent");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let store: Arc<dyn Store> =
            Arc::new(Sqlite::open(&Location::Directory(directory.into())).await.unwrap());
        let staff = store.collection(&tenant("1", "r"), "staff").await.unwrap();
        let mut writers = Vec::new();
        for writer in 0..WRITERS {
            let (store, staff, round) = (Arc::clone(&store), staff.clone(), round.clone());
            writers.push(tokio::spawn(async move {
                let user = format!("{round}-{writer}");
                store.create_user(&staff, &user, None).await.unwrap();
                for image in 0.. {
                    let name = format!("{round}-{writer}-{image}");
                    let request = image_of(&staff, &name, Some(&name), FACES_PER_IMAGE);
                    let faces = ids(&store.index_faces(request).await.unwrap());
                    let report =
                        |sign: char| println!("{sign} {} {} {}", faces[0], faces[1], faces[2]);
                    report('+');
                    match image % 3 {
                        0 => {
                            report('?');
                            store.delete_faces(&staff, &faces).await.unwrap();
                            report('-');
                        }
                        1 if image < MAX_FACES_PER_USER => {
                            store
                                .associate_faces(association(&staff, &user, &faces), None)
                                .await
                                .unwrap();
                            report('u');
                        }
                        _ => {}
                    }
                }
            }));
        }
        for writer in writers {
            writer.await.unwrap();
        }
    });
}

/// Starts the child, kills it some time after its first write, and returns the lines that it wrote.
fn write_and_kill(directory: &Path, round: u32) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([CHILD, "--exact", "--ignored", "--nocapture", "--test-threads=1"])
        .env(DIRECTORY, directory)
        .env(ROUND, round.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut text = String::new();
    while !text.contains("\n+ ") {
        assert!(
            output.read_line(&mut text).unwrap() > 0,
            "the child ended: {}",
            complaint(child.stderr.take().unwrap())
        );
    }
    // It goes on writing into the pipe meanwhile, at most as much as the pipe holds.
    std::thread::sleep(Duration::from_millis(u64::from(3 + round % ROUNDS * 7)));
    child.kill().unwrap();
    assert!(!child.wait().unwrap().success());
    output.read_to_string(&mut text).unwrap();
    // The last line may be cut short.
    text.rsplit_once('\n').map_or("", |(whole, _)| whole).lines().map(str::to_owned).collect()
}

fn complaint(mut errors: impl Read) -> String {
    let mut text = String::new();
    errors.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn killed_servers_lose_nothing_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    let location = Location::Directory(directory.path().to_owned());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let store = Sqlite::open(&location).await.unwrap();
        store.create_collection(&tenant("1", "r"), new_collection("staff")).await.unwrap();
        store.close().await;
    });
    let mut reported = Reported::default();
    let stated = std::env::var("CRASH_ROUNDS").ok().and_then(|rounds| rounds.parse().ok());
    let rounds = stated.unwrap_or(ROUNDS);
    for round in 0..rounds {
        for line in write_and_kill(directory.path(), round) {
            reported.read(&line);
        }
        runtime.block_on(check(&location, &reported, round));
        runtime.block_on(check_file(directory.path()));
    }
    assert!(
        reported.added.len() > (rounds * FACES_PER_IMAGE) as usize,
        "the children wrote too little to tell"
    );
}

/// What the children said, over all rounds.
#[derive(Default)]
struct Reported {
    added: BTreeSet<Uuid>,
    to_be_deleted: BTreeSet<Uuid>,
    deleted: BTreeSet<Uuid>,
    associated: BTreeSet<Uuid>,
}

impl Reported {
    fn read(&mut self, line: &str) {
        let mut words = line.split(' ');
        let faces = match words.next() {
            Some("+") => &mut self.added,
            Some("?") => &mut self.to_be_deleted,
            Some("-") => &mut self.deleted,
            Some("u") => &mut self.associated,
            // The test harness of the child.
            _ => return,
        };
        faces.extend(words.map(|id| id.parse::<Uuid>().unwrap()));
    }
}

async fn check(location: &Location, reported: &Reported, round: u32) {
    let store = Sqlite::open(location).await.unwrap();
    let staff = store.collection(&tenant("1", "r"), "staff").await.unwrap();
    let mut faces = Vec::new();
    loop {
        let after = faces.last().map(|face: &Face| face.face_id);
        let page = store.list_faces(staff.key, after, 4096, FaceFilter::default()).await.unwrap();
        if page.is_empty() {
            break;
        }
        faces.extend(page);
    }
    let kept: BTreeSet<Uuid> = faces.iter().map(|face| face.face_id).collect();
    let mut by_image: BTreeMap<&str, u32> = BTreeMap::new();
    for face in &faces {
        *by_image.entry(face.external_image_id.as_deref().unwrap()).or_default() += 1;
    }
    assert!(
        by_image.values().all(|count| *count == FACES_PER_IMAGE),
        "round {round}: an image was half-written"
    );
    assert!(kept.is_disjoint(&reported.deleted), "round {round}: a deleted face is back");
    let expected = reported.added.difference(&reported.to_be_deleted);
    let lost: Vec<_> = expected.filter(|face_id| !kept.contains(face_id)).collect();
    assert!(lost.is_empty(), "round {round}: acknowledged faces are lost: {lost:?}");
    let of_users: BTreeSet<Uuid> =
        faces.iter().filter(|face| face.user_id.is_some()).map(|face| face.face_id).collect();
    assert!(
        reported.associated.is_subset(&of_users),
        "round {round}: acknowledged associations are lost"
    );
    assert_eq!(staff.face_count, faces.len() as u64);
    let mut rows: Vec<i64> = faces.iter().map(|face| face.row).collect();
    rows.sort_unstable();
    let mut loaded = Vec::new();
    store
        .load_faces(staff.key, RowRange::ALL, &mut |row, vector| loaded.push((row, vector.len())))
        .await
        .unwrap();
    assert_eq!(
        loaded,
        rows.into_iter().map(|row| (row, 4)).collect::<Vec<_>>(),
        "round {round}: faces and vectors differ"
    );
    let users = store.list_users(staff.key, None, 1000).await.unwrap();
    assert_eq!(staff.user_count, users.len() as u64);
    for user in users {
        let of_user =
            faces.iter().filter(|face| face.user_id.as_ref() == Some(&user.user_id)).count();
        assert_eq!(
            user.face_count, of_user as u64,
            "round {round}: a user's faces are half-written"
        );
    }
    store.close().await;
}

/// Asks the engine itself.
async fn check_file(directory: &Path) {
    let mut connection = SqliteConnectOptions::new()
        .filename(directory.join("lookalike.sqlite3"))
        .connect()
        .await
        .unwrap();
    let verdict: String =
        sqlx::query_scalar("PRAGMA integrity_check").fetch_one(&mut connection).await.unwrap();
    assert_eq!(verdict, "ok");
    assert!(
        sqlx::query("PRAGMA foreign_key_check")
            .fetch_optional(&mut connection)
            .await
            .unwrap()
            .is_none()
    );
}
