"""The whole API through boto3. Each response is checked member by member against AWS's model on its way in (see conftest.py)."""

import datetime

import boto3
import pytest
from botocore.exceptions import ClientError

import faces
from conftest import ACCOUNT, NOBODY, REGION, index
from model import ATTRIBUTES


def test_collections(server, connect):
    rekognition = connect(server, key="210000000001")
    made = rekognition.create_collection(CollectionId="staff", Tags={"team": "door", "empty": ""})
    assert made["StatusCode"] == 200
    assert made["CollectionArn"] == f"aws:rekognition:{REGION}:210000000001:collection/staff"
    assert made["FaceModelVersion"] == "7.0"
    assert made["ResponseMetadata"]["RequestId"]

    described = rekognition.describe_collection(CollectionId="staff")
    assert (described["FaceCount"], described["UserCount"]) == (0, 0)
    assert described["CollectionARN"] == "arn:" + made["CollectionArn"]
    age = datetime.datetime.now(datetime.timezone.utc) - described["CreationTimestamp"]
    assert abs(age.total_seconds()) < 60

    assert rekognition.list_tags_for_resource(ResourceArn=described["CollectionARN"])["Tags"] == {"team": "door", "empty": ""}
    rekognition.tag_resource(ResourceArn=described["CollectionARN"], Tags={"team": "gate", "owner": "Zoë"})
    rekognition.untag_resource(ResourceArn=described["CollectionARN"], TagKeys=["empty", "absent"])
    assert rekognition.list_tags_for_resource(ResourceArn=made["CollectionArn"])["Tags"] == {"team": "gate", "owner": "Zoë"}

    assert rekognition.delete_collection(CollectionId="staff")["StatusCode"] == 200
    listed = rekognition.list_collections()
    assert (listed["CollectionIds"], listed["FaceModelVersions"]) == ([], [])


def test_collections_belong_to_an_account_and_a_region(server, connect):
    here = connect(server, key="210000000002")
    here.create_collection(CollectionId="staff")
    for other in (connect(server, key="210000000003"), connect(server, key="210000000002", region="us-east-1")):
        assert other.list_collections()["CollectionIds"] == []
    nameless = connect(server, key="AKIAIOSFODNN7EXAMPLE", region="ap-south-1")
    arn = nameless.create_collection(CollectionId="staff")["CollectionArn"]
    assert arn == "aws:rekognition:ap-south-1:000000000000:collection/staff"


def test_faces_are_indexed_listed_and_deleted(rekognition, collection):
    image = {"Bytes": faces.portrait(1)}
    answer = rekognition.index_faces(CollectionId=collection, Image=image, ExternalImageId="one:1.jpg")
    assert answer["FaceModelVersion"] == "7.0"
    [record] = answer["FaceRecords"]
    face, detail = record["Face"], record["FaceDetail"]
    assert face["ExternalImageId"] == "one:1.jpg"
    assert face["BoundingBox"] == detail["BoundingBox"] and face["Confidence"] == detail["Confidence"]
    names = [landmark["Type"] for landmark in detail["Landmarks"]]
    assert names == ["eyeLeft", "eyeRight", "mouthLeft", "mouthRight", "nose"]

    again = rekognition.index_faces(CollectionId=collection, Image=image, ExternalImageId="one:1.jpg")
    assert again["FaceRecords"][0]["Face"] == face, "the same image again is no second face"
    assert rekognition.describe_collection(CollectionId=collection)["FaceCount"] == 1

    [listed] = rekognition.list_faces(CollectionId=collection)["Faces"]
    assert listed["IndexFacesModelVersion"] == "7.0" and "UserId" not in listed
    assert (listed["FaceId"], listed["ImageId"]) == (face["FaceId"], face["ImageId"])
    for side in ("Left", "Top", "Width", "Height"):
        assert listed["BoundingBox"][side] == pytest.approx(face["BoundingBox"][side], rel=1e-5)

    deleted = rekognition.delete_faces(CollectionId=collection, FaceIds=[face["FaceId"], NOBODY])
    assert deleted["DeletedFaces"] == [face["FaceId"]]
    assert deleted["UnsuccessfulFaceDeletions"] == [{"FaceId": NOBODY, "Reasons": ["FACE_NOT_FOUND"]}]
    assert rekognition.list_faces(CollectionId=collection)["Faces"] == []


def test_attributes_come_as_asked_for(rekognition):
    image = {"Bytes": faces.portrait(0)}
    [plain] = rekognition.detect_faces(Image=image)["FaceDetails"]
    assert not plain.keys() & ATTRIBUTES
    assert 50 < plain["Quality"]["Brightness"] < 100 and 30 < plain["Quality"]["Sharpness"] < 100
    assert all(abs(plain["Pose"][angle]) < 45 for angle in ("Roll", "Yaw", "Pitch"))
    places = {landmark["Type"]: (landmark["X"], landmark["Y"]) for landmark in plain["Landmarks"]}
    assert places["eyeLeft"][0] < places["nose"][0] < places["eyeRight"][0]
    assert places["eyeLeft"][1] < places["nose"][1] < places["mouthLeft"][1]
    [full] = rekognition.detect_faces(Image=image, Attributes=["ALL"])["FaceDetails"]
    assert full.keys() >= ATTRIBUTES
    assert len(full["Landmarks"]) == len({landmark["Type"] for landmark in full["Landmarks"]}) == 30
    assert full["AgeRange"]["Low"] < full["AgeRange"]["High"]
    confidences = [emotion["Confidence"] for emotion in full["Emotions"]]
    assert len(confidences) == 8 and confidences == sorted(confidences, reverse=True)
    verdicts = ("Smile", "Eyeglasses", "Sunglasses", "Beard", "Mustache", "EyesOpen", "MouthOpen", "FaceOccluded")
    assert all(type(full[name]["Value"]) is bool and full[name]["Confidence"] >= 50 for name in verdicts)
    assert full["Gender"]["Value"] in ("Female", "Male") and full["Gender"]["Confidence"] >= 50
    gaze = full["EyeDirection"]
    assert abs(gaze["Yaw"]) < 90 and abs(gaze["Pitch"]) < 90 and 0 <= gaze["Confidence"] <= 100
    [some] = rekognition.detect_faces(Image=image, Attributes=["DEFAULT", "GENDER", "SMILE"])["FaceDetails"]
    assert some.keys() & ATTRIBUTES == {"Gender", "Smile"}
    assert rekognition.detect_faces(Image={"Bytes": faces.nobody()})["FaceDetails"] == []


def test_faces_beyond_the_wanted_number_are_told(rekognition, collection):
    answer = rekognition.index_faces(
        CollectionId=collection,
        Image={"Bytes": faces.group(150, 280, 210)},
        MaxFaces=2,
        QualityFilter="NONE",
        DetectionAttributes=["ALL"],
    )
    widths = [record["Face"]["BoundingBox"]["Width"] for record in answer["FaceRecords"]]
    assert len(widths) == 2 and widths == sorted(widths, reverse=True)
    [left_out] = answer["UnindexedFaces"]
    assert left_out["Reasons"] == ["EXCEEDS_MAX_FACES"]
    assert left_out["FaceDetail"]["BoundingBox"]["Width"] < widths[1]
    assert left_out["FaceDetail"].keys() >= ATTRIBUTES


def test_an_image_in_a_bucket(server, rekognition, collection):
    (server.buckets / "photos").mkdir(exist_ok=True)
    (server.buckets / "photos" / "Ana María+1.jpg").write_bytes(faces.portrait(1))
    image = {"S3Object": {"Bucket": "photos", "Name": "Ana María+1.jpg"}}
    answer = rekognition.index_faces(CollectionId=collection, Image=image)
    assert len(answer["FaceRecords"]) == 1
    found = rekognition.search_faces_by_image(CollectionId=collection, Image={"Bytes": faces.portrait(1)})
    assert found["FaceMatches"][0]["Similarity"] > 99
    with pytest.raises(rekognition.exceptions.InvalidS3ObjectException, match="Unable to get object metadata from S3"):
        rekognition.index_faces(CollectionId=collection, Image={"S3Object": {"Bucket": "photos", "Name": "none.jpg"}})
    image["S3Object"]["Version"] = "1"
    with pytest.raises(rekognition.exceptions.InvalidS3ObjectException, match="Unable to get object metadata from S3"):
        rekognition.index_faces(CollectionId=collection, Image=image)


def test_a_person_is_found_again(rekognition, collection):
    [first] = index(rekognition, collection, faces.portrait(1, 1), ExternalImageId="one")
    [second] = index(rekognition, collection, faces.portrait(1, 2), ExternalImageId="one")
    [stranger] = index(rekognition, collection, faces.portrait(3, 1))

    by_image = rekognition.search_faces_by_image(
        CollectionId=collection, Image={"Bytes": faces.portrait(1, 1)}, FaceMatchThreshold=0
    )
    matches = by_image["FaceMatches"]
    assert [match["Face"]["FaceId"] for match in matches[:2]] == [first, second]
    similarities = [match["Similarity"] for match in matches]
    assert similarities == sorted(similarities, reverse=True) and similarities[0] > 99.9
    assert by_image["FaceModelVersion"] == "7.0"
    assert by_image["SearchedFaceConfidence"] > 50 and 0 < by_image["SearchedFaceBoundingBox"]["Width"] < 1

    at_80 = rekognition.search_faces_by_image(CollectionId=collection, Image={"Bytes": faces.portrait(1, 1)})["FaceMatches"]
    assert [match["Face"]["FaceId"] for match in at_80] == [first, second], "a stranger does not reach 80"

    by_face = rekognition.search_faces(CollectionId=collection, FaceId=first, FaceMatchThreshold=0, MaxFaces=1)
    assert (by_face["SearchedFaceId"], by_face["FaceModelVersion"]) == (first, "7.0")
    assert [match["Face"]["FaceId"] for match in by_face["FaceMatches"]] == [second], "the face itself is no match"
    between = rekognition.search_faces(CollectionId=collection, FaceId=stranger)["FaceMatches"]
    assert between == []


def test_two_images_are_compared(rekognition):
    source = {"Bytes": faces.portrait(1, 1)}
    target = {"Bytes": faces.jpeg(faces.photo((3, 0, 20, 20, 200), (1, 2, 260, 20, 280), size=(560, 320)))}
    answer = rekognition.compare_faces(SourceImage=source, TargetImage=target)
    [match], [other] = answer["FaceMatches"], answer["UnmatchedFaces"]
    assert match["Similarity"] >= 80
    assert match["Face"]["BoundingBox"]["Left"] > other["BoundingBox"]["Left"]
    assert answer["SourceImageFace"]["Confidence"] > 90
    for face in (match["Face"], other):
        assert face["Confidence"] > 90 and len(face["Landmarks"]) == 5
        assert face["Pose"].keys() == {"Roll", "Yaw", "Pitch"} and face["Quality"].keys() == {"Brightness", "Sharpness"}
        assert not face.keys() & {"Emotions", "Smile"}
    everyone = rekognition.compare_faces(SourceImage=source, TargetImage=target, SimilarityThreshold=0)
    assert len(everyone["FaceMatches"]) == 2 and everyone["UnmatchedFaces"] == []


def test_paginators(server, connect):
    rekognition = connect(server, key="210000000004")
    names = [f"c{number}" for number in range(5)]
    for name in names:
        rekognition.create_collection(CollectionId=name)
    first = rekognition.list_collections(MaxResults=3)
    second = rekognition.list_collections(MaxResults=3, NextToken=first["NextToken"])
    assert first["CollectionIds"] + second["CollectionIds"] == names and "NextToken" not in second
    pages = rekognition.get_paginator("list_collections").paginate(PaginationConfig={"PageSize": 2})
    assert [len(page["CollectionIds"]) for page in pages] == [2, 2, 1]
    everything = rekognition.get_paginator("list_collections").paginate(PaginationConfig={"PageSize": 2}).build_full_result()
    assert sorted(everything["CollectionIds"]) == names and everything["FaceModelVersions"] == ["7.0"] * 5

    ids = index(rekognition, "c0", faces.group(150, 200, 250), QualityFilter="NONE")
    listed = (
        rekognition.get_paginator("list_faces").paginate(CollectionId="c0", PaginationConfig={"PageSize": 1}).build_full_result()
    )
    assert [face["FaceId"] for face in listed["Faces"]] == sorted(ids)
    first = rekognition.list_faces(CollectionId="c0", MaxResults=2)
    second = rekognition.list_faces(CollectionId="c0", MaxResults=2, NextToken=first["NextToken"])
    assert [face["FaceId"] for face in first["Faces"] + second["Faces"]] == sorted(ids)
    assert first["FaceModelVersion"] == second["FaceModelVersion"] == "7.0" and "NextToken" not in second
    part = rekognition.get_paginator("list_faces").paginate(CollectionId="c0", FaceIds=ids[:2], PaginationConfig={"PageSize": 1})
    assert [face["FaceId"] for face in part.search("Faces[]")] == sorted(ids[:2])

    users = [f"user{number}" for number in range(5)]
    for user in users:
        rekognition.create_user(CollectionId="c0", UserId=user)
    listed = (
        rekognition.get_paginator("list_users").paginate(CollectionId="c0", PaginationConfig={"PageSize": 2}).build_full_result()
    )
    assert sorted(user["UserId"] for user in listed["Users"]) == users


def test_errors_are_the_clients_own_exceptions(rekognition, collection):
    image, here = {"Bytes": faces.nobody()}, {"CollectionId": collection}
    rekognition.create_user(UserId="one", **here)
    wide = faces.png(faces.photo(size=(10_001, 80)))
    expected = [
        ("ResourceAlreadyExistsException", f"The collection id: {collection} already exists", "create_collection", here),
        ("ResourceNotFoundException", "Collection:none not found!", "describe_collection", {"CollectionId": "none"}),
        ("ResourceNotFoundException", "The collection id: none does not exist", "list_faces", {"CollectionId": "none"}),
        ("ResourceNotFoundException", "The user id: two does not exist", "delete_user", {"UserId": "two", **here}),
        ("ConflictException", "A User with the same Id already exists within the collection.", "create_user", {"UserId": "one", **here}),
        ("InvalidPaginationTokenException", "Invalid Pagination Token", "list_users", {"NextToken": "x", **here}),
        ("InvalidImageFormatException", "Request has invalid image format", "detect_faces", {"Image": {"Bytes": b"GIF89a"}}),
        ("ImageTooLargeException", "Input image dimensions 10001 x 80 exceed maximum dimension size of 10000 pixels", "detect_faces",
         {"Image": {"Bytes": wide}}),
        ("InvalidParameterException", "Request has invalid parameters", "detect_faces", {"Image": {"Bytes": faces.nobody(79, 200)}}),
        ("InvalidParameterException", "Request has invalid parameters", "detect_faces", {"Image": {}}),
        ("InvalidParameterException", "Request has invalid parameters", "compare_faces", {"SourceImage": image, "TargetImage": image}),
        ("InvalidParameterException", "There are no faces in the image. Should be at least 1.", "search_faces_by_image",
         {"Image": image, **here}),
        ("InvalidParameterException", "faceId was not found in the collection.", "search_faces", {"FaceId": NOBODY, **here}),
        ("InvalidParameterException", "Request has invalid parameters", "search_users", here),
        ("InvalidS3ObjectException", "Request has invalid S3 object", "detect_faces", {"Image": {"S3Object": {"Bucket": "photos"}}}),
    ]  # fmt: skip
    for name, message, operation, parameters in expected:
        with pytest.raises(getattr(rekognition.exceptions, name)) as raised:
            getattr(rekognition, operation)(**parameters)
        error = raised.value.response["Error"]
        assert (error["Code"], error["Message"]) == (name, message)


def test_a_broken_constraint_is_no_exception_of_the_model(rekognition):
    with pytest.raises(ClientError) as raised:
        rekognition.describe_collection(CollectionId="a b")
    assert type(raised.value) is ClientError, "as on AWS: the model does not know ValidationException"
    assert raised.value.response["Error"] == {
        "Code": "ValidationException",
        "Message": "1 validation error detected: Value 'a b' at 'collectionId' failed to satisfy constraint: "
        "Member must satisfy regular expression pattern: [a-zA-Z0-9_.\\-]+",
    }


def test_the_endpoint_comes_from_the_environment(server, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_REKOGNITION", server.url)
    session = boto3.Session(aws_access_key_id=ACCOUNT, aws_secret_access_key="any", region_name=REGION)
    assert session.client("rekognition").meta.endpoint_url == server.url
    assert "CollectionIds" in session.client("rekognition").list_collections()
