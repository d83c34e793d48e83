// Pictures in, people out: the screens "Try it", "Search" and "Compare".

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { journey, launch } from "./browser.mjs";
import { call, control, root, runPytest, start } from "./server.mjs";

const faces = (name) => join(root, "examples/faces", name);
let server;
let browser;

before(async () => {
  [server, browser] = await Promise.all([start(), launch()]);
});
after(async () => {
  await browser?.close();
  await server?.stop();
});
const go = (name, options, run) => test(name, () => journey(browser, server, options, run));

/** Three people indexed in `people`. */
async function enroll(page) {
  await page.getByRole("button", { name: "Three people" }).click();
  await page.getByRole("button", { name: "Index 3 faces" }).click();
  await page.getByText("3 faces indexed in").waitFor();
}

go("three clicks from an empty server to the first hit", {}, async ({ page, account }) => {
  await page.getByRole("button", { name: "Ana", exact: true }).click();
  await page.getByRole("button", { name: "Index 1 face" }).click();
  await page.getByRole("button", { name: "Ana again" }).click();
  const hit = page.getByRole("status", { name: "Result" });
  assert.match(await hit.innerText(), /9\d\.\d\s+ana/);
  const { Faces } = await call(server, account, "ListFaces", { CollectionId: "people" });
  assert.deepEqual(
    Faces.map(({ ExternalImageId }) => ExternalImageId),
    ["ana"],
  );
});

go("a stranger is no hit", {}, async ({ page }) => {
  await page.getByRole("button", { name: "Ana", exact: true }).click();
  await page.getByRole("button", { name: "Index 1 face" }).click();
  await page.getByRole("button", { name: "Ben" }).click();
  await page.getByText("Nobody in people is like this face").waitFor();
});

go("a file of one's own shows its faces, and each with its attributes", {}, async ({ page }) => {
  const input = page.getByLabel("Start with a picture").locator("input");
  const buffer = readFileSync(faces("group.jpg"));
  await input.setInputFiles({ name: "<b>we</b>.jpg", mimeType: "image/jpeg", buffer });
  await page.getByText("3 faces in <b>we</b>.jpg").waitFor();
  const list = page.getByRole("list", { name: "Faces in the picture" });
  assert.equal(await list.getByRole("button").count(), 3);
  await list.getByRole("button", { name: /Face 3, right/ }).press("Enter");
  await page.getByRole("region", { name: "Face 3" }).getByText("Male").waitFor();
});

go("faces that IndexFaces would refuse are marked with the reason", {}, async ({ page, account }) => {
  const buffer = readFileSync(faces("group.jpg"));
  const box = (Left) => ({ BoundingBox: { Width: 0.2, Height: 0.3, Left, Top: 0.2 } });
  await control(server, "POST", "answers", {
    answers: [
      {
        account,
        image: { sha256: createHash("sha256").update(buffer).digest("hex") },
        faces: [
          { detail: box(0.1) },
          { detail: { ...box(0.4), Quality: { Brightness: 80, Sharpness: 3 } } },
          { detail: { ...box(0.7), Pose: { Roll: 0, Yaw: 80, Pitch: 0 } } },
        ],
      },
    ],
  });
  const input = page.getByLabel("Start with a picture").locator("input");
  await input.setInputFiles({ name: "we.jpg", mimeType: "image/jpeg", buffer });
  const marked = page.getByRole("button", { name: /would not be indexed/ });
  await marked.nth(1).waitFor();
  assert.equal(await marked.count(), 2);
  await marked.first().click();
  await page.getByText(/refuses this face: LOW_SHARPNESS/).waitFor();
  await marked.last().click();
  await page.getByText(/refuses this face: EXTREME_POSE/).waitFor();
  await page.getByRole("button", { name: "Index 3 faces" }).click();
  await page.getByText("2 faces not indexed: LOW_SHARPNESS, EXTREME_POSE.").waitFor();
});

test("the console's bar of AUTO is the server's", async () => {
  const source = readFileSync(join(root, "crates/vision/src/quality.rs"), "utf8");
  const [, bar] = source.match(/Self::Auto => bar\((.+)\)/);
  const [yaw, pitch, brightness, sharpness, confidence, relativeSize] = bar.split(",").map(Number);
  const text = readFileSync(join(root, "src/console/ui/lib/picture.js"), "utf8");
  const expected = { yaw, pitch, brightness, sharpness, confidence, relativeSize };
  for (const [name, value] of Object.entries(expected))
    assert.ok(text.includes(`  ${name}: ${value},`), `${name} is ${value}`);
});

go("a picture from the camera is looked at", {}, async ({ page }) => {
  await page.getByRole("button", { name: "Use the camera" }).click();
  const video = page.locator("video");
  await page.waitForFunction((element) => element.videoWidth > 0, await video.elementHandle());
  await page.getByRole("button", { name: "Take it" }).click();
  await page.getByText("camera.jpg").first().waitFor();
  await page.getByRole("heading", { name: "DetectFaces" }).waitFor();
});

go("the call is copied as code of five languages", {}, async ({ page }) => {
  await page.getByRole("button", { name: "Ben" }).click();
  const wanted = {
    "AWS CLI": [
      "aws rekognition detect-faces",
      "--image-bytes fileb://ben.jpg",
      "--attributes ALL",
    ],
    boto3: ["rekognition.detect_faces(", 'Path("ben.jpg").read_bytes()', 'Attributes=["ALL"]'],
    JavaScript: ["new DetectFacesCommand({", 'readFileSync("ben.jpg")'],
    Java: ['.attributesWithStrings("ALL")', "i -> i.bytes(ben)"],
    Go: ["rekognition.DetectFacesInput{", 'types.Attribute{"ALL"}'],
  };
  for (const [language, parts] of Object.entries(wanted)) {
    await page.getByRole("button", { name: language, exact: true }).click();
    await page.getByRole("button", { name: "Copy" }).click();
    await page.getByRole("button", { name: "Copied" }).waitFor();
    const code = await page.evaluate(() => navigator.clipboard.readText());
    for (const part of [...parts, server.url])
      assert.ok(code.includes(part), `${language}: ${part}\n${code}`);
    await page.getByRole("button", { name: "Copy", exact: true }).waitFor();
  }
});

go("what is no picture is refused in words", {}, async ({ page }) => {
  const input = page.getByLabel("Start with a picture").locator("input");
  await input.setInputFiles({
    name: "x.png",
    mimeType: "image/png",
    buffer: Buffer.from("no picture"),
  });
  await page
    .getByRole("alert")
    .getByText("x.png is no image that this browser can show.")
    .waitFor();
});

go("every face is searched, and the threshold decides what is kept", {}, async ({ page }) => {
  await enroll(page);
  await page.getByRole("link", { name: "Search", exact: true }).click();
  await page.getByRole("button", { name: "Three people" }).click();
  const threshold = page.getByRole("region", { name: "Threshold" });
  await threshold.getByText("1 kept").waitFor();
  await threshold.getByText("2 dropped").waitFor();
  const strangers = async () =>
    Number((await threshold.locator("dd").first().innerText()).replace(/[^\d.]/g, ""));
  const at80 = await strangers();
  assert.ok(at80 > 0 && at80 < 1, `${at80}`);
  const slider = threshold.getByRole("slider");
  await slider.focus();
  for (let step = 0; step < 15; step += 1) await page.keyboard.press("ArrowRight");
  assert.equal(await slider.inputValue(), "95");
  assert.ok((await strangers()) < at80 / 10);
  await page.keyboard.press("Home");
  await threshold.getByText("3 kept").waitFor();
  assert.match(await threshold.locator("dd").first().innerText(), /^at least/);
  const matches = page.getByRole("region", { name: "Matches of face 1" });
  await matches.getByRole("button", { name: "Why" }).first().click();
  await matches.getByText("Cosine of the vectors").waitFor();
  await matches.getByText("Pairs of strangers this alike").waitFor();
  await matches.getByText("The picture’s sharpness, brightness").waitFor();
});

go("a histogram shows what lies on which side of the threshold", {}, async ({ page }) => {
  await enroll(page);
  await page.getByRole("link", { name: "Search", exact: true }).click();
  await page.getByRole("button", { name: "Three people" }).click();
  const threshold = page.getByRole("region", { name: "Threshold" });
  const bars = threshold.getByRole("list", { name: "Pairs by their Similarity" });
  const items = bars.getByRole("listitem");
  await items.first().waitFor();
  const texts = await items.allInnerTexts();
  assert.match(texts[0], /<80/);
  const shares = await bars.evaluate((list) =>
    [...list.children].map(({ title }) => title.match(/[\d.e-]+(?= %)/g).map(Number)),
  );
  const sum = (at) => shares.reduce((total, row) => total + row[at], 0);
  for (const at of [0, 1]) assert.ok(Math.abs(sum(at) - 100) < 1, `${shares}`);
  const kept = async () => bars.locator(".kept").count();
  const at80 = await kept();
  assert.equal(at80, texts.length - 1);
  await threshold.getByRole("slider").press("End");
  assert.equal(await kept(), 0);
  await threshold.getByRole("slider").press("Home");
  assert.equal(await kept(), texts.length);
  const matches = page.getByRole("region", { name: "Matches of face 1" });
  await matches.getByRole("button", { name: "Why" }).first().click();
  const own = matches.getByRole("list", { name: "Pairs by their Similarity" });
  await own.getByRole("listitem").filter({ hasText: "this match is here" }).waitFor();
});

/** The code that the exchange shows under a name. */
async function copied(page, name) {
  await page.getByRole("button", { name, exact: true }).click();
  await page.getByRole("button", { name: "Copy", exact: true }).click();
  await page.getByRole("button", { name: "Copied" }).waitFor();
  const code = await page.evaluate(() => navigator.clipboard.readText());
  await page.getByRole("button", { name: "Copy", exact: true }).waitFor();
  return code;
}

go("a call is copied as a test that passes", {}, async ({ page }) => {
  const files = { "ana-2.jpg": readFileSync(faces("ana-2.jpg")) };
  await page.getByRole("button", { name: "Ana", exact: true }).click();
  await page.getByRole("heading", { name: "DetectFaces" }).waitFor();
  const detect = await copied(page, "pytest, declared");
  await page.getByRole("button", { name: "Index 1 face" }).click();
  await page.getByRole("heading", { name: "IndexFaces" }).waitFor();
  const index = await copied(page, "pytest, declared");
  await page.getByRole("button", { name: "Ana again" }).click();
  await page.getByRole("status", { name: "Result" }).waitFor();
  const search = await copied(page, "pytest, declared");
  assert.ok(search.includes('"person": "ana"') && search.includes("pytest.approx(9"), search);
  const tests = [detect, index, search, await copied(page, "pytest")];
  await runPytest(server, tests, files);
});

go("two pictures are compared face by face, and swapped", {}, async ({ page }) => {
  await page.getByRole("link", { name: "Compare" }).click();
  await page
    .getByRole("region", { name: "Source" })
    .getByRole("button", { name: "Three people" })
    .click();
  await page
    .getByRole("region", { name: "Target" })
    .getByRole("button", { name: "Ana again" })
    .click();
  const matrix = page.getByRole("region", { name: "Similarity of every pair" });
  const cells = matrix.locator("td");
  await page.getByText("1 kept").waitFor();
  await linked(page, 1, 0);
  assert.equal(await cells.count(), 3);
  const before = await cells.allInnerTexts();
  assert.ok(
    Number(before[1]) > 90 && Number(before[0]) < 80 && Number(before[2]) < 80,
    `${before}`,
  );
  await page.getByRole("button", { name: "Swap" }).click();
  await matrix.getByText("Target 3").waitFor();
  const after = await cells.allInnerTexts();
  assert.equal(after.length, 3);
  assert.ok(Number(after[1]) > 90, `${after}`);
  await linked(page, 0, 1);
  await page.setViewportSize({ width: 360, height: 780 });
  await linked(page, 0, 1);
  await page.getByRole("slider").press("End");
  assert.equal(await page.locator(".linked line").count(), 0);
});

/** Waits until one line leads from a face of the source to a face of the target. */
async function linked(page, row, column) {
  await page.waitForFunction(
    ([row, column]) => {
      const lines = document.querySelectorAll(".linked line");
      if (lines.length !== 1) return false;
      const frame = lines[0].ownerSVGElement.getBoundingClientRect();
      const touches = (side, index, x, y) => {
        const box = document.querySelectorAll(`[aria-label="${side}"] .box`)[index];
        const { left, right, top, bottom } = box.getBoundingClientRect();
        const [at, down] = [x.baseVal.value + frame.left, y.baseVal.value + frame.top];
        return at >= left - 1 && at <= right + 1 && down >= top - 1 && down <= bottom + 1;
      };
      const { x1, y1, x2, y2 } = lines[0];
      return touches("Source", row, x1, y1) && touches("Target", column, x2, y2);
    },
    [row, column],
  );
}

go("the keyboard alone gets to the first hit", {}, async ({ page }) => {
  const press = async (name) => {
    for (let step = 0; step < 60; step += 1) {
      await page.keyboard.press("Tab");
      const text = await page.evaluate(() => document.activeElement.innerText?.trim());
      if (text === name) return page.keyboard.press("Enter");
    }
    throw new Error(`${name} cannot be reached with Tab`);
  };
  await press("Ana");
  await page.getByRole("button", { name: "Index 1 face" }).waitFor();
  await press("Index 1 face");
  await page.getByText("1 face indexed in").waitFor();
  await press("Ana again");
  await page.getByRole("status", { name: "Result" }).getByText("ana", { exact: true }).waitFor();
});
