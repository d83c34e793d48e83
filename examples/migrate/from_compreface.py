"""Moves the face collection of a CompreFace recognition service to Lookalike: subjects become users, examples their faces.

    python from_compreface.py --source http://localhost:8000 --api-key KEY --target http://localhost:9340 --collection staff

CompreFace has to keep its images (`save_images_to_db=true`, its default): the faces are indexed again. What the collection holds already is
passed over, so run the same command again after an interruption.
"""

import argparse
import json
import re
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections import defaultdict
from collections.abc import Iterator

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

PAGE = 100
FACES_AT_A_TIME = 100
RETRIES = Config(retries={"mode": "adaptive", "total_max_attempts": 10})


def main(arguments: list[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    source = CompreFace(options.source, options.api_key)
    target = boto3.client("rekognition", endpoint_url=options.target, region_name=options.region, config=RETRIES)
    names = user_ids(source.subjects())
    try:
        target.create_collection(CollectionId=options.collection)
    except target.exceptions.ResourceAlreadyExistsException:
        pass
    kept = kept_faces(target, options.collection)
    faces: dict[str, list[str]] = defaultdict(list)
    refused: dict[str, str] = {}
    for number, (image, subject) in enumerate(source.examples(), 1):
        if image not in kept:
            face, reason = index(source, target, options.collection, image)
            if face is None:
                refused[f"{subject}/{image}"] = reason
                continue
            kept[image] = (face, None)
        face, user = kept[image]
        if user is None:
            faces[subject].append(face)
        print(f"\r{number} examples", end="", file=sys.stderr)
    print(file=sys.stderr)
    for subject, user in names.items():
        give(target, options.collection, user, faces[subject])
    print(f"{len(names)} users, {len(kept)} faces, {len(refused)} examples refused")
    for example, reason in refused.items():
        print(f"{example}: {reason}", file=sys.stderr)
    return 1 if refused else 0


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", default="http://localhost:8000", help="URL of CompreFace")
    parser.add_argument("--api-key", required=True, help="key of its recognition service")
    parser.add_argument("--target", default="http://localhost:9340", help="endpoint of Lookalike")
    parser.add_argument("--region", default="us-east-1", help="region of the collection")
    parser.add_argument("--collection", required=True, help="collection, which is made if it is not there")
    return parser


class CompreFace:
    """The parts of CompreFace's REST API that are needed: docs/Rest-API-description.md of its repository."""

    def __init__(self, url: str, api_key: str):
        self.base, self.api_key = f"{url.rstrip('/')}/api/v1/recognition", api_key

    def subjects(self) -> list[str]:
        return json.loads(self._get("subjects/"))["subjects"]

    def examples(self) -> Iterator[tuple[str, str]]:
        """The image id and the subject of each example."""
        page, pages = 0, 1
        while page < pages:
            answer = json.loads(self._get(f"faces?page={page}&size={PAGE}"))
            yield from ((face["image_id"], face["subject"]) for face in answer["faces"])
            page, pages = page + 1, answer["total_pages"]

    def image(self, image: str) -> bytes:
        return self._get(f"faces/{urllib.parse.quote(image)}/img")

    def _get(self, path: str) -> bytes:
        request = urllib.request.Request(f"{self.base}/{path}", headers={"x-api-key": self.api_key})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.read()


def user_ids(subjects: list[str]) -> dict[str, str]:
    """A user id for each subject: other characters than AWS allows become `_`, and what would then be one gets a number."""
    names: dict[str, str] = {}
    for subject in sorted(subjects):
        plain = re.sub(r"[^a-zA-Z0-9_.\-:]", "_", subject)[:120] or "_"
        name, number = plain, 2
        while name in names.values():
            name, number = f"{plain}-{number}", number + 1
        names[subject] = name
    return names


def kept_faces(target, collection: str) -> dict[str, tuple[str, str | None]]:
    """Face and user of each image that the collection holds, by the image's id in CompreFace."""
    pages = target.get_paginator("list_faces").paginate(CollectionId=collection)
    return {face["ExternalImageId"]: (face["FaceId"], face.get("UserId")) for page in pages for face in page["Faces"] if "ExternalImageId" in face}


def index(source: CompreFace, target, collection: str, image: str) -> tuple[str | None, str]:
    try:
        data = source.image(image)
        answer = target.index_faces(CollectionId=collection, ExternalImageId=image, Image={"Bytes": data}, MaxFaces=1, QualityFilter="NONE")
    except (ClientError, urllib.error.HTTPError) as error:
        return None, str(error)
    if not answer["FaceRecords"]:
        return None, "no face was found in it"
    return answer["FaceRecords"][0]["Face"]["FaceId"], ""


def give(target, collection: str, user: str, faces: list[str]) -> None:
    try:
        target.create_user(CollectionId=collection, UserId=user)
    except target.exceptions.ConflictException:
        pass
    for start in range(0, len(faces), FACES_AT_A_TIME):
        # CompreFace has them under one subject: they are taken as they are.
        target.associate_faces(CollectionId=collection, UserId=user, FaceIds=faces[start : start + FACES_AT_A_TIME], UserMatchThreshold=0)


if __name__ == "__main__":
    sys.exit(main())
