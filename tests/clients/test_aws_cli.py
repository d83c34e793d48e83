"""The stock AWS CLI: nothing but an endpoint is set, and nothing but JSON comes out."""

import json
import sys
from pathlib import Path

import pytest
from botocore import xform_name

import faces
from conftest import ACCOUNT, NOBODY, REGION
from model import OPERATIONS

AWS = Path(sys.executable).parent / "aws"
# Version 2 comes as a package of a system; early ones know no variable for the address.
AWS_2 = Path("/usr/bin/aws")
FACE = {"FaceId", "BoundingBox", "ImageId", "ExternalImageId", "Confidence"}
LISTED_FACE = FACE | {"IndexFacesModelVersion"}


@pytest.fixture
def aws(server, run, request):
    """Runs `aws rekognition` with these arguments; what it printed, as an object."""
    version = getattr(request, "param", 1)
    if version == 2 and not AWS_2.is_file():
        pytest.skip("needs Debian's awscli")
    command = [AWS, "rekognition"] if version == 1 else [AWS_2, "--endpoint-url", server.url, "rekognition"]

    def aws(*arguments: str, fails: bool = False):
        result = run(
            *command, *arguments,
            AWS_ENDPOINT_URL_REKOGNITION=server.url, AWS_ACCESS_KEY_ID=ACCOUNT, AWS_SECRET_ACCESS_KEY="any", AWS_DEFAULT_REGION=REGION,
            AWS_CONFIG_FILE="/dev/null", AWS_SHARED_CREDENTIALS_FILE="/dev/null", AWS_EC2_METADATA_DISABLED="true",
        )  # fmt: skip
        if fails:
            return result.returncode, result.stdout, result.stderr.strip()
        assert (result.returncode, result.stderr) == (0, ""), result
        return json.loads(result.stdout) if result.stdout else None

    return aws


@pytest.fixture
def pictures(tmp_path):
    """Two pictures of one person and one of another, as `fileb://` addresses."""

    def save(name: str, image: bytes) -> str:
        (tmp_path / name).write_bytes(image)
        return f"fileb://{tmp_path / name}"

    return [save("one-1.jpg", faces.portrait(1, 1)), save("one-2.jpg", faces.portrait(1, 2)), save("three.jpg", faces.portrait(3))]


def test_the_quick_start(aws, pictures):
    first, second, other = pictures
    made = aws("create-collection", "--collection-id", "people")
    assert made == {
        "StatusCode": 200,
        "CollectionArn": f"aws:rekognition:{REGION}:{ACCOUNT}:collection/people",
        "FaceModelVersion": "7.0",
    }

    indexed = aws("index-faces", "--collection-id", "people", "--image-bytes", first, "--external-image-id", "one-1.jpg")
    assert indexed.keys() == {"FaceRecords", "FaceModelVersion", "UnindexedFaces"}
    [record] = indexed["FaceRecords"]
    assert record["Face"].keys() == FACE
    assert record["FaceDetail"].keys() == {"BoundingBox", "Confidence", "Landmarks", "Pose", "Quality"}
    face_id = record["Face"]["FaceId"]
    aws("index-faces", "--collection-id", "people", "--image-bytes", other, "--external-image-id", "three.jpg")

    listed = aws("list-faces", "--collection-id", "people")
    assert listed.keys() == {"Faces", "FaceModelVersion"}
    assert {face["ExternalImageId"] for face in listed["Faces"]} == {"one-1.jpg", "three.jpg"}
    assert all(face.keys() == LISTED_FACE for face in listed["Faces"])

    described = aws("describe-collection", "--collection-id", "people")
    assert described.keys() == {"FaceCount", "FaceModelVersion", "CollectionARN", "CreationTimestamp", "UserCount"}
    assert (described["FaceCount"], described["CollectionARN"]) == (2, f"arn:{made['CollectionArn']}")

    found = aws("search-faces-by-image", "--collection-id", "people", "--image-bytes", second)
    assert found.keys() == {"SearchedFaceBoundingBox", "SearchedFaceConfidence", "FaceMatches", "FaceModelVersion"}
    [match] = found["FaceMatches"]
    assert match.keys() == {"Similarity", "Face"} and match["Face"].keys() == LISTED_FACE
    assert match["Face"]["FaceId"] == face_id and match["Similarity"] >= 80

    assert aws("create-user", "--collection-id", "people", "--user-id", "one") is None
    given = aws("associate-faces", "--collection-id", "people", "--user-id", "one", "--face-ids", face_id)
    assert given == {"AssociatedFaces": [{"FaceId": face_id}], "UnsuccessfulFaceAssociations": [], "UserStatus": "UPDATING"}
    users = aws("search-users-by-image", "--collection-id", "people", "--image-bytes", second)
    assert users.keys() == {"UserMatches", "FaceModelVersion", "SearchedFace", "UnsearchedFaces"}
    assert [found["User"] for found in users["UserMatches"]] == [{"UserId": "one", "UserStatus": "ACTIVE"}]
    assert aws("list-users", "--collection-id", "people") == {"Users": [{"UserId": "one", "UserStatus": "ACTIVE"}]}
    assert aws("delete-collection", "--collection-id", "people") == {"StatusCode": 200}


@pytest.mark.parametrize("aws", [2], indirect=True)
def test_version_2_finds_a_person(aws, pictures):
    here = ("--collection-id", "second")
    aws("create-collection", *here)
    aws("index-faces", *here, "--image-bytes", pictures[0], "--external-image-id", "one")
    [match] = aws("search-faces-by-image", *here, "--image-bytes", pictures[1])["FaceMatches"]
    assert match["Face"]["ExternalImageId"] == "one"
    aws("delete-collection", *here)


def test_images_are_compared_and_looked_at(aws, pictures):
    first, second, other = pictures
    compared = aws("compare-faces", "--source-image-bytes", first, "--target-image-bytes", second)
    assert compared.keys() == {"SourceImageFace", "FaceMatches", "UnmatchedFaces"}
    assert compared["SourceImageFace"].keys() == {"BoundingBox", "Confidence"}
    [match] = compared["FaceMatches"]
    assert match["Similarity"] >= 80
    assert match["Face"].keys() == {"BoundingBox", "Confidence", "Landmarks", "Pose", "Quality"}
    different = aws("compare-faces", "--source-image-bytes", first, "--target-image-bytes", other)
    assert different["FaceMatches"] == [] and len(different["UnmatchedFaces"]) == 1

    detected = aws("detect-faces", "--image-bytes", first, "--attributes", "ALL")
    assert detected.keys() == {"FaceDetails"}
    assert len(detected["FaceDetails"][0]) == 17


def test_collections_and_their_tags(aws):
    arn = aws("create-collection", "--collection-id", "tagged", "--tags", "team=door,owner=ana")["CollectionArn"]
    assert "tagged" in aws("list-collections")["CollectionIds"]
    page = aws("list-collections", "--max-results", "1", "--no-paginate")
    assert len(page["CollectionIds"]) == len(page["FaceModelVersions"]) == 1
    assert aws("tag-resource", "--resource-arn", f"arn:{arn}", "--tags", "team=gate") is None
    assert aws("untag-resource", "--resource-arn", f"arn:{arn}", "--tag-keys", "owner") is None
    assert aws("list-tags-for-resource", "--resource-arn", f"arn:{arn}") == {"Tags": {"team": "gate"}}
    aws("delete-collection", "--collection-id", "tagged")
    assert "tagged" not in aws("list-collections")["CollectionIds"]


def test_faces_and_users_to_their_end(aws, pictures):
    here = ("--collection-id", "staff")
    aws("create-collection", *here)
    indexed = [aws("index-faces", *here, "--image-bytes", picture) for picture in pictures]
    first, second, other = [answer["FaceRecords"][0]["Face"]["FaceId"] for answer in indexed]

    alike = aws("search-faces", *here, "--face-id", first)
    assert alike.keys() == {"SearchedFaceId", "FaceMatches", "FaceModelVersion"} and alike["SearchedFaceId"] == first
    assert [match["Face"]["FaceId"] for match in alike["FaceMatches"]] == [second]

    for user, face in [("one", first), ("three", other)]:
        aws("create-user", *here, "--user-id", user)
        aws("associate-faces", *here, "--user-id", user, "--face-ids", face, "--user-match-threshold", "80")
    by_face = aws("search-users", *here, "--face-id", second)
    assert by_face.keys() == {"UserMatches", "FaceModelVersion", "SearchedFace"}
    assert [match["User"]["UserId"] for match in by_face["UserMatches"]] == ["one"]
    by_user = aws("search-users", *here, "--user-id", "one", "--user-match-threshold", "0", "--max-users", "5")
    assert by_user["SearchedUser"] == {"UserId": "one"}
    assert [match["User"]["UserId"] for match in by_user["UserMatches"]] == ["three"]
    assert len(aws("search-users-by-image", *here, "--image-bytes", pictures[1], "--max-users", "1")["UserMatches"]) == 1

    taken = aws("disassociate-faces", *here, "--user-id", "one", "--face-ids", first, NOBODY)
    assert taken == {
        "DisassociatedFaces": [{"FaceId": first}],
        "UnsuccessfulFaceDisassociations": [{"FaceId": NOBODY, "Reasons": ["FACE_NOT_FOUND"]}],
        "UserStatus": "UPDATING",
    }
    assert aws("delete-user", *here, "--user-id", "one") is None
    assert aws("list-users", *here) == {"Users": [{"UserId": "three", "UserStatus": "ACTIVE"}]}
    deleted = aws("delete-faces", *here, "--face-ids", first, other)
    assert deleted["DeletedFaces"] == [first]
    assert deleted["UnsuccessfulFaceDeletions"] == [
        {"FaceId": other, "UserId": "three", "Reasons": ["ASSOCIATED_TO_AN_EXISTING_USER"]}
    ]
    assert {face["FaceId"] for face in aws("list-faces", *here)["Faces"]} == {second, other}
    aws("delete-collection", *here)


def test_every_operation_is_called_here():
    text = Path(__file__).read_text()
    assert [name for name in OPERATIONS if f'aws("{xform_name(name, "-")}"' not in text] == []


@pytest.mark.parametrize("aws", [1, 2], indirect=True)
def test_an_error_is_told_as_awss(aws):
    code, output, error = aws("list-faces", "--collection-id", "nobody", fails=True)
    assert (code, output) in [(255, ""), (254, "")]
    assert error.removeprefix("aws: [ERROR]: ") == (
        "An error occurred (ResourceNotFoundException) when calling the ListFaces operation: The collection id: nobody does not exist"
    )
