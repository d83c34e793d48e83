"""A server under pressure, and SDKs that try again."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

import faces

AT_ONCE = 24


def test_a_rate_over_the_limit_is_refused_and_retried(start_server, connect):
    server = start_server("--limit", "ListCollections=2")
    impatient = connect(server)
    with pytest.raises(impatient.exceptions.ProvisionedThroughputExceededException) as raised:
        for _ in range(20):
            impatient.list_collections()
    assert raised.value.response["Error"]["Message"] == "Provisioned rate exceeded"
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400

    patient = connect(server, retries={"mode": "standard", "total_max_attempts": 10})
    attempts = [patient.list_collections()["ResponseMetadata"]["RetryAttempts"] for _ in range(4)]
    assert sum(attempts) > 0, "four calls at once at two a second need a second try"
    impatient.create_collection(CollectionId="other-operations-have-no-limit")


def test_a_full_queue_is_refused_and_retried(start_server, connect):
    server = start_server("--workers", "1", "--queue", "1")
    image = {"Bytes": faces.jpeg(faces.photo((1, 0, 150, 150, 600), size=(3000, 3000)))}

    def detect_at_once(client, clients):
        def detect(_):
            try:
                return client.detect_faces(Image=image)["ResponseMetadata"]["HTTPStatusCode"]
            except ClientError as error:
                return error.response

        with ThreadPoolExecutor(clients) as pool:
            return list(pool.map(detect, range(clients)))

    impatient = detect_at_once(connect(server), AT_ONCE)
    assert 200 in impatient, "the queue is worked off"
    refusals = [answer for answer in impatient if answer != 200]
    assert refusals, f"{AT_ONCE} at once are more than one running and one waiting"
    for refusal in refusals:
        assert refusal["Error"] == {"Code": "ThrottlingException", "Message": "Service Unavailable"}
        assert refusal["ResponseMetadata"]["HTTPStatusCode"] == 500

    patient = connect(server, retries={"mode": "standard", "total_max_attempts": 30})
    assert detect_at_once(patient, 3) == [200] * 3
