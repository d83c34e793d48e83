// A suite as a user's: an access system, and what it has to do.

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";

import {
  CreateCollectionCommand,
  DetectFacesCommand,
  IndexFacesCommand,
  ListCollectionsCommand,
  RekognitionClient,
  SearchFacesByImageCommand,
} from "@aws-sdk/client-rekognition";
import { ControlError, StartError, lookalike, startServer } from "lookalike-testing";

const tests = lookalike(
  { before, beforeEach, after },
  { options: ["--workers", "1"], clientConfig: { maxAttempts: 3, retryMode: "standard" } },
);
const CollectionId = "staff";

/** The code under test. It knows nothing of the server. */
async function openFor(Image) {
  const rekognition = new RekognitionClient();
  try {
    const found = await rekognition.send(new SearchFacesByImageCommand({ CollectionId, Image }));
    return found.FaceMatches[0]?.Face.ExternalImageId;
  } finally {
    rekognition.destroy();
  }
}

/** A collection with Ann, of whom there is no photo. */
async function hireAnn() {
  await tests.client.send(new CreateCollectionCommand({ CollectionId }));
  const Image = await tests.declareAnswer({ faces: [{ person: "ann" }] });
  const index = new IndexFacesCommand({ CollectionId, Image, ExternalImageId: "ann" });
  await tests.client.send(index);
}

const collections = async (client = tests.client) =>
  (await client.send(new ListCollectionsCommand({}))).CollectionIds;

for (const attempt of [1, 2, 3]) {
  test(`every test begins with nothing: ${attempt}`, async () => {
    assert.deepEqual(await collections(), []);
    await hireAnn();
  });
}

describe("the door", () => {
  test("opens for staff", async () => {
    await hireAnn();
    const similar = { faces: [{ person: "ann", similarity: 97 }] };
    assert.equal(await openFor(await tests.declareAnswer(similar)), "ann");
  });

  test("stays closed for strangers", async () => {
    await hireAnn();
    const image = await tests.declareAnswer({ faces: [{ person: "ben" }] });
    assert.equal(await openFor(image), undefined);
  });
});

test("an image of the test's own is declared, and an object that does not exist", async () => {
  const crowd = await tests.declareAnswer({ faces: [{}, {}, {}] }, Buffer.from("a crowd"));
  assert.deepEqual(crowd, { Bytes: Buffer.from("a crowd") });
  const faces = async (Image) =>
    (await tests.client.send(new DetectFacesCommand({ Image }))).FaceDetails.length;
  assert.equal(await faces(crowd), 3);
  await tests.declareAnswer({ faces: [{}] }, { s3_object: "photos/ann/*" });
  assert.equal(await faces({ S3Object: { Bucket: "photos", Name: "ann/1.jpg" } }), 1);
});

test("a client that tries again gets through", async () => {
  const rule = { error: "ThrottlingException", operations: ["ListCollections"], times: 2 };
  const list = () => tests.client.send(new ListCollectionsCommand({}));
  const answer = await tests.withFault(rule, list);
  assert.equal(answer.$metadata.attempts, 3);
});

test("a fault ends with its function, whatever it throws", async () => {
  const rule = { error: "InternalServerError" };
  const broken = tests.withFault(rule, () => collections());
  await assert.rejects(broken, { name: "InternalServerError" });
  assert.deepEqual(await collections(), []);
});

test("other accounts see no collection and meet no fault", async () => {
  await hireAnn();
  const other = await tests.server.openSession();
  await tests.withFault({ error: "ThrottlingException" }, async () => {
    assert.deepEqual(await collections(other.client), []);
  });
  await other.close();
});

test("a declaration that the server does not understand is refused with its reason", async () => {
  await assert.rejects(tests.declareAnswer({ faces: [{ nose: 1 }] }), (error) => {
    assert.ok(error instanceof ControlError);
    assert.match(error.message, /nose/);
    return true;
  });
});

test("a server that does not start shows its log", async () => {
  await assert.rejects(startServer({ options: ["--pack", "nowhere"] }), (error) => {
    assert.ok(error instanceof StartError);
    assert.match(error.message, /there is no pack nowhere/);
    return true;
  });
});
