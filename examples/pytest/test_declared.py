"""Fifty tests without inference: declared faces, faults, and a clean server for each."""

import boto3
import pytest
from botocore.config import Config

NAMES = ["ana", "ben", "cara", "dan", "eva", "finn", "gina", "hugo", "ida", "jon"]


@pytest.fixture(scope="session")
def impatient(lookalike_url):
    """A client that does not try again."""
    return boto3.client(
        "rekognition",
        endpoint_url=lookalike_url,
        region_name="us-east-1",
        aws_access_key_id="123456789012",
        aws_secret_access_key="any",
        config=Config(retries={"total_max_attempts": 1}),
    )


@pytest.fixture
def door(lookalike, rekognition, impatient):
    """That client, and a collection with Ana and Ben."""
    rekognition.create_collection(CollectionId="staff")
    for name in ("ana", "ben"):
        image = lookalike.declare(f"{name} at work".encode(), {"person": name})
        rekognition.index_faces(CollectionId="staff", Image=image, ExternalImageId=name)
    return impatient


def search(door, image, threshold=80):
    """Who is found, and how alike."""
    found = door.search_faces_by_image(
        CollectionId="staff", Image=image, FaceMatchThreshold=threshold
    )
    return {match["Face"]["ExternalImageId"]: match["Similarity"] for match in found["FaceMatches"]}


@pytest.mark.parametrize("name", NAMES)
def test_colleagues_are_let_in_and_nobody_else(door, lookalike, name):
    image = lookalike.declare(f"{name} at the door".encode(), {"person": name})
    assert list(search(door, image)) == ([name] if name in ("ana", "ben") else [])


@pytest.mark.parametrize("similarity", [80, 85, 88.8, 90, 92.5, 95, 97, 98, 99, 99.9])
def test_the_threshold_decides(door, lookalike, similarity):
    image = lookalike.declare(b"perhaps ana", {"person": "ana", "similarity": similarity})
    assert search(door, image, similarity) == {"ana": pytest.approx(similarity, abs=0.01)}
    assert search(door, image, min(similarity + 0.1, 100)) == {}


@pytest.mark.parametrize(
    "error",
    ["ThrottlingException", "ProvisionedThroughputExceededException", "InternalServerError"],
)
@pytest.mark.parametrize("operation", ["SearchFacesByImage", "Search*", "*"])
def test_a_failure_passes(door, lookalike, operation, error):
    image = lookalike.declare(b"ana", {"person": "ana"})
    lookalike.fail({"operations": [operation], "error": error, "times": 1})
    with pytest.raises(door.exceptions.ClientError) as refusal:
        search(door, image)
    assert refusal.value.response["Error"]["Code"] == error
    assert list(search(door, image)) == ["ana"]


@pytest.mark.parametrize(
    "error", ["InvalidImageFormatException", "ImageTooLargeException", "InvalidParameterException"]
)
def test_an_image_is_refused(door, lookalike, error):
    image = lookalike.declare(b"broken", error=error)
    with pytest.raises(getattr(door.exceptions, error)):
        search(door, image)


@pytest.mark.parametrize("seed", range(5))
def test_chance_is_replayed(door, lookalike, seed):
    def outcomes():
        lookalike.fail(
            {"operations": ["ListFaces"], "probability": 0.5, "error": "ThrottlingException"},
            seed=seed,
        )
        failed = []
        for _ in range(8):
            try:
                door.list_faces(CollectionId="staff")
                failed.append(False)
            except door.exceptions.ThrottlingException:
                failed.append(True)
        return failed

    assert outcomes() == outcomes()


@pytest.mark.parametrize("smiles", [True, False])
def test_attributes_are_as_declared(lookalike, rekognition, smiles):
    detail = {"Smile": {"Value": smiles, "Confidence": 75}, "AgeRange": {"Low": 40, "High": 50}}
    image = lookalike.declare(b"a face", {"detail": detail})
    [face] = rekognition.detect_faces(Image=image, Attributes=["ALL"])["FaceDetails"]
    assert (face["Smile"], face["AgeRange"]) == (detail["Smile"], detail["AgeRange"])


@pytest.mark.parametrize("count", [0, 1, 2, 5, 20])
def test_crowds(lookalike, rekognition, count):
    image = lookalike.declare(b"a crowd", *[{}] * count)
    assert len(rekognition.detect_faces(Image=image)["FaceDetails"]) == count
    rekognition.create_collection(CollectionId="crowd")
    assert len(rekognition.index_faces(CollectionId="crowd", Image=image)["FaceRecords"]) == count


@pytest.mark.parametrize("name", ["ana", "ben", "cara"])
def test_a_user_is_found(door, lookalike, name):
    faces = door.list_faces(CollectionId="staff")["Faces"]
    ids = [face["FaceId"] for face in faces if face["ExternalImageId"] == "ana"]
    door.create_user(CollectionId="staff", UserId="ana")
    door.associate_faces(CollectionId="staff", UserId="ana", FaceIds=ids)
    image = lookalike.declare(b"somebody", {"person": name})
    found = door.search_users_by_image(CollectionId="staff", Image=image)["UserMatches"]
    assert [match["User"]["UserId"] for match in found] == (["ana"] if name == "ana" else [])


def test_the_same_face_twice(lookalike, rekognition):
    images = [lookalike.declare(text, {"person": "ana"}) for text in (b"one", b"two")]
    answer = rekognition.compare_faces(SourceImage=images[0], TargetImage=images[1])
    assert len(answer["FaceMatches"]) == 1


@pytest.mark.parametrize("run", [1, 2])
def test_nothing_is_left_of_other_tests(lookalike, rekognition, run):
    assert rekognition.list_collections()["CollectionIds"] == []
    rekognition.create_collection(CollectionId="left-behind")
