"""Answers that a test declares, and failures that it asks for."""

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

ONCE = Config(retries={"total_max_attempts": 1})


@pytest.fixture
def staff(rekognition, declare_answer):
    """A collection with Ann, of whom there is no photo."""
    rekognition.create_collection(CollectionId="staff")
    image = declare_answer(faces=[{"person": "ann"}])
    rekognition.index_faces(CollectionId="staff", Image=image, ExternalImageId="ann")
    return rekognition


def names(rekognition, image):
    found = rekognition.search_faces_by_image(CollectionId="staff", Image=image)
    return [match["Face"]["ExternalImageId"] for match in found["FaceMatches"]]


def test_a_declared_person_is_found(staff, declare_answer):
    assert names(staff, declare_answer(faces=[{"person": "ann", "similarity": 97}])) == ["ann"]


def test_a_declared_stranger_is_not(staff, declare_answer):
    assert names(staff, declare_answer(faces=[{"person": "ben"}])) == []


def test_an_image_of_the_test_itself_is_declared(rekognition, declare_answer):
    image = declare_answer(image=b"a crowd", faces=[{}, {}, {}])
    assert image == {"Bytes": b"a crowd"}
    assert len(rekognition.detect_faces(Image=image)["FaceDetails"]) == 3


def test_an_object_of_s3_need_not_exist(rekognition, declare_answer):
    declare_answer(s3_object="photos/ann/*", faces=[{"person": "ann"}])
    image = {"S3Object": {"Bucket": "photos", "Name": "ann/1.jpg"}}
    assert len(rekognition.detect_faces(Image=image)["FaceDetails"]) == 1


def test_other_accounts_see_no_declaration(declare_answer, rekognition_client):
    image = declare_answer(faces=[{}])
    with pytest.raises(ClientError, match="InvalidImageFormatException"):
        rekognition_client("999999999999").detect_faces(Image=image)


def test_a_fault_ends_with_its_context(rekognition_client, lookalike_account, inject_fault):
    rekognition = rekognition_client(lookalike_account, config=ONCE)
    with inject_fault("ThrottlingException", operations=["ListCollections"]):
        with pytest.raises(ClientError, match="ThrottlingException"):
            rekognition.list_collections()
        with inject_fault("InternalServerError", operations=["DescribeCollection"]):
            with pytest.raises(ClientError, match="InternalServerError"):
                rekognition.describe_collection(CollectionId="staff")
            with pytest.raises(ClientError, match="ThrottlingException"):
                rekognition.list_collections()
    assert rekognition.list_collections()["CollectionIds"] == []


def test_a_client_that_tries_again_gets_through(rekognition, inject_fault):
    with inject_fault("ThrottlingException", operations=["ListCollections"], times=2):
        answer = rekognition.list_collections()
    assert answer["ResponseMetadata"]["RetryAttempts"] == 2


def test_other_accounts_meet_no_fault(rekognition_client, inject_fault):
    with inject_fault("ThrottlingException"):
        other = rekognition_client("999999999999", config=ONCE)
        assert "CollectionIds" in other.list_collections()
