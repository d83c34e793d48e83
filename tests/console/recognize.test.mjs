// Pictures in, people out: the screens "Try it", "Search" and "Compare".

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { journey, launch } from "./browser.mjs";
import { call, root, start } from "./server.mjs";

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
});

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
