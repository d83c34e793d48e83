"""Moves the collections of an AWS account to Lookalike.

Amazon Rekognition gives no vectors away, and another network could not compare them. So each image is fetched from S3 and indexed again:

    python from_aws.py --target http://localhost:9340 --bucket my-photos --key '{ExternalImageId}.jpg' --state staff.jsonl

Keys and region of the source are those of boto3. The state file records every image that is done, and which face id became which: run the
same command again after an interruption.
"""

import argparse
import csv
import json
import sys
from collections import defaultdict
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

# Two boxes of one face share more of their union than this, even where the detectors differ.
SAME_FACE = 0.3
FACES_AT_A_TIME = 100
RETRIES = Config(retries={"mode": "adaptive", "total_max_attempts": 10})


def main(arguments: list[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    source = boto3.client("rekognition", endpoint_url=options.source, config=RETRIES)
    target = boto3.client("rekognition", endpoint_url=options.target, config=RETRIES)
    s3 = boto3.client("s3", endpoint_url=options.s3, config=RETRIES)
    images = Images(s3, options.bucket, options.key, read_map(options.map))
    state = State(options.state)
    for collection in options.collection or list_collections(source):
        Move(source, target, images, state, collection).run()
    state.write_face_ids(options.face_ids)
    print(f"{len(state.done)} images moved, {len(state.missing)} not found or refused, {state.lost} faces not found again")
    for image, reason in state.missing.items():
        print(f"{image}: {reason}", file=sys.stderr)
    return 1 if state.missing else 0


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", help="endpoint of the source; Amazon Rekognition if not given")
    parser.add_argument("--target", default="http://localhost:9340", help="endpoint of Lookalike")
    parser.add_argument("--s3", help="endpoint of the buckets; Amazon S3 if not given")
    parser.add_argument("--collection", action="append", help="only this collection; may be repeated")
    parser.add_argument("--bucket", help="bucket of the images")
    parser.add_argument("--key", default="{ExternalImageId}", help="key of an image, with {ExternalImageId}, {ImageId}, {CollectionId}")
    parser.add_argument("--map", type=Path, help="CSV with the columns id,bucket,key, where id is an ExternalImageId or an ImageId")
    parser.add_argument("--state", type=Path, default=Path("migration.jsonl"), help="what is done")
    parser.add_argument("--face-ids", type=Path, default=Path("face-ids.csv"), help="CSV of old and new face ids, to be written")
    return parser


def list_collections(source) -> list[str]:
    pages = source.get_paginator("list_collections").paginate()
    return [name for page in pages for name in page["CollectionIds"]]


def read_map(path: Path | None) -> dict[str, tuple[str, str]]:
    if path is None:
        return {}
    with path.open(newline="") as file:
        return {row["id"]: (row["bucket"], row["key"]) for row in csv.DictReader(file)}


class Images:
    """Finds the bytes of an image that was indexed once."""

    def __init__(self, s3, bucket: str | None, key: str, places: dict[str, tuple[str, str]]):
        self.s3, self.bucket, self.key, self.places = s3, bucket, key, places

    def read(self, collection: str, face: dict) -> bytes:
        ids = {"ExternalImageId": face.get("ExternalImageId", ""), "ImageId": face["ImageId"], "CollectionId": collection}
        place = self.places.get(ids["ExternalImageId"]) or self.places.get(ids["ImageId"])
        if place is None and self.bucket is None:
            raise LookupError("no line of --map names it, and there is no --bucket")
        bucket, key = place or (self.bucket, self.key.format(**ids))
        return self.s3.get_object(Bucket=bucket, Key=key)["Body"].read()


class State:
    """What is done, a line of JSON for each image."""

    def __init__(self, path: Path):
        self.done: dict[tuple[str, str], dict[str, str]] = {}
        self.missing: dict[str, str] = {}
        self.lost = 0
        if path.exists():
            text = path.read_text()
            # A line that was cut short was not acknowledged: it is done again.
            path.write_text(text[: text.rfind("\n") + 1])
            for line in path.read_text().splitlines():
                entry = json.loads(line)
                self.done[entry["collection"], entry["image"]] = entry["faces"]
                self.lost += entry["lost"]
        self.file = path.open("a")

    def add(self, collection: str, image: str, faces: dict[str, str], lost: int) -> None:
        self.done[collection, image] = faces
        self.lost += lost
        self.file.write(json.dumps({"collection": collection, "image": image, "faces": faces, "lost": lost}) + "\n")
        self.file.flush()

    def write_face_ids(self, path: Path) -> None:
        with path.open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["collection", "old", "new"])
            rows.writerows((collection, old, new) for (collection, _), faces in self.done.items() for old, new in faces.items())


class Move:
    """One collection on its way."""

    def __init__(self, source, target, images: Images, state: State, collection: str):
        self.source, self.target, self.images, self.state, self.collection = source, target, images, state, collection
        self.id = {"CollectionId": collection}

    def run(self) -> None:
        self.make_collection()
        by_image, by_user = defaultdict(list), defaultdict(list)
        for page in self.source.get_paginator("list_faces").paginate(**self.id):
            for face in page["Faces"]:
                by_image[face["ImageId"]].append(face)
                if "UserId" in face:
                    by_user[face["UserId"]].append(face)
        for number, (image, faces) in enumerate(by_image.items(), 1):
            if (self.collection, image) not in self.state.done:
                self.move_image(image, faces)
            print(f"\r{self.collection}: {number} of {len(by_image)} images", end="", file=sys.stderr)
        print(file=sys.stderr)
        for page in self.source.get_paginator("list_users").paginate(**self.id):
            for user in page["Users"]:
                self.move_user(user["UserId"], by_user[user["UserId"]])

    def make_collection(self) -> None:
        arn = self.source.describe_collection(**self.id)["CollectionARN"]
        tags = self.source.list_tags_for_resource(ResourceArn=arn)["Tags"]
        try:
            self.target.create_collection(**self.id, Tags=tags)
        except self.target.exceptions.ResourceAlreadyExistsException:
            pass

    def move_image(self, image: str, old: list[dict]) -> None:
        try:
            data = self.images.read(self.collection, old[0])
            new = self.index(data, old[0].get("ExternalImageId"))
        except (ClientError, LookupError) as error:
            self.state.missing[f"{self.collection}/{old[0].get('ExternalImageId', image)}"] = str(error)
            return
        pairs = sorted(((overlap(a["BoundingBox"], b["BoundingBox"]), a["FaceId"], b["FaceId"]) for a in old for b in new), reverse=True)
        faces: dict[str, str] = {}
        for shared, old_id, new_id in pairs:
            if shared > SAME_FACE and old_id not in faces and new_id not in faces.values():
                faces[old_id] = new_id
        # What the source did not keep, or what was deleted there, is not kept here either.
        if extra := [face["FaceId"] for face in new if face["FaceId"] not in faces.values()]:
            self.target.delete_faces(**self.id, FaceIds=extra)
        self.state.add(self.collection, image, faces, len(old) - len(faces))

    def index(self, data: bytes, external_image_id: str | None) -> list[dict]:
        optional = {"ExternalImageId": external_image_id} if external_image_id else {}
        answer = self.target.index_faces(**self.id, Image={"Bytes": data}, QualityFilter="NONE", **optional)
        return [record["Face"] for record in answer["FaceRecords"]]

    def move_user(self, user: str, old: list[dict]) -> None:
        try:
            self.target.create_user(**self.id, UserId=user)
        except self.target.exceptions.ConflictException:
            pass
        moved = {old: new for (collection, _), faces in self.state.done.items() if collection == self.collection for old, new in faces.items()}
        faces = [moved[face["FaceId"]] for face in old if face["FaceId"] in moved]
        for start in range(0, len(faces), FACES_AT_A_TIME):
            # The source has judged them: they are taken as they are.
            self.target.associate_faces(**self.id, UserId=user, FaceIds=faces[start : start + FACES_AT_A_TIME], UserMatchThreshold=0)


def overlap(a: dict, b: dict) -> float:
    """Intersection over union of two boxes."""
    width = min(a["Left"] + a["Width"], b["Left"] + b["Width"]) - max(a["Left"], b["Left"])
    height = min(a["Top"] + a["Height"], b["Top"] + b["Height"]) - max(a["Top"], b["Top"])
    shared = max(width, 0) * max(height, 0)
    union = a["Width"] * a["Height"] + b["Width"] * b["Height"] - shared
    return shared / union if union else 0


if __name__ == "__main__":
    sys.exit(main())
