//! TagResource, UntagResource, ListTagsForResource, and the tags of CreateCollection.

use serde_json::json;

use crate::support::TestServer;

const ARN: &str = "arn:aws:rekognition:us-east-1:000000000000:collection/staff";

#[tokio::test(flavor = "multi_thread")]
async fn tags_are_kept_replaced_and_removed() {
    let server = TestServer::start().await;
    server
        .ok(
            "CreateCollection",
            json!({ "CollectionId": "staff", "Tags": { "team": "a", "stage": "test" } }),
        )
        .await;
    assert_eq!(
        server
            .ok("TagResource", json!({ "ResourceArn": ARN, "Tags": { "team": "b", "größe": "" } }))
            .await,
        json!({})
    );
    let listed = server.ok("ListTagsForResource", json!({ "ResourceArn": ARN })).await;
    assert_eq!(listed, json!({ "Tags": { "team": "b", "stage": "test", "größe": "" } }));

    let untag = json!({ "ResourceArn": ARN, "TagKeys": ["team", "never there"] });
    assert_eq!(server.ok("UntagResource", untag).await, json!({}));
    // CreateCollection answers the ARN without `arn:`; both forms name the collection.
    let listed =
        server.ok("ListTagsForResource", json!({ "ResourceArn": ARN.strip_prefix("arn:") })).await;
    assert_eq!(listed, json!({ "Tags": { "stage": "test", "größe": "" } }));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_arn_of_nobody_or_of_somebody_else_is_not_found() {
    let server = TestServer::start().await;
    server.collection("staff").await;
    for arn in [
        "arn:aws:rekognition:us-east-1:000000000000:collection/guests",
        "arn:aws:rekognition:eu-west-1:000000000000:collection/staff",
        "arn:aws:rekognition:us-east-1:123456789012:collection/staff",
        "arn:aws:rekognition:us-east-1:000000000000:project/staff/1",
    ] {
        for (operation, input) in [
            ("ListTagsForResource", json!({ "ResourceArn": arn })),
            ("TagResource", json!({ "ResourceArn": arn, "Tags": { "a": "b" } })),
            ("UntagResource", json!({ "ResourceArn": arn, "TagKeys": ["a"] })),
        ] {
            let (code, text) = server.refusal(operation, input).await;
            assert_eq!(code, "ResourceNotFoundException", "{operation} {arn}");
            let named = if arn.ends_with("/guests") { "guests" } else { arn };
            assert!(text.contains(&format!(" {named} does not exist")), "{text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collection_has_at_most_200_tags() {
    let server = TestServer::start().await;
    let tags = |from: usize, to: usize| {
        (from..to).map(|n| (format!("key{n}"), json!("v"))).collect::<serde_json::Map<_, _>>()
    };
    server.ok("CreateCollection", json!({ "CollectionId": "staff", "Tags": tags(0, 200) })).await;
    server.ok("TagResource", json!({ "ResourceArn": ARN, "Tags": tags(100, 200) })).await;
    let refusal =
        server.refusal("TagResource", json!({ "ResourceArn": ARN, "Tags": tags(199, 201) })).await;
    assert_eq!(refusal.0, "ServiceQuotaExceededException");
    let listed = server.ok("ListTagsForResource", json!({ "ResourceArn": ARN })).await;
    assert_eq!(listed["Tags"].as_object().unwrap().len(), 200, "a refused call changes nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn reserved_and_overlong_tags_are_refused() {
    let server = TestServer::start().await;
    let (code, text) = server
        .refusal("CreateCollection", json!({ "CollectionId": "x", "Tags": { "aws:a": "b" } }))
        .await;
    assert_eq!(code, "ValidationException");
    assert_eq!(
        text,
        "1 validation error detected: Value '{aws:a=b}' at 'tags' failed to satisfy constraint: Map keys must satisfy constraint: \
         [Member must have length less than or equal to 128, Member must have length greater than or equal to 1, \
         Member must satisfy regular expression pattern: ^(?!aws:)[\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*$]"
    );
    let long = json!({ "CollectionId": "x", "Tags": { "a": "v".repeat(257) } });
    assert!(
        server
            .refusal("CreateCollection", long)
            .await
            .1
            .contains("Map value must satisfy constraint: [")
    );
}
