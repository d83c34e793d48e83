//! The AWS SDK for Rust against a running server: `LOOKALIKE_URL` is its address, `LOOKALIKE_FACES`
//! a folder of pictures.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_sdk_rekognition::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_rekognition::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_rekognition::operation::RequestId;
use aws_sdk_rekognition::primitives::Blob;
use aws_sdk_rekognition::types::{Attribute, Image, Reason, UserStatus};
use aws_sdk_rekognition::{Client, Config};

const ACCOUNT: &str = "320000000001";
const STAFF: &str = "staff";
const NOBODY: &str = "00000000-0000-4000-8000-000000000000";

type AnyError = Box<dyn std::error::Error>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), AnyError> {
    let client = connect()?;
    collections(&client).await?;
    let (face, other) = faces(&client).await?;
    users(&client, &face).await?;
    errors(&client).await?;
    clean_up(&client, &face, &other).await?;
    println!("1 passed");
    Ok(())
}

/// A client that speaks plain HTTP: TLS would triple what has to be built.
fn connect() -> Result<Client, AnyError> {
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .region(Region::new("eu-west-1"))
        .credentials_provider(Credentials::new(ACCOUNT, "any", None, None, "test"))
        .endpoint_url(std::env::var("LOOKALIKE_URL")?)
        .build();
    Ok(Client::from_conf(config))
}

fn picture(name: &str) -> Result<Image, AnyError> {
    let folder = PathBuf::from(std::env::var("LOOKALIKE_FACES")?);
    Ok(Image::builder().bytes(Blob::new(std::fs::read(folder.join(name))?)).build())
}

async fn collections(client: &Client) -> Result<(), AnyError> {
    let made = client.create_collection().collection_id(STAFF).tags("team", "door").send().await?;
    assert_eq!(made.status_code(), Some(200));
    assert_eq!(made.collection_arn(), Some("aws:rekognition:eu-west-1:320000000001:collection/staff"));
    assert!(made.request_id().is_some());

    let described = client.describe_collection().collection_id(STAFF).send().await?;
    assert_eq!((described.face_count(), described.user_count()), (Some(0), Some(0)));
    let created = described.creation_timestamp().expect("a timestamp").as_secs_f64();
    assert!((SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64() - created).abs() < 60.0);
    let arn = described.collection_arn().expect("an ARN");
    client.tag_resource().resource_arn(arn).tags("owner", "ana").send().await?;
    client.untag_resource().resource_arn(arn).tag_keys("team").send().await?;
    let tags = client.list_tags_for_resource().resource_arn(arn).send().await?;
    assert_eq!(tags.tags().and_then(|tags| tags.get("owner")).map(String::as_str), Some("ana"));
    assert_eq!(tags.tags().map(|tags| tags.len()), Some(1));

    let names: Vec<String> = client
        .list_collections()
        .into_paginator()
        .page_size(1)
        .send()
        .collect::<Result<Vec<_>, _>>()
        .await?
        .iter()
        .flat_map(|page| page.collection_ids().to_vec())
        .collect();
    assert_eq!(names, [STAFF]);
    Ok(())
}

/// Indexes, lists, finds and compares; the ids of two faces of two people.
async fn faces(client: &Client) -> Result<(String, String), AnyError> {
    let index = client.index_faces().collection_id(STAFF).image(picture("one-1.jpg")?);
    let indexed = index.external_image_id("one-1.jpg").detection_attributes(Attribute::All).send().await?;
    let [record] = indexed.face_records() else { panic!("one face: {indexed:?}") };
    let (face, detail) = (record.face().expect("a face"), record.face_detail().expect("its details"));
    assert_eq!(face.external_image_id(), Some("one-1.jpg"));
    assert_eq!((detail.landmarks().len(), detail.emotions().len()), (30, 8));
    assert!(detail.smile().is_some() && detail.age_range().is_some());
    let face = face.face_id().expect("an id").to_owned();
    let other = client.index_faces().collection_id(STAFF).image(picture("three.jpg")?).max_faces(1).send().await?;
    let other = other.face_records()[0].face().and_then(|face| face.face_id()).expect("an id").to_owned();

    let mut listed = Vec::new();
    let mut pages = client.list_faces().collection_id(STAFF).into_paginator().page_size(1).send();
    while let Some(page) = pages.next().await {
        listed.extend(page?.faces().iter().filter_map(|face| face.face_id().map(str::to_owned)));
    }
    let mut expected = vec![face.clone(), other.clone()];
    expected.sort();
    assert_eq!(listed, expected);

    let found = client.search_faces_by_image().collection_id(STAFF).image(picture("one-2.jpg")?).send().await?;
    let [hit] = found.face_matches() else { panic!("one match: {found:?}") };
    assert!(hit.similarity() >= Some(80.0));
    assert_eq!(hit.face().and_then(|face| face.face_id()), Some(face.as_str()));
    let others = client.search_faces().collection_id(STAFF).face_id(&face).face_match_threshold(0.0).send().await?;
    assert_eq!(others.face_matches()[0].face().and_then(|face| face.face_id()), Some(other.as_str()));
    let detected = client.detect_faces().image(picture("one-1.jpg")?).send().await?;
    assert_eq!(detected.face_details().len(), 1);
    let compared = client.compare_faces().source_image(picture("one-1.jpg")?).target_image(picture("three.jpg")?).send().await?;
    assert_eq!((compared.face_matches().len(), compared.unmatched_faces().len()), (0, 1));

    let crowded = client.index_faces().collection_id(STAFF).image(picture("group.jpg")?).max_faces(1).quality_filter("NONE".into());
    let crowded = crowded.send().await?;
    assert_eq!(crowded.unindexed_faces()[0].reasons(), [Reason::ExceedsMaxFaces]);
    Ok((face, other))
}

async fn users(client: &Client, face: &str) -> Result<(), AnyError> {
    client.create_user().collection_id(STAFF).user_id("one").send().await?;
    let given = client.associate_faces().collection_id(STAFF).user_id("one").face_ids(face).send().await?;
    assert_eq!(given.associated_faces()[0].face_id(), Some(face));
    assert_eq!(given.user_status(), Some(&UserStatus::Updating));
    let listed = client.list_users().collection_id(STAFF).send().await?;
    assert_eq!(listed.users()[0].user_status(), Some(&UserStatus::Active));
    let by_face = client.search_users().collection_id(STAFF).face_id(face).send().await?;
    assert_eq!(by_face.user_matches()[0].user().and_then(|user| user.user_id()), Some("one"));
    let by_image = client.search_users_by_image().collection_id(STAFF).image(picture("one-2.jpg")?).send().await?;
    assert_eq!(by_image.user_matches()[0].user().and_then(|user| user.user_id()), Some("one"));
    let taken = client.disassociate_faces().collection_id(STAFF).user_id("one").face_ids(face).send().await?;
    assert_eq!(taken.disassociated_faces()[0].face_id(), Some(face));
    client.delete_user().collection_id(STAFF).user_id("one").send().await?;
    Ok(())
}

async fn errors(client: &Client) -> Result<(), AnyError> {
    let error = client.list_faces().collection_id("none").send().await.expect_err("no such collection");
    assert!(matches!(&error, SdkError::ServiceError(_)));
    let error = error.into_service_error();
    assert!(error.is_resource_not_found_exception());
    assert_eq!(error.code(), Some("ResourceNotFoundException"));
    assert_eq!(error.message(), Some("The collection id: none does not exist"));

    let empty = Image::builder().bytes(Blob::new(Vec::new())).build();
    let error = client.detect_faces().image(empty).send().await.expect_err("no bytes").into_service_error();
    assert_eq!(error.code(), Some("ValidationException"), "which the model does not know");
    let neither = client.detect_faces().image(Image::builder().build()).send().await.expect_err("no image");
    assert!(neither.into_service_error().is_invalid_parameter_exception());
    Ok(())
}

async fn clean_up(client: &Client, face: &str, other: &str) -> Result<(), AnyError> {
    let deleted = client.delete_faces().collection_id(STAFF).face_ids(face).face_ids(other).face_ids(NOBODY).send().await?;
    assert_eq!(deleted.deleted_faces(), [face, other]);
    assert_eq!(deleted.unsuccessful_face_deletions()[0].face_id(), Some(NOBODY));
    client.delete_collection().collection_id(STAFF).send().await?;
    Ok(())
}
