"""What becomes of faces that are too dark, too blurred or too small, and of images that lie on their side, through boto3."""

import pytest
from PIL import Image, ImageFilter

import faces
from conftest import index

NO_FACES = "There are no faces in the image. Should be at least 1."
INVALID = "Request has invalid parameters"


def drawn(person: int, picture: int, side: int) -> Image.Image:
    return faces.face(person, picture).resize((side, side), Image.Resampling.BICUBIC)


def dark(face: Image.Image) -> Image.Image:
    """Its brightness is about 25: AUTO wants 30, LOW is content with 20."""
    return face.point(lambda value: value // 12)


def blurred(face: Image.Image) -> Image.Image:
    """Its sharpness is about 16: MEDIUM wants 30."""
    return face.filter(ImageFilter.GaussianBlur(7))


def row(*people: Image.Image) -> bytes:
    """A JPEG of these faces, from left to right."""
    photo = Image.new("RGB", (sum(face.width + 40 for face in people), max(face.height for face in people) + 40), faces.BACKGROUND)
    left = 20
    for face in people:
        photo.paste(face, (left, 20))
        left += face.width + 40
    return faces.jpeg(photo)


@pytest.fixture(scope="module")
def badly_lit() -> dict:
    """Person 3 large and in the dark on the left, person 1 smaller and well lit on the right."""
    return {"Bytes": row(dark(drawn(3, 0, 280)), drawn(1, 2, 200))}


@pytest.fixture(scope="module")
def in_the_dark() -> dict:
    """Nobody but person 3, in the dark."""
    return {"Bytes": row(dark(drawn(3, 0, 280)))}


def on_the_left(found: list[dict]) -> list[bool]:
    """Whether each face is in the left half."""
    return [face["BoundingBox"]["Left"] < 0.5 for face in found]


def test_compare_faces_passes_over_poor_faces(rekognition, badly_lit, in_the_dark):
    portrait = {"Bytes": faces.portrait(1, 1)}
    for options in ({}, {"QualityFilter": "NONE"}):
        everyone = rekognition.compare_faces(SourceImage=portrait, TargetImage=badly_lit, **options)
        assert on_the_left([match["Face"] for match in everyone["FaceMatches"]]) == [False]
        assert on_the_left(everyone["UnmatchedFaces"]) == [True]
    target = rekognition.compare_faces(SourceImage=portrait, TargetImage=badly_lit, QualityFilter="AUTO")
    assert on_the_left([match["Face"] for match in target["FaceMatches"]]) == [False]
    assert target["UnmatchedFaces"] == [], "a face that is refused is in neither list"

    largest = rekognition.compare_faces(SourceImage=badly_lit, TargetImage=portrait, QualityFilter="NONE")
    assert on_the_left([largest["SourceImageFace"]]) == [True] and largest["FaceMatches"] == []
    next_largest = rekognition.compare_faces(SourceImage=badly_lit, TargetImage=portrait, QualityFilter="AUTO")
    assert on_the_left([next_largest["SourceImageFace"]]) == [False] and len(next_largest["FaceMatches"]) == 1

    for source, target in [(in_the_dark, portrait), (portrait, in_the_dark)]:
        rekognition.compare_faces(SourceImage=source, TargetImage=target, QualityFilter="LOW")
        with pytest.raises(rekognition.exceptions.InvalidParameterException, match=INVALID):
            rekognition.compare_faces(SourceImage=source, TargetImage=target, QualityFilter="AUTO")


def test_search_faces_by_image_takes_the_largest_face_that_passes(rekognition, collection, badly_lit, in_the_dark):
    [known] = index(rekognition, collection, faces.portrait(1, 1))
    search = {"CollectionId": collection, "Image": badly_lit}
    for options in ({}, {"QualityFilter": "NONE"}, {"QualityFilter": "LOW"}):
        largest = rekognition.search_faces_by_image(**search, **options)
        assert largest["SearchedFaceBoundingBox"]["Left"] < 0.5 and largest["FaceMatches"] == []
    for quality in ("AUTO", "MEDIUM"):
        next_largest = rekognition.search_faces_by_image(**search, QualityFilter=quality)
        assert next_largest["SearchedFaceBoundingBox"]["Left"] > 0.5
        assert [match["Face"]["FaceId"] for match in next_largest["FaceMatches"]] == [known]

    rekognition.search_faces_by_image(CollectionId=collection, Image=in_the_dark, QualityFilter="LOW")
    with pytest.raises(rekognition.exceptions.InvalidParameterException, match=NO_FACES):
        rekognition.search_faces_by_image(CollectionId=collection, Image=in_the_dark, QualityFilter="HIGH")


def test_search_users_by_image_says_why_faces_are_not_searched(rekognition, collection, in_the_dark):
    rekognition.create_user(CollectionId=collection, UserId="one")
    rekognition.associate_faces(CollectionId=collection, UserId="one", FaceIds=index(rekognition, collection, faces.portrait(1, 1)))
    image = {"Bytes": row(dark(drawn(3, 0, 280)), blurred(drawn(5, 0, 260)), drawn(1, 2, 200), drawn(2, 0, 120), drawn(4, 0, 30))}
    search = {"CollectionId": collection, "Image": image}

    filtered = rekognition.search_users_by_image(**search, QualityFilter="MEDIUM")
    assert 0.55 < filtered["SearchedFace"]["FaceDetail"]["BoundingBox"]["Left"] < 0.8
    assert [match["User"]["UserId"] for match in filtered["UserMatches"]] == ["one"]
    others = sorted(filtered["UnsearchedFaces"], key=lambda face: face["FaceDetails"]["BoundingBox"]["Left"])
    assert len(others) == 4
    for other, reason in zip(others, ("LOW_BRIGHTNESS", "LOW_SHARPNESS", "FACE_NOT_LARGEST", "LOW_FACE_QUALITY")):
        assert reason in other["Reasons"], other["Reasons"]

    for options in ({}, {"QualityFilter": "NONE"}):
        unfiltered = rekognition.search_users_by_image(**search, **options)
        assert unfiltered["SearchedFace"]["FaceDetail"]["BoundingBox"]["Left"] < 0.5 and unfiltered["UserMatches"] == []
        assert [face["Reasons"] for face in unfiltered["UnsearchedFaces"]] == [["FACE_NOT_LARGEST"]] * 4

    refused = rekognition.search_users_by_image(CollectionId=collection, Image=in_the_dark, QualityFilter="AUTO")
    assert "SearchedFace" not in refused and refused["UserMatches"] == []
    [face] = refused["UnsearchedFaces"]
    assert "LOW_BRIGHTNESS" in face["Reasons"] and face["FaceDetails"]["Quality"]["Brightness"] < 30


def test_old_model_versions_say_how_images_lie(start_server, connect):
    # The answers are not those of the newest model, against which clients check theirs.
    rekognition = connect(start_server("--face-model-version", "3.0"), checked=False)
    upright = faces.photo((3, 0, 50, 50, 300))
    standing, lying = ({"Bytes": faces.jpeg(photo)} for photo in (upright, upright.transpose(Image.Transpose.ROTATE_90)))
    compared = rekognition.compare_faces(SourceImage=standing, TargetImage=lying)
    assert compared["SourceImageOrientationCorrection"] == "ROTATE_0"
    assert compared["TargetImageOrientationCorrection"] == "ROTATE_90"
    assert len(compared["FaceMatches"]) == 1, "a turned face is still the same person's"
    assert rekognition.detect_faces(Image=lying)["OrientationCorrection"] == "ROTATE_90"
    rekognition.create_collection(CollectionId="old")
    assert rekognition.index_faces(CollectionId="old", Image=lying)["OrientationCorrection"] == "ROTATE_90"
