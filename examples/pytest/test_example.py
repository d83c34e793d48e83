"""Tests with the fixtures of conftest.py. The pictures show people who do not exist."""

from pathlib import Path

import boto3
import pytest

FACES = Path(__file__).resolve().parents[1] / "faces"


def picture(name: str) -> dict:
    return {"Bytes": (FACES / name).read_bytes()}


def who_is_at_the_door(collection_id: str, image: dict) -> str | None:
    """The code under test, without a trace of Lookalike."""
    rekognition = boto3.client("rekognition")
    found = rekognition.search_faces_by_image(CollectionId=collection_id, Image=image, MaxFaces=1)
    return next((match["Face"]["ExternalImageId"] for match in found["FaceMatches"]), None)


@pytest.fixture
def staff(rekognition, collection):
    """A collection with Ana."""
    rekognition.index_faces(
        CollectionId=collection, Image=picture("ana-1.jpg"), ExternalImageId="ana"
    )
    return collection


def test_a_colleague_is_let_in(staff):
    assert who_is_at_the_door(staff, picture("ana-2.jpg")) == "ana"


def test_a_stranger_is_not(staff):
    assert who_is_at_the_door(staff, picture("ben.jpg")) is None


def test_a_collection_of_its_own(rekognition, collection):
    assert rekognition.list_faces(CollectionId=collection)["Faces"] == []
    answer = rekognition.index_faces(CollectionId=collection, Image=picture("group.jpg"))
    assert len(answer["FaceRecords"]) == 3


def test_the_same_person_or_not(rekognition):
    for name, count in [("ana-2.jpg", 1), ("ben.jpg", 0)]:
        answer = rekognition.compare_faces(
            SourceImage=picture("ana-1.jpg"), TargetImage=picture(name)
        )
        assert len(answer["FaceMatches"]) == count


def test_a_user_stands_for_several_pictures(rekognition, collection):
    ids = []
    for name in ("ana-1.jpg", "ana-2.jpg"):
        answer = rekognition.index_faces(CollectionId=collection, Image=picture(name))
        ids += [record["Face"]["FaceId"] for record in answer["FaceRecords"]]
    rekognition.create_user(CollectionId=collection, UserId="ana")
    given = rekognition.associate_faces(CollectionId=collection, UserId="ana", FaceIds=ids)
    assert [face["FaceId"] for face in given["AssociatedFaces"]] == ids
    found = rekognition.search_users_by_image(CollectionId=collection, Image=picture("ana-2.jpg"))
    assert [match["User"]["UserId"] for match in found["UserMatches"]] == ["ana"]
    nobody = rekognition.search_users_by_image(CollectionId=collection, Image=picture("ben.jpg"))
    assert nobody["UserMatches"] == []
