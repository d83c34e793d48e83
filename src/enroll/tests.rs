use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Mutex;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::people::{PeopleError, people, unnamed};
use super::{Options, Report, enroll};
use crate::api::{Api, CallError};

/// A collection in memory. An image is a text: `face`, `none`, or the name of an error.
#[derive(Default)]
struct Shelf {
    /// External image id, and the user.
    faces: Mutex<BTreeMap<String, (String, Option<String>)>>,
    users: Mutex<Vec<String>>,
    calls: Mutex<Vec<String>>,
    exists: Mutex<bool>,
}

impl Shelf {
    fn calls(&self, operation: &str) -> usize {
        self.calls.lock().unwrap().iter().filter(|call| *call == operation).count()
    }
}

fn refused(code: &str) -> CallError {
    CallError::Refused { status: 400, code: code.to_owned(), message: "as the test wants".into() }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[async_trait]
impl Api for Shelf {
    async fn call_once(&self, operation: &str, input: &Value) -> Result<Value, CallError> {
        self.calls.lock().unwrap().push(operation.to_owned());
        let mut faces = self.faces.lock().unwrap();
        let image = STANDARD.decode(text(&input["Image"]["Bytes"])).unwrap();
        let image = String::from_utf8(image).unwrap();
        match operation {
            "CreateCollection" if std::mem::replace(&mut *self.exists.lock().unwrap(), true) => {
                Err(refused("ResourceAlreadyExistsException"))
            }
            "DescribeCollection" if !*self.exists.lock().unwrap() => {
                Err(refused("ResourceNotFoundException"))
            }
            "CreateCollection" | "DescribeCollection" => Ok(json!({})),
            // A page a face.
            "ListFaces" => {
                let skipped = text(&input["NextToken"]).parse().unwrap_or(0);
                let list: Vec<Value> = faces
                    .iter()
                    .skip(skipped)
                    .take(1)
                    .map(|(external, (id, user))| {
                        json!({ "ExternalImageId": external, "FaceId": id, "UserId": user })
                    })
                    .collect();
                let more = skipped + 1 < faces.len();
                let token = more.then(|| (skipped + 1).to_string());
                Ok(json!({ "Faces": list, "NextToken": token }))
            }
            "DetectFaces" | "IndexFaces" if image.ends_with("Exception") => Err(refused(&image)),
            "DetectFaces" => {
                let found: Vec<Value> = (image == "face").then(|| json!({})).into_iter().collect();
                Ok(json!({ "FaceDetails": found }))
            }
            "IndexFaces" => match image.as_str() {
                "none" => Ok(json!({ "FaceRecords": [], "UnindexedFaces": [] })),
                "dark" => Ok(json!({ "FaceRecords": [], "UnindexedFaces": [
                    { "Reasons": ["LOW_BRIGHTNESS", "LOW_SHARPNESS"] }] })),
                _ => {
                    let external = text(&input["ExternalImageId"]);
                    let id = format!("id of {external}");
                    faces.insert(external, (id.clone(), None));
                    Ok(json!({ "FaceRecords": [{ "Face": { "FaceId": id } }],
                               "UnindexedFaces": [{ "Reasons": ["EXCEEDS_MAX_FACES"] }] }))
                }
            },
            "CreateUser" => {
                let user = text(&input["UserId"]);
                let mut users = self.users.lock().unwrap();
                if users.contains(&user) {
                    return Err(refused("ConflictException"));
                }
                users.push(user);
                Ok(json!({}))
            }
            "AssociateFaces" => {
                let (mut associated, mut failed) = (Vec::new(), Vec::new());
                for id in input["FaceIds"].as_array().unwrap() {
                    let face = faces.values_mut().find(|(known, _)| id == known).unwrap();
                    if face.0.contains("stranger") {
                        failed.push(json!({ "FaceId": id, "Reasons": ["LOW_MATCH_CONFIDENCE"],
                                            "Confidence": 12.345 }));
                    } else {
                        face.1 = Some(text(&input["UserId"]));
                        associated.push(json!({ "FaceId": id }));
                    }
                }
                Ok(json!({ "AssociatedFaces": associated, "UnsuccessfulFaceAssociations": failed }))
            }
            other => panic!("{other}"),
        }
    }
}

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    folder
}

const PHOTOS: [(&str, &str); 8] = [
    ("ann/one.jpg", "face"),
    ("ann/two.PNG", "face"),
    ("ann/notes.txt", "face"),
    ("ann/stranger.jpg", "face"),
    ("bob the 2nd/blank.jpeg", "none"),
    ("bob the 2nd/dark.jpeg", "dark"),
    ("bob the 2nd/odd.jpg", "InvalidImageFormatException"),
    (".hidden/one.jpg", "face"),
];

async fn run(shelf: &Shelf, folder: &Path, dry_run: bool) -> Result<Report, CallError> {
    let options =
        Options { collection: "staff".to_owned(), in_flight: 3, threshold: 75.0, dry_run };
    enroll(shelf, people(folder).unwrap(), &options, &|| {}).await
}

fn reasons(report: &Report) -> Vec<(String, &str)> {
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    report.refusals.iter().map(|(path, refusal)| (name(path), &*refusal.reason)).collect()
}

#[tokio::test]
async fn people_become_users_with_their_faces() {
    let folder = folder(&PHOTOS);
    let shelf = Shelf::default();
    let report = run(&shelf, folder.path(), false).await.unwrap();
    assert_eq!((report.totals.images, report.totals.indexed, report.totals.associated), (6, 3, 2));
    assert_eq!(report.totals.other_faces, 3);
    assert_eq!(
        reasons(&report),
        [
            ("stranger.jpg".to_owned(), "LOW_MATCH_CONFIDENCE"),
            ("blank.jpeg".to_owned(), "NO_FACE"),
            ("dark.jpeg".to_owned(), "LOW_BRIGHTNESS"),
            ("odd.jpg".to_owned(), "InvalidImageFormatException"),
        ]
    );
    let of_ann = |name: &str| shelf.faces.lock().unwrap()[name].1.clone();
    assert_eq!(of_ann("ann:one.jpg").as_deref(), Some("ann"));
    assert_eq!(of_ann("ann:two.PNG").as_deref(), Some("ann"));
    assert_eq!(of_ann("ann:stranger.jpg"), None);
    // Nobody without a face becomes a user.
    assert_eq!(*shelf.users.lock().unwrap(), ["ann"]);
}

#[tokio::test]
async fn a_second_run_does_only_what_the_first_left() {
    let folder = folder(&PHOTOS[..3]);
    let shelf = Shelf::default();
    // The first run broke off after one image, before any association.
    let kept = ("id of ann:one.jpg".to_owned(), None);
    shelf.faces.lock().unwrap().insert("ann:one.jpg".to_owned(), kept);
    let report = run(&shelf, folder.path(), false).await.unwrap();
    assert_eq!((report.totals.known, report.totals.indexed, report.totals.associated), (1, 1, 2));
    let again = run(&shelf, folder.path(), false).await.unwrap();
    assert_eq!((again.totals.known, again.totals.indexed, again.totals.associated), (2, 0, 0));
    assert_eq!(shelf.calls("IndexFaces"), 1);
    assert_eq!(shelf.calls("AssociateFaces"), 1);
}

#[tokio::test]
async fn a_dry_run_looks_and_writes_nothing() {
    let folder = folder(&PHOTOS);
    let shelf = Shelf::default();
    let report = run(&shelf, folder.path(), true).await.unwrap();
    assert_eq!((report.totals.detected, report.totals.refused), (3, 3));
    for operation in ["CreateCollection", "CreateUser", "IndexFaces", "AssociateFaces"] {
        assert_eq!(shelf.calls(operation), 0, "{operation}");
    }
}

#[tokio::test]
async fn an_error_that_concerns_all_images_ends_the_run() {
    let folder = folder(&[("ann/one.jpg", "AccessDeniedException")]);
    let error = run(&Shelf::default(), folder.path(), false).await.unwrap_err();
    assert_eq!(error.code(), Some("AccessDeniedException"));
}

#[test]
fn names_become_ids_that_aws_takes() {
    let found = folder(&[("Zoë O'Hara/a b.jpg", ""), ("Zoë O'Hara/.x.jpg", "")]);
    let photos = people(found.path()).unwrap();
    assert_eq!(photos.len(), 1);
    assert_eq!(photos[0].user.as_deref(), Some("Zo__O_Hara"));
    assert_eq!(photos[0].external_image_id, "Zo__O_Hara:a_b.jpg");
    let long = folder(&[(&format!("{}/x.jpg", "n".repeat(200)), "")]);
    assert_eq!(people(long.path()).unwrap()[0].user.as_ref().unwrap().len(), 128);

    let same = folder(&[("a b/x.jpg", ""), ("a_b/y.jpg", "")]);
    assert!(matches!(people(same.path()), Err(PeopleError::SameId { .. })));
    let same = folder(&[("a b.jpg", ""), ("a_b.jpg", "")]);
    assert!(matches!(unnamed(same.path()), Err(PeopleError::SameId { .. })));
    // Images beside the folders of people are a mistake that shows.
    assert!(matches!(people(same.path()), Err(PeopleError::Empty { .. })));
    assert!(matches!(people(Path::new("/nowhere")), Err(PeopleError::Read { .. })));
}

#[tokio::test]
async fn reports_are_written_as_csv_and_json() {
    let folder = folder(&PHOTOS);
    let report = run(&Shelf::default(), folder.path(), false).await.unwrap();
    let (csv, json) = (folder.path().join("r.csv"), folder.path().join("r.json"));
    report.write(&csv).unwrap();
    report.write(&json).unwrap();
    let csv = fs::read_to_string(csv).unwrap();
    assert!(csv.starts_with("file,reason,detail,hint\n"), "{csv}");
    assert_eq!(csv.lines().count(), 5);
    let json: Value = serde_json::from_str(&fs::read_to_string(json).unwrap()).unwrap();
    assert_eq!((&json["images"], &json["refused"]), (&json!(6), &json!(4)));
    let mut table = Vec::new();
    report.print(&mut table).unwrap();
    let table = String::from_utf8(table).unwrap();
    assert!(table.contains("similarity 12.3; it does not look like"), "{table}");
    assert!(table.contains("6 images: 3 indexed, 0 known, 4 refused"), "{table}");
}
