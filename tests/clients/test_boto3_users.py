"""Users through boto3: their faces, how they are found, what repeated calls do, and how many faces one user may have."""

import pytest

import faces
from conftest import NOBODY, index


def test_users(rekognition, collection):
    pictures = [index(rekognition, collection, faces.portrait(1, picture))[0] for picture in (1, 2, 3)]
    [stranger] = index(rekognition, collection, faces.portrait(3, 1))
    for user in ("one", "two"):
        rekognition.create_user(CollectionId=collection, UserId=user)
    given = rekognition.associate_faces(CollectionId=collection, UserId="one", FaceIds=pictures[:2])
    assert [face["FaceId"] for face in given["AssociatedFaces"]] == pictures[:2]
    assert (given["UserStatus"], given["UnsuccessfulFaceAssociations"]) == ("UPDATING", [])
    rekognition.associate_faces(CollectionId=collection, UserId="two", FaceIds=[stranger])

    mixed = rekognition.associate_faces(CollectionId=collection, UserId="two", FaceIds=[pictures[0], pictures[2], NOBODY])
    reasons = {failure["FaceId"]: failure for failure in mixed["UnsuccessfulFaceAssociations"]}
    assert reasons[pictures[0]] == {"FaceId": pictures[0], "UserId": "one", "Reasons": ["ASSOCIATED_TO_A_DIFFERENT_USER"]}
    assert reasons[pictures[2]]["Reasons"] == ["LOW_MATCH_CONFIDENCE"] and reasons[pictures[2]]["Confidence"] < 75
    assert reasons[NOBODY]["Reasons"] == ["FACE_NOT_FOUND"]

    assert rekognition.list_users(CollectionId=collection)["Users"] == [
        {"UserId": "one", "UserStatus": "ACTIVE"},
        {"UserId": "two", "UserStatus": "ACTIVE"},
    ]
    assert rekognition.describe_collection(CollectionId=collection)["UserCount"] == 2
    owned = rekognition.list_faces(CollectionId=collection, UserId="one")["Faces"]
    assert {face["FaceId"] for face in owned} == set(pictures[:2]) and {face["UserId"] for face in owned} == {"one"}

    by_face = rekognition.search_users(CollectionId=collection, FaceId=pictures[2])
    assert by_face["SearchedFace"] == {"FaceId": pictures[2]} and "SearchedUser" not in by_face
    assert by_face["FaceModelVersion"] == "7.0" and by_face["UserMatches"][0]["Similarity"] >= 80
    assert [match["User"] for match in by_face["UserMatches"]] == [{"UserId": "one", "UserStatus": "ACTIVE"}]
    by_user = rekognition.search_users(CollectionId=collection, UserId="two", UserMatchThreshold=0)
    assert by_user["SearchedUser"] == {"UserId": "two"}
    assert [match["User"]["UserId"] for match in by_user["UserMatches"]] == ["one"], "the user itself is no match"

    image = {"Bytes": faces.jpeg(faces.photo((3, 0, 20, 20, 200), (1, 0, 260, 20, 280), size=(560, 320)))}
    by_image = rekognition.search_users_by_image(CollectionId=collection, Image=image, MaxUsers=1)
    assert by_image["UserMatches"][0]["User"]["UserId"] == "one" and by_image["FaceModelVersion"] == "7.0"
    assert by_image["SearchedFace"]["FaceDetail"]["BoundingBox"]["Left"] > 0.4
    [unsearched] = by_image["UnsearchedFaces"]
    assert unsearched["Reasons"] == ["FACE_NOT_LARGEST"] and unsearched["FaceDetails"]["BoundingBox"]["Left"] < 0.4
    faceless = rekognition.search_users_by_image(CollectionId=collection, Image={"Bytes": faces.nobody()})
    assert "SearchedFace" not in faceless and faceless["UserMatches"] == []

    kept = rekognition.delete_faces(CollectionId=collection, FaceIds=[stranger])["UnsuccessfulFaceDeletions"]
    assert kept == [{"FaceId": stranger, "UserId": "two", "Reasons": ["ASSOCIATED_TO_AN_EXISTING_USER"]}]
    taken = rekognition.disassociate_faces(CollectionId=collection, UserId="one", FaceIds=[*pictures[:2], stranger, NOBODY])
    assert [face["FaceId"] for face in taken["DisassociatedFaces"]] == pictures[:2]
    assert taken["UnsuccessfulFaceDisassociations"] == [
        {"FaceId": stranger, "UserId": "two", "Reasons": ["ASSOCIATED_TO_A_DIFFERENT_USER"]},
        {"FaceId": NOBODY, "Reasons": ["FACE_NOT_FOUND"]},
    ]
    assert rekognition.list_users(CollectionId=collection)["Users"][0]["UserStatus"] == "CREATED"
    rekognition.delete_user(CollectionId=collection, UserId="two")
    assert rekognition.list_users(CollectionId=collection)["Users"] == [{"UserId": "one", "UserStatus": "CREATED"}]


def test_a_search_finds_no_more_users_than_wanted(rekognition, collection):
    [searched] = index(rekognition, collection, faces.portrait(1, 1))
    for person in (1, 2, 3):
        user = f"user-{person}"
        rekognition.create_user(CollectionId=collection, UserId=user)
        face_ids = index(rekognition, collection, faces.portrait(person, 2))
        rekognition.associate_faces(CollectionId=collection, UserId=user, FaceIds=face_ids)
    search = {"CollectionId": collection, "UserMatchThreshold": 0}
    everyone = rekognition.search_users(**search, FaceId=searched)["UserMatches"]
    similarities = [match["Similarity"] for match in everyone]
    assert len(everyone) == 3 and similarities == sorted(similarities, reverse=True)
    assert everyone[0]["User"]["UserId"] == "user-1"
    for wanted in (1, 2):
        assert rekognition.search_users(**search, FaceId=searched, MaxUsers=wanted)["UserMatches"] == everyone[:wanted]
        by_user = rekognition.search_users(**search, UserId="user-1", MaxUsers=wanted)["UserMatches"]
        assert len(by_user) == wanted and "user-1" not in [match["User"]["UserId"] for match in by_user]
        by_image = rekognition.search_users_by_image(**search, Image={"Bytes": faces.portrait(1, 1)}, MaxUsers=wanted)
        assert [match["User"] for match in by_image["UserMatches"]] == [match["User"] for match in everyone[:wanted]]


@pytest.fixture
def mismatch(rekognition):
    """Expects that a token is refused to a request that is not the one it was first sent with."""

    def mismatch(token: str):
        message = f"The ClientRequestToken: {token} you have supplied is already in use."
        return pytest.raises(rekognition.exceptions.IdempotentParameterMismatchException, match=message)

    return mismatch


def test_a_repeated_request_token_has_no_second_effect(rekognition, collection, mismatch):
    token = {"CollectionId": collection, "ClientRequestToken": "t-1"}
    for _ in range(2):
        rekognition.create_user(UserId="one", **token)
    assert len(rekognition.list_users(CollectionId=collection)["Users"]) == 1
    with mismatch("t-1"):
        rekognition.create_user(UserId="two", **token)
    # Tokens of two operations never meet.
    for _ in range(2):
        rekognition.delete_user(UserId="one", **token)
    with mismatch("t-1"):
        rekognition.delete_user(UserId="two", **token)


def test_a_repeated_token_neither_gives_nor_takes_faces_again(rekognition, collection, mismatch):
    ids = [face for picture in (1, 2) for face in index(rekognition, collection, faces.portrait(1, picture))]
    user = {"CollectionId": collection, "UserId": "one"}
    rekognition.create_user(**user)

    def owned() -> set[str]:
        return {face["FaceId"] for face in rekognition.list_faces(**user)["Faces"]}

    give = {"FaceIds": ids, "ClientRequestToken": "give", **user}
    for _ in range(2):
        given = rekognition.associate_faces(**give)
        assert [face["FaceId"] for face in given["AssociatedFaces"]] == ids, "the second answer is the first"
    with mismatch("give"):
        rekognition.associate_faces(**give | {"FaceIds": ids[:1]})
    with mismatch("give"):
        rekognition.associate_faces(**give, UserMatchThreshold=10)

    take = {"FaceIds": ids[:1], "ClientRequestToken": "take", **user}
    rekognition.disassociate_faces(**take)
    assert owned() == {ids[1]}
    rekognition.associate_faces(FaceIds=ids[:1], **user)
    taken = rekognition.disassociate_faces(**take)
    assert [face["FaceId"] for face in taken["DisassociatedFaces"]] == ids[:1], "the second answer is the first"
    assert owned() == set(ids), "and nothing was taken again"
    with mismatch("take"):
        rekognition.disassociate_faces(**take | {"FaceIds": ids[1:]})
    assert owned() == set(ids)


def test_a_user_has_at_most_a_hundred_faces(rekognition, collection):
    crowd = faces.photo(*((1, 0, 10 + number % 8 * 130, 10 + number // 8 * 130, 110) for number in range(56)), size=(1050, 920))
    image = faces.jpeg(crowd)
    ids = [face for name in ("first", "second") for face in index(rekognition, collection, image, ExternalImageId=name)]
    assert len(ids) > 100, "the faces of the crowd are found"
    user = {"CollectionId": collection, "UserId": "one"}
    rekognition.create_user(**user)
    given = rekognition.associate_faces(FaceIds=ids[:100], UserMatchThreshold=0, **user)
    assert len(given["AssociatedFaces"]) == 100
    with pytest.raises(rekognition.exceptions.ServiceQuotaExceededException):
        rekognition.associate_faces(FaceIds=ids[100:101], UserMatchThreshold=0, **user)
    assert len(rekognition.list_faces(**user)["Faces"]) == 100
    rekognition.disassociate_faces(FaceIds=ids[:1], **user)
    assert rekognition.associate_faces(FaceIds=ids[100:101], UserMatchThreshold=0, **user)["AssociatedFaces"]
