// A call in Python: by itself, as a test against this server, and as a test on an empty server
// that is told what the images show.

import { Bytes } from "../lib/aws.js";

export const snake = (name) => name.replace(/(?<!^)([A-Z])/g, "_$1").toLowerCase();
const quote = (text) => JSON.stringify(String(text));
const isMap = (value) => value && typeof value === "object" && !(value instanceof Bytes);
const indent = (lines) => lines.map((line) => `    ${line}`).join("\n");

/** Python that stands in a call as it is. */
class Code {
  constructor(text) {
    this.text = text;
  }
}

function literal(value) {
  if (value instanceof Code) return value.text;
  if (value instanceof Bytes) return `Path(${quote(value.name)}).read_bytes()`;
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  if (isMap(value)) {
    const members = Object.entries(value).map(([key, item]) => `${quote(key)}: ${literal(item)}`);
    return `{${members.join(", ")}}`;
  }
  if (typeof value === "boolean") return value ? "True" : "False";
  return JSON.stringify(value);
}

const call = (operation, input) => {
  const members = Object.entries(input).map(([name, value]) => `    ${name}=${literal(value)},\n`);
  return `rekognition.${snake(operation)}(${members.length ? `\n${members.join("")}` : ""})`;
};
/** The same in a line, for what a test does on the way. */
const step = (operation, input) =>
  `rekognition.${snake(operation)}(${Object.entries(input)
    .map(([name, value]) => `${name}=${literal(value)}`)
    .join(", ")})`;

const client = (to) => `boto3.client(
    "rekognition",
    endpoint_url="${to.endpoint}",
    region_name="${to.region}",
    aws_access_key_id="${to.accessKey}",
    aws_secret_access_key="${to.verify ? "…" : "any"}",
)`;

/** The call as a script. `to` is `{endpoint, region, accessKey, verify}`. */
export const python = (operation, input, to) => `from pathlib import Path

import boto3

rekognition = ${client(to)}
answer = ${call(operation, input)}
print(answer)`;

/** What a test expects of an answer: how many of everything, and how alike the best match is. */
function expectations(output) {
  const lists = Object.entries(output ?? {}).filter(([, value]) => Array.isArray(value));
  const lines = lists.map(([name, list]) => `assert len(answer["${name}"]) == ${list.length}`);
  for (const [name, [best]] of lists) {
    if (best?.Similarity == null) continue;
    const similarity = `${best.Similarity.toFixed(1)}, abs=0.5`;
    lines.push(`assert answer["${name}"][0]["Similarity"] == pytest.approx(${similarity})`);
  }
  return lines.length ? lines : [`assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200`];
}

const refused = (code) => `with pytest.raises(rekognition.exceptions.ClientError, match="${code}"):`;
const lines = (text) => text.split("\n");

/** The steps of a test: the call, and what it has to answer or to fail with. */
function steps(operation, input, { code, output }) {
  if (!code) return [...lines(`answer = ${call(operation, input)}`), ...expectations(output)];
  return [refused(code), ...lines(indent(lines(call(operation, input))))];
}

/** A test of what this server has just answered: `exchange` is as `call` gives it. */
export const pytest = ({ operation, input, code, output }, to) => `# pip install boto3 pytest
from pathlib import Path

import boto3
import pytest


@pytest.fixture
def rekognition():
${indent(lines(`return ${client(to)}`))}


def test_${snake(operation)}(rekognition):
${indent(steps(operation, input, { code, output }))}`;

/** Members that are images, by operation; the others take none. */
const IMAGES = {
  DetectFaces: ["Image"],
  IndexFaces: ["Image"],
  SearchFacesByImage: ["Image"],
  SearchUsersByImage: ["Image"],
  CompareFaces: ["SourceImage", "TargetImage"],
};

export const hasImages = (operation) => operation in IMAGES;

/** What stands over a test of a request that the list of requests knows. */
export const INCOMPLETE = `# The server keeps no image, and no parameter but the collection: add those of your call.
`;

/** An input with images that stand for those that nobody kept. */
export const inputOf = ({ operation, collection }) => ({
  ...(collection && !/Resource$/.test(operation) && { CollectionId: collection }),
  ...Object.fromEntries((IMAGES[operation] ?? []).map((name) => [name, new Code("image")])),
});

const declared = (...faces) => `declare_answer(faces=${literal(faces)})`;
const named = (name, similarity) => ({
  person: name,
  ...(similarity != null && { similarity: Number(similarity.toFixed(2)) }),
});
const described = ({ Gender, AgeRange, Smile }) =>
  Gender || AgeRange || Smile
    ? { detail: { ...(Gender && { Gender }), ...(AgeRange && { AgeRange }), ...(Smile && { Smile }) } }
    : {};

/**
 * The same on an empty server: what the images show is declared, and what the answer needs is put
 * there first. Of several matches it makes the best.
 */
export function declaredTest({ operation, input, code, output }) {
  const before = [];
  const CollectionId = input.CollectionId;
  const [first, second] = IMAGES[operation];
  const images = { [first]: new Code("image") };
  let answer = output;
  if (CollectionId && !code) before.push(step("CreateCollection", { CollectionId }));
  if (code) {
    before.push(`image = declare_answer(error="${code}")`);
    if (CollectionId) before.unshift(step("CreateCollection", { CollectionId }));
    if (second) images[second] = new Code("image");
  } else if (operation === "CompareFaces") {
    const [best] = output.FaceMatches;
    before.push(`image = ${declared(named("ann"))}`);
    before.push(`target = ${declared(named(best ? "ann" : "bob", best?.Similarity))}`);
    images[second] = new Code("target");
    answer = { FaceMatches: best ? [best] : [] };
  } else if (operation === "SearchFacesByImage" || operation === "SearchUsersByImage") {
    const [member, what] = operation.includes("Users")
      ? ["UserMatches", "User"]
      : ["FaceMatches", "Face"];
    const [best] = output[member];
    const { ExternalImageId, UserId } = best?.[what] ?? {};
    const name = ExternalImageId ?? UserId ?? "ann";
    if (best) {
      before.push(`known = ${declared(named(name))}`);
      const index = { CollectionId, ...(ExternalImageId && { ExternalImageId }) };
      before.push(`indexed = ${step("IndexFaces", { ...index, Image: new Code("known") })}`);
    }
    if (UserId) {
      before.push(step("CreateUser", { CollectionId, UserId }));
      const FaceIds = new Code(`[indexed["FaceRecords"][0]["Face"]["FaceId"]]`);
      before.push(step("AssociateFaces", { CollectionId, UserId, FaceIds }));
    }
    before.push(`image = ${declared(named(name, best?.Similarity))}`);
    answer = { [member]: best ? [best] : [] };
  } else {
    const faces = output.FaceDetails ?? output.FaceRecords ?? [];
    const face = (item, index) =>
      input.ExternalImageId && !index ? named(input.ExternalImageId) : described(item.FaceDetail ?? item);
    before.push(`image = ${declared(...faces.map(face))}`);
    const name = output.FaceDetails ? "FaceDetails" : "FaceRecords";
    answer = { [name]: faces };
  }
  return `# pip install lookalike pytest-lookalike
import pytest


def test_${snake(operation)}(rekognition, declare_answer):
${indent([...before, ...steps(operation, { ...input, ...images }, { code, output: answer })])}`;
}
