"""The commands that move data: export, import, backup, enroll, seed, env."""

import csv
import json
import os
import shutil
import sqlite3
import subprocess
import urllib.request

import pytest

from faces import portrait
from server import BINARY, ROOT, Server, environment


@pytest.fixture
def lookalike():
    """Runs a command of the binary; it is expected to succeed unless told otherwise."""

    def lookalike(*arguments, succeeds: bool = True, **variables) -> subprocess.CompletedProcess:
        command = [BINARY, *map(str, arguments)]
        done = subprocess.run(command, cwd=ROOT, env=environment(**variables), capture_output=True, text=True, timeout=120)
        assert (done.returncode == 0) == succeeds, (done.stdout, done.stderr)
        return done

    return lookalike


@pytest.fixture
def people(tmp_path):
    """A folder for each of three people, with two photographs each, and one file that is no image."""
    folder = tmp_path / "people"
    for number, name in enumerate(["ann", "bob the 2nd", "eve"]):
        (folder / name).mkdir(parents=True)
        for picture in range(2):
            (folder / name / f"{picture}.jpg").write_bytes(portrait(40 + number, picture))
    (folder / "eve" / "broken.jpg").write_bytes(b"no image")
    return folder


def users(rekognition, collection: str) -> dict[str, int]:
    """How many faces each user has."""
    listed = rekognition.list_users(CollectionId=collection)["Users"]
    count = lambda user: len(rekognition.list_faces(CollectionId=collection, UserId=user)["Faces"])
    return {user["UserId"]: count(user["UserId"]) for user in listed}


def test_people_are_enrolled_once_however_often_it_is_run(server, connect, lookalike, people, tmp_path):
    report = tmp_path / "refused.csv"
    enroll = ["enroll", people, "--collection", "enrolled", "--endpoint-url", server.url, "--region", "eu-west-1"]
    account = {"AWS_ACCESS_KEY_ID": "123456789012", "AWS_SECRET_ACCESS_KEY": "any"}
    dry = lookalike(*enroll, "--dry-run", **account).stdout
    assert "6 with a face" in dry and "broken.jpg" in dry, dry
    rekognition = connect(server)
    assert "enrolled" not in rekognition.list_collections()["CollectionIds"]

    first = lookalike(*enroll, "--report", report, **account).stdout
    assert "7 images: 6 indexed, 0 known, 1 refused; 3 users, 6 faces associated" in first, first
    assert users(rekognition, "enrolled") == {"ann": 2, "bob_the_2nd": 2, "eve": 2}
    with report.open() as file:
        (row,) = csv.DictReader(file)
    assert (row["reason"], row["hint"]) == ("InvalidImageFormatException", "save the image as JPEG or PNG")
    before = rekognition.list_faces(CollectionId="enrolled")["Faces"]
    (people / "ann" / "later.jpg").write_bytes(portrait(40, 2))
    again = lookalike(*enroll, **account).stdout
    assert "8 images: 1 indexed, 6 known, 1 refused; 3 users, 1 faces associated" in again, again
    after = rekognition.list_faces(CollectionId="enrolled")["Faces"]
    assert len(after) == 7 and all(face in after for face in before)


def test_throttled_calls_are_repeated(start_server, connect, lookalike, people):
    slow = start_server("--limit", "IndexFaces=5")
    lookalike("enroll", people, "--collection", "slow", "--endpoint-url", slow.url, "--in-flight", 16)
    assert connect(slow, region="us-east-1", key="000000000000").describe_collection(CollectionId="slow")["FaceCount"] == 6


def test_an_endpoint_that_is_not_there_or_needs_keys_is_named(lookalike, people):
    silent = lookalike("enroll", people / "nowhere", "--collection", "x", succeeds=False).stderr
    assert "nowhere" in silent, silent
    aws = ["enroll", people, "--collection", "x", "--endpoint-url", "https://rekognition.eu-west-1.amazonaws.com"]
    assert "AWS_ACCESS_KEY_ID" in lookalike(*aws, succeeds=False, HOME="/nowhere").stderr


def test_signed_calls_are_taken_where_signatures_are_verified(start_server, lookalike, people, tmp_path):
    keys = tmp_path / "keys.toml"
    keys.write_text('[[key]]\naccess_key_id = "AKIDALICE"\nsecret_access_key = "hush"\naccount = "123456789012"\nuser = "alice"\n')
    keys.chmod(0o600)
    guarded = start_server("--credentials", str(keys), "--admin-token", "s3cret")
    enroll = ["enroll", people, "--collection", "x", "--endpoint-url", guarded.url]
    lookalike(*enroll, AWS_ACCESS_KEY_ID="AKIDALICE", AWS_SECRET_ACCESS_KEY="hush")
    wrong = lookalike(*enroll, succeeds=False, AWS_ACCESS_KEY_ID="AKIDALICE", AWS_SECRET_ACCESS_KEY="hash")
    assert "InvalidSignatureException" in wrong.stderr, wrong.stderr
    export = ["export", tmp_path / "x.jsonl", "--server", guarded.url]
    assert "Authorization" in lookalike(*export, succeeds=False).stderr
    assert "6 faces" in lookalike(*export, LOOKALIKE_ADMIN_TOKEN="s3cret").stderr


def test_collections_move_between_servers_and_folders(start_server, connect, lookalike, people, tmp_path):
    source = start_server()
    lookalike("enroll", people, "--collection", "staff", "--endpoint-url", source.url)
    file = tmp_path / "staff.jsonl"
    assert "1 collections, 3 users and 6 faces" in lookalike("export", file, "--server", source.url).stderr
    assert file.stat().st_mode & 0o777 == 0o600
    assert "--force" in lookalike("export", file, "--server", source.url, succeeds=False).stderr
    assert lookalike("export", "-", "--server", source.url).stdout == file.read_text()

    # Into the folder of a stopped server, and out of it again.
    folder = tmp_path / "folder"
    stopped = Server(folder)
    assert "another lookalike server" in lookalike("export", tmp_path / "no.jsonl", "--data", folder, succeeds=False).stderr
    assert not (tmp_path / "no.jsonl").exists() and not (tmp_path / "no.jsonl.part").exists()
    stopped.stop()
    imported = lookalike("import", file, "--data", folder).stdout
    assert imported == "staff (000000000000, us-east-1): 3 users, 6 faces\n"
    lookalike("export", tmp_path / "again.jsonl", "--data", folder)
    assert (tmp_path / "again.jsonl").read_text() == file.read_text()

    target = Server(folder)
    try:
        refused = lookalike("import", file, "--server", target.url, succeeds=False).stderr
        assert "staff exists already" in refused, refused
        copy = lookalike("import", file, "--server", target.url, "--as", "copy", "--region", "eu-west-1").stdout
        assert copy == "copy (000000000000, eu-west-1): 3 users, 6 faces\n"
        cut = tmp_path / "cut.jsonl"
        cut.write_text(file.read_text()[:-10])
        assert "cut off" in lookalike("import", cut, "--server", target.url, "--as", "cut", succeeds=False).stderr
        there = connect(target, region="eu-west-1", key="000000000000")
        assert there.list_collections()["CollectionIds"] == ["copy"]
        assert users(there, "copy") == {"ann": 2, "bob_the_2nd": 2, "eve": 2}
        here = {"CollectionId": "staff", "Image": {"Bytes": portrait(40, 5)}, "FaceMatchThreshold": 0}
        answers = [connect(server, "us-east-1", "000000000000").search_faces_by_image(**here)["FaceMatches"] for server in (source, target)]
        assert answers[0] == answers[1] and len(answers[0]) == 6
    finally:
        target.stop()
    nobody = lookalike("export", tmp_path / "no.jsonl", "--server", "http://127.0.0.1:9", succeeds=False).stderr
    assert "is the server running" in nobody, nobody


def test_a_backup_is_whole_while_the_server_runs_and_after_it_was_killed(lookalike, people, tmp_path):
    folder = tmp_path / "data"
    running = Server(folder)
    lookalike("enroll", people, "--collection", "staff", "--endpoint-url", running.url)
    assert ": 1 collections, 6 faces" in lookalike("backup", tmp_path / "one", "--data", folder).stdout
    assert "already" in lookalike("backup", tmp_path / "one", "--data", folder, succeeds=False).stderr
    running.process.kill()
    running.process.wait()
    # What is in the log of a server that was killed is in the copy, and stays for the next start.
    assert ": 1 collections, 6 faces" in lookalike("backup", tmp_path / "two", "--data", folder).stdout
    for copy in ("one", "two"):
        assert "6 faces" in lookalike("check", "--data", tmp_path / copy).stdout
    again = Server(folder)
    again.stop()
    with sqlite3.connect(folder / "lookalike.sqlite3") as database:
        assert database.execute("SELECT count(*) FROM faces").fetchone() == (6,)


def test_a_seed_file_is_sown_through_the_api(server, connect, lookalike, people, tmp_path):
    seed = tmp_path / "seed.toml"
    seed.write_text('account = "210987654321"\n[[collection]]\nid = "seeded"\npeople = "people"\ntags = { team = "red" }\n')
    for expected in ("6 images indexed, 0 known", "0 images indexed, 6 known"):
        assert expected in lookalike("seed", seed, "--endpoint-url", server.url).stdout
    theirs = connect(server, region="us-east-1", key="210987654321")
    arn = theirs.describe_collection(CollectionId="seeded")["CollectionARN"]
    assert theirs.list_tags_for_resource(ResourceArn=arn)["Tags"] == {"team": "red"}
    keys = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "any"}
    assert "an account" in lookalike("seed", seed, "--endpoint-url", server.url, succeeds=False, **keys).stderr
    seed.write_text('[[collection]]\nid = "seeded"\nimages = "none"\n')
    assert "line 3 of the seed file: images" in lookalike("seed", seed, succeeds=False).stderr


def test_a_shell_that_reads_env_calls_this_server(server, lookalike, tmp_path):
    listen = server.url.removeprefix("http://")
    printed = lookalike("env", "--listen", listen, "--shell", "sh", HOME=str(tmp_path)).stdout
    script = 'eval "$1"; env | grep ^AWS_ | sort; eval "$2"; env | grep ^AWS_ENDPOINT || echo none'
    unset = lookalike("env", "--unset", "--shell", "sh", HOME=str(tmp_path)).stdout
    plain = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    done = subprocess.run(["sh", "-c", script, "sh", printed, unset], env=plain, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "AWS_ACCESS_KEY_ID=000000000000",
        "AWS_DEFAULT_REGION=us-east-1",
        f"AWS_ENDPOINT_URL_REKOGNITION={server.url}",
        "AWS_SECRET_ACCESS_KEY=open",
        "none",
    ]
    if fish := shutil.which("fish"):
        lines = lookalike("env", "--listen", listen, "--shell", "fish", HOME=str(tmp_path)).stdout
        done = subprocess.run([fish, "-c", f"{lines}\necho $AWS_ENDPOINT_URL_REKOGNITION"], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == server.url


def test_an_export_states_how_many_faces_follow(server):
    with urllib.request.urlopen(f"{server.url}/_lookalike/export?account=999999999999") as answer:
        assert answer.headers["x-lookalike-faces"] == "0"
        first, last = map(json.loads, answer.read().splitlines())
    assert first["lookalike_export"]["version"] == 1 and last["end"]["faces"] == 0
