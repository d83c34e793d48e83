// The AWS SDK for JavaScript v3 against a running server: LOOKALIKE_URL is its address, LOOKALIKE_FACES a folder of pictures.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import * as sdk from "@aws-sdk/client-rekognition";

const { LOOKALIKE_URL: endpoint, LOOKALIKE_FACES: faces } = process.env;
const NOBODY = "00000000-0000-4000-8000-000000000000";
const account = "310000000001";

const client = new sdk.RekognitionClient({
  endpoint,
  region: "eu-west-1",
  credentials: { accessKeyId: account, secretAccessKey: "any" },
  maxAttempts: 1,
});
const call = (name, input = {}) => client.send(new sdk[`${name}Command`](input));
const picture = (name) => ({ Bytes: readFileSync(join(faces, name)) });

test("the whole flow", async () => {
  const CollectionId = "staff";
  const made = await call("CreateCollection", { CollectionId, Tags: { team: "door" } });
  assert.equal(made.$metadata.httpStatusCode, 200);
  assert.match(made.$metadata.requestId, /^[0-9a-f-]{36}$/);
  assert.equal(made.StatusCode, 200);
  assert.equal(made.CollectionArn, `aws:rekognition:eu-west-1:${account}:collection/staff`);

  const described = await call("DescribeCollection", { CollectionId });
  assert.equal(described.FaceCount, 0);
  assert.ok(described.CreationTimestamp instanceof Date);
  assert.ok(Math.abs(Date.now() - described.CreationTimestamp) < 60_000);
  const ResourceArn = described.CollectionARN;
  assert.equal(ResourceArn, `arn:${made.CollectionArn}`);
  await call("TagResource", { ResourceArn, Tags: { owner: "ana" } });
  await call("UntagResource", { ResourceArn, TagKeys: ["team"] });
  assert.deepEqual((await call("ListTagsForResource", { ResourceArn })).Tags, { owner: "ana" });

  const indexed = await call("IndexFaces", {
    CollectionId,
    Image: picture("one-1.jpg"),
    ExternalImageId: "one-1.jpg",
    DetectionAttributes: ["ALL"],
  });
  assert.equal(indexed.FaceRecords.length, 1);
  const { Face: face, FaceDetail: detail } = indexed.FaceRecords[0];
  assert.equal(face.ExternalImageId, "one-1.jpg");
  assert.equal(detail.Landmarks.length, 30);
  assert.equal(detail.Emotions.length, 8);
  assert.equal(typeof detail.Smile.Value, "boolean");
  const other = (await call("IndexFaces", { CollectionId, Image: picture("three.jpg") })).FaceRecords[0].Face;

  const pages = sdk.paginateListFaces({ client, pageSize: 1 }, { CollectionId });
  const listed = [];
  for await (const page of pages) listed.push(...page.Faces.map((item) => item.FaceId));
  assert.deepEqual(listed, [face.FaceId, other.FaceId].sort());
  for await (const page of sdk.paginateListCollections({ client }, {})) assert.deepEqual(page.CollectionIds, ["staff"]);

  const byImage = await call("SearchFacesByImage", { CollectionId, Image: picture("one-2.jpg") });
  assert.deepEqual(byImage.FaceMatches.map((match) => match.Face.FaceId), [face.FaceId]);
  assert.ok(byImage.FaceMatches[0].Similarity >= 80);
  const byFace = await call("SearchFaces", { CollectionId, FaceId: face.FaceId, FaceMatchThreshold: 0 });
  assert.deepEqual(byFace.FaceMatches.map((match) => match.Face.FaceId), [other.FaceId]);
  assert.equal((await call("DetectFaces", { Image: picture("one-1.jpg") })).FaceDetails.length, 1);
  const compared = await call("CompareFaces", { SourceImage: picture("one-1.jpg"), TargetImage: picture("three.jpg") });
  assert.deepEqual([compared.FaceMatches.length, compared.UnmatchedFaces.length], [0, 1]);

  const UserId = "one";
  await call("CreateUser", { CollectionId, UserId });
  const given = await call("AssociateFaces", { CollectionId, UserId, FaceIds: [face.FaceId] });
  assert.deepEqual(given.AssociatedFaces, [{ FaceId: face.FaceId }]);
  const users = [];
  for await (const page of sdk.paginateListUsers({ client }, { CollectionId })) users.push(...page.Users);
  assert.deepEqual(users, [{ UserId, UserStatus: "ACTIVE" }]);
  const likeFace = await call("SearchUsers", { CollectionId, FaceId: face.FaceId });
  assert.deepEqual(likeFace.UserMatches.map((match) => match.User.UserId), [UserId]);
  const likeImage = await call("SearchUsersByImage", { CollectionId, Image: picture("one-2.jpg") });
  assert.deepEqual(likeImage.UserMatches.map((match) => match.User.UserId), [UserId]);
  const taken = await call("DisassociateFaces", { CollectionId, UserId, FaceIds: [face.FaceId] });
  assert.deepEqual(taken.DisassociatedFaces, [{ FaceId: face.FaceId }]);
  await call("DeleteUser", { CollectionId, UserId });

  const deleted = await call("DeleteFaces", { CollectionId, FaceIds: [face.FaceId, NOBODY] });
  assert.deepEqual(deleted.DeletedFaces, [face.FaceId]);
  assert.deepEqual(deleted.UnsuccessfulFaceDeletions, [{ FaceId: NOBODY, Reasons: ["FACE_NOT_FOUND"] }]);
  assert.equal((await call("DeleteCollection", { CollectionId })).StatusCode, 200);
});

test("errors are the SDK's own classes", async () => {
  await assert.rejects(call("ListFaces", { CollectionId: "none" }), (error) => {
    assert.ok(error instanceof sdk.ResourceNotFoundException);
    assert.equal(error.name, "ResourceNotFoundException");
    assert.equal(error.message, "The collection id: none does not exist");
    assert.equal(error.Code, "ResourceNotFoundException");
    assert.equal(error.Logref, error.$metadata.requestId);
    assert.equal(error.$metadata.httpStatusCode, 400);
    return true;
  });
  await assert.rejects(call("DetectFaces", { Image: { Bytes: new Uint8Array([71, 73, 70]) } }), sdk.InvalidImageFormatException);
  await assert.rejects(call("DetectFaces", { Image: {} }), sdk.InvalidParameterException);
  await assert.rejects(call("DetectFaces", { Image: { S3Object: { Bucket: "none", Name: "x" } } }), sdk.InvalidS3ObjectException);
  await assert.rejects(call("DetectFaces", { Image: { Bytes: new Uint8Array() } }), {
    name: "ValidationException",
    message:
      "1 validation error detected: Value 'java.nio.HeapByteBuffer[pos=0 lim=0 cap=0]' at 'image.bytes' failed to satisfy " +
      "constraint: Member must have length greater than or equal to 1",
  });
});

test("a browser may call", async () => {
  // The headers that the SDK signs and sends from a page.
  const asked =
    "amz-sdk-invocation-id,amz-sdk-request,authorization,content-type,x-amz-content-sha256,x-amz-date,x-amz-security-token,x-amz-target," +
    "x-amz-user-agent";
  const preflight = await fetch(endpoint, {
    method: "OPTIONS",
    headers: { origin: "http://localhost:3000", "access-control-request-method": "POST", "access-control-request-headers": asked },
  });
  assert.equal(preflight.status, 200);
  assert.equal(await preflight.text(), "");
  assert.equal(preflight.headers.get("access-control-allow-origin"), "http://localhost:3000");
  assert.equal(preflight.headers.get("access-control-allow-methods"), "POST");
  const allowed = preflight.headers.get("access-control-allow-headers").split(",");
  for (const header of asked.split(",")) assert.ok(allowed.includes(header), header);

  const answer = await fetch(endpoint, {
    method: "POST",
    headers: { origin: "http://localhost:3000", "content-type": "application/x-amz-json-1.1", "x-amz-target": "RekognitionService.ListCollections" },
    body: "{}",
  });
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get("access-control-allow-origin"), "http://localhost:3000");
  assert.match(answer.headers.get("access-control-expose-headers"), /x-amzn-RequestId/);
});
