// Pictures in this tab and the faces on them: read, shown, cropped, judged; never stored.

import { file, query } from "./admin.js";
import { Bytes, call } from "./aws.js";
import { signal } from "./html.js";
import { account, facts, region } from "./state.js";

/** AWS takes images of up to five megabytes in a request. */
const MOST_BYTES = 5 * 1024 * 1024;
const LONGEST_SIDE = 4096;

/** Reads a file as a picture that can be sent: `{name, url, width, height, bytes, image}`. */
export async function open(blob, name = blob.name ?? "picture.jpg") {
  const isSendable = ["image/jpeg", "image/png"].includes(blob.type) && blob.size <= MOST_BYTES;
  const sent = isSendable ? blob : await convert(blob, name);
  const url = URL.createObjectURL(sent);
  const image = await load(url, name);
  const bytes = new Bytes(await base64(sent), isSendable ? name : renamed(name), sent.size);
  return { name, url, image, bytes, width: image.naturalWidth, height: image.naturalHeight };
}

/** Fetches a sample that the server carries. */
export async function openSample(sample) {
  const answer = await fetch(`samples/${sample.file}`);
  return open(await answer.blob(), sample.file);
}

async function load(url, name) {
  const image = new Image();
  image.src = url;
  try {
    await image.decode();
  } catch {
    URL.revokeObjectURL(url);
    throw new Error(`${name} is no image that this browser can show.`);
  }
  return image;
}

/** Another format, or a picture that is too large, becomes a JPEG. */
async function convert(blob, name) {
  const url = URL.createObjectURL(blob);
  const image = await load(url, name);
  URL.revokeObjectURL(url);
  const { naturalWidth: width, naturalHeight: height } = image;
  const scale = Math.min(1, LONGEST_SIDE / Math.max(width, height));
  return draw(image, { x: 0, y: 0, width, height }, scale);
}

const renamed = (name) => name.replace(/\.\w+$/, "") + ".jpg";

function draw(image, { x, y, width, height }, scale, quality = 0.92) {
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  const context = canvas.getContext("2d");
  context.drawImage(image, x, y, width, height, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", quality));
}

async function base64(blob) {
  const reader = new FileReader();
  await new Promise((resolve, reject) => {
    reader.onload = resolve;
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
  const url = String(reader.result);
  return url.slice(url.indexOf(",") + 1);
}

/** The pixels of a box, with a margin in shares of its sides, inside of the picture. */
function pixels({ width, height }, box, margin) {
  const left = Math.max(0, (box.Left - margin * box.Width) * width);
  const top = Math.max(0, (box.Top - margin * box.Height) * height);
  const right = Math.min(width, (box.Left + (1 + margin) * box.Width) * width);
  const bottom = Math.min(height, (box.Top + (1 + margin) * box.Height) * height);
  return { x: left, y: top, width: right - left, height: bottom - top };
}

/** One face of a picture as a picture of its own, to be searched. */
export async function cropFace(picture, box, index) {
  const blob = await draw(picture.image, pixels(picture, box, 0.5), 1, 0.95);
  return open(blob, `${picture.name.replace(/\.\w+$/, "")}-face-${index + 1}.jpg`);
}

/** The address of a small square picture of a face. */
export async function thumbnail(picture, box) {
  const side = Math.max(box.Width * picture.width, box.Height * picture.height) * 1.15;
  const center = {
    x: (box.Left + box.Width / 2) * picture.width,
    y: (box.Top + box.Height / 2) * picture.height,
  };
  const square = { x: center.x - side / 2, y: center.y - side / 2, width: side, height: side };
  const blob = await draw(picture.image, square, Math.min(1, 112 / side), 0.85);
  return URL.createObjectURL(blob);
}

/** Crops by FaceId: of faces that this tab indexed, and those that the server keeps. */
export const crops = signal(new Map());
const asked = new Set();

/** Asks the server once for the crop that it keeps of a face. */
export async function fetchCrop(collection, FaceId) {
  if (facts.value.kept === "off" || crops.value.has(FaceId) || asked.has(FaceId)) return;
  asked.add(FaceId);
  const names = { account: account.value, region: region.value, collection, face_id: FaceId };
  try {
    const crop = await file(`thumbnails?${query(names)}`);
    if (crop.size) crops.value = new Map([...crops.value, [FaceId, URL.createObjectURL(crop)]]);
  } catch {
    // The face was deleted, or the control plane asks for its token: the pattern stays.
    asked.delete(FaceId);
  }
}

/** Remembers the crops of the faces that a picture was indexed with. */
export async function remember(picture, records) {
  const made = await Promise.all(
    records.map(async ({ Face }) => [Face.FaceId, await thumbnail(picture, Face.BoundingBox)]),
  );
  crops.value = new Map([...crops.value, ...made]);
}

/** "woman, 28-42" where attributes were asked for. */
export function describe(face) {
  const parts = [];
  if (face.Gender) {
    const isChild = face.AgeRange && face.AgeRange.High < 16;
    const words = isChild ? ["boy", "girl"] : ["man", "woman"];
    parts.push(words[face.Gender.Value === "Male" ? 0 : 1]);
  }
  if (face.AgeRange) parts.push(`${face.AgeRange.Low}\u2013${face.AgeRange.High}`);
  return parts.join(", ");
}

/** "left", "center" or "right", for those who cannot see the picture. */
export function place({ Left, Width }) {
  const center = Left + Width / 2;
  if (center < 0.37) return "left";
  return center > 0.63 ? "right" : "center";
}

export const sortedByPlace = (faces) =>
  [...faces].sort((one, other) => one.BoundingBox.Left - other.BoundingBox.Left);

/** How much two boxes overlap: intersection over union. */
export function overlap(one, other) {
  const span = (start, length, start2, length2) =>
    Math.max(0, Math.min(start + length, start2 + length2) - Math.max(start, start2));
  const shared =
    span(one.Left, one.Width, other.Left, other.Width) *
    span(one.Top, one.Height, other.Top, other.Height);
  return shared / (one.Width * one.Height + other.Width * other.Height - shared || 1);
}

export const shortId = (id) => (id.length > 13 ? `${id.slice(0, 8)}\u2026` : id);

/** The bar of QualityFilter AUTO, as crates/vision/src/quality.rs has it. */
export const AUTO = {
  yaw: 65,
  pitch: 50,
  brightness: 30,
  sharpness: 12,
  confidence: 80,
  relativeSize: 0.015,
};

/** Reasons that the attributes of a face show; the recognizer has its own, which they do not. */
function visible({ BoundingBox: box, Pose, Quality, Confidence }, { width, height }) {
  const side = Math.max(box.Width * width, box.Height * height);
  const checks = {
    EXTREME_POSE: Math.abs(Pose.Yaw) > AUTO.yaw || Math.abs(Pose.Pitch) > AUTO.pitch,
    LOW_BRIGHTNESS: Quality.Brightness < AUTO.brightness,
    LOW_SHARPNESS: Quality.Sharpness < AUTO.sharpness,
    LOW_CONFIDENCE: Confidence < AUTO.confidence,
    SMALL_BOUNDING_BOX: side < AUTO.relativeSize * Math.max(width, height),
  };
  return Object.keys(checks).filter((reason) => checks[reason]);
}

/**
 * The reasons for each face that QualityFilter AUTO refuses, by its index. CompareFaces knows which
 * those are and writes nothing; that no face passes is an error there.
 */
export async function refusals(picture, faces) {
  const image = { Bytes: picture.bytes };
  const both = { SourceImage: image, TargetImage: image, SimilarityThreshold: 0 };
  const passed = new Set();
  try {
    const { output } = await call("CompareFaces", { ...both, QualityFilter: "AUTO" });
    for (const { Face } of output.FaceMatches) passed.add(JSON.stringify(Face.BoundingBox));
  } catch (error) {
    // Whoever may not compare learns it from IndexFaces.
    if (error.code !== "InvalidParameterException") return [];
  }
  return faces.map((face) => {
    if (passed.has(JSON.stringify(face.BoundingBox))) return undefined;
    const reasons = visible(face, picture);
    return reasons.length ? reasons : ["LOW_FACE_QUALITY"];
  });
}
