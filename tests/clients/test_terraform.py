"""The calls of Terraform's `aws_rekognition_collection`, as the AWS provider makes them."""

import pytest

COLLECTION = "terraform"


@pytest.fixture
def created(rekognition):
    """`terraform apply` of a new resource; what the provider keeps of it."""
    answer = rekognition.create_collection(CollectionId=COLLECTION, Tags={"team": "door"})
    yield answer
    if COLLECTION in rekognition.list_collections()["CollectionIds"]:
        rekognition.delete_collection(CollectionId=COLLECTION)


def read(rekognition):
    """`terraform plan`: the provider's read, which is what drift is measured by."""
    state = rekognition.describe_collection(CollectionId=COLLECTION)
    return state | rekognition.list_tags_for_resource(ResourceArn=state["CollectionARN"])


def test_a_plan_after_an_apply_finds_no_drift(rekognition, created):
    state = read(rekognition)
    # AWS leaves `arn:` out of what CreateCollection answers.
    assert state["CollectionARN"] == f"arn:{created['CollectionArn']}"
    assert state["FaceModelVersion"] == created["FaceModelVersion"]
    assert state["Tags"] == {"team": "door"}


def test_tags_are_updated_in_place(rekognition, created):
    arn = created["CollectionArn"]
    rekognition.untag_resource(ResourceArn=arn, TagKeys=["team"])
    rekognition.tag_resource(ResourceArn=arn, Tags={"owner": "ops"})
    assert read(rekognition)["Tags"] == {"owner": "ops"}


def test_a_collection_that_was_deleted_elsewhere_is_planned_anew(rekognition, created):
    rekognition.delete_collection(CollectionId=COLLECTION)
    with pytest.raises(rekognition.exceptions.ResourceNotFoundException):
        read(rekognition)


def test_a_destroy_of_what_is_gone_is_told_so(rekognition, created):
    rekognition.delete_collection(CollectionId=COLLECTION)
    with pytest.raises(rekognition.exceptions.ResourceNotFoundException):
        rekognition.delete_collection(CollectionId=COLLECTION)
