"""A suite as a user's: an access system, and what it has to do."""

import os
import subprocess
import sys

import boto3
import pytest
from botocore.exceptions import ClientError

COLLECTION = "staff"


class Door:
    """The code under test. It knows nothing of the server."""

    def __init__(self):
        self.rekognition = boto3.client("rekognition")

    def open_for(self, image):
        found = self.rekognition.search_faces_by_image(CollectionId=COLLECTION, Image=image)
        return next((match["Face"]["ExternalImageId"] for match in found["FaceMatches"]), None)


@pytest.fixture
def staff(rekognition, picture):
    """A collection with Ana."""
    rekognition.create_collection(CollectionId=COLLECTION)
    rekognition.index_faces(CollectionId=COLLECTION, Image=picture("ana-1"), ExternalImageId="ana")
    return rekognition


@pytest.mark.parametrize("attempt", range(5))
def test_every_test_begins_with_nothing(rekognition, attempt):
    assert rekognition.list_collections()["CollectionIds"] == []
    rekognition.create_collection(CollectionId=COLLECTION)


@pytest.mark.parametrize(("name", "person"), [("ana-1", "ana"), ("ana-2", "ana"), ("ben", None)])
def test_the_door_opens_for_staff_alone(staff, picture, name, person):
    assert Door().open_for(picture(name)) == person


def test_a_picture_without_a_face_is_refused(staff, picture):
    with pytest.raises(ClientError, match="InvalidImageFormatException"):
        Door().open_for({"Bytes": b"no image"})


def test_faces_can_be_forgotten(staff, picture):
    [face] = staff.list_faces(CollectionId=COLLECTION)["Faces"]
    staff.delete_faces(CollectionId=COLLECTION, FaceIds=[face["FaceId"]])
    assert Door().open_for(picture("ana-2")) is None


@pytest.mark.parametrize(("name", "count"), [("ana-1", 1), ("ben", 1), ("group", 3)])
def test_all_faces_are_counted(rekognition, picture, name, count):
    assert len(rekognition.detect_faces(Image=picture(name))["FaceDetails"]) == count


@pytest.mark.parametrize(("name", "same"), [("ana-2", 1), ("ben", 0)])
def test_two_pictures_are_compared(rekognition, picture, name, same):
    answer = rekognition.compare_faces(SourceImage=picture("ana-1"), TargetImage=picture(name))
    assert len(answer["FaceMatches"]) == same


def test_other_accounts_see_nothing(staff, rekognition_client):
    other = rekognition_client("999999999999")
    assert COLLECTION not in other.list_collections()["CollectionIds"]


def test_a_missing_collection_is_an_error(rekognition):
    with pytest.raises(rekognition.exceptions.ResourceNotFoundException):
        rekognition.describe_collection(CollectionId="nobody")


def test_a_second_collection_of_one_name_is_refused(staff):
    with pytest.raises(staff.exceptions.ResourceAlreadyExistsException):
        staff.create_collection(CollectionId=COLLECTION)


def test_the_address_is_that_of_the_server(rekognition, lookalike_server):
    assert os.environ["AWS_ENDPOINT_URL_REKOGNITION"] == lookalike_server.url
    assert rekognition.meta.endpoint_url == lookalike_server.url


def test_processes_that_a_test_starts_see_the_same(staff):
    code = "import boto3; print(*boto3.client('rekognition').list_collections()['CollectionIds'])"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == [COLLECTION]
