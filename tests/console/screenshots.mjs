// Takes the pictures of the console that the documentation shows, into the folder of the first argument.

import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { launch, open } from "./browser.mjs";
import { call, root, start } from "./server.mjs";

const folder = process.argv[2];
mkdirSync(folder, { recursive: true });
const [server, browser] = await Promise.all([start(), launch()]);
const desk = { width: 1280, height: 800 };

/** Opens a screen, brings it to where it is worth a picture, and takes that. */
async function take(name, options, arrange) {
  const { page, context, account } = await open(browser, server, { ...desk, ...options });
  await arrange(page, account);
  await page.mouse.move(0, 0);
  await page.waitForTimeout(300);
  await page.screenshot({ path: join(folder, `${name}.png`) });
  await context.close();
}

const picture = (name) => readFileSync(join(root, "examples/faces", name)).toString("base64");
const people = { "ana-1.jpg": "ana", "ana-2.jpg": "ana", "ben.jpg": "ben", "group.jpg": undefined };

/** A collection with a user, as somebody has it after a few calls. */
async function fill(account) {
  const CollectionId = "people";
  await call(server, account, "CreateCollection", { CollectionId, Tags: { team: "door" } });
  const ids = {};
  for (const [name, person] of Object.entries(people)) {
    const input = {
      CollectionId,
      Image: { Bytes: picture(name) },
      ...(person && { ExternalImageId: person }),
    };
    const { FaceRecords } = await call(server, account, "IndexFaces", input);
    (ids[person] ??= []).push(...FaceRecords.map(({ Face }) => Face.FaceId));
  }
  await call(server, account, "CreateUser", { CollectionId, UserId: "ana" });
  await call(server, account, "AssociateFaces", { CollectionId, UserId: "ana", FaceIds: ids.ana });
}

await take("console-try", { height: 630 }, async (page) => {
  await page.getByRole("button", { name: "Ana", exact: true }).click();
  await page.getByRole("button", { name: "Index 1 face" }).click();
  await page.getByRole("button", { name: "Ana again" }).click();
  await page.getByRole("status", { name: "Result" }).waitFor();
});
await take("console-search", {}, async (page, account) => {
  await fill(account);
  await page.getByRole("link", { name: "Search", exact: true }).click();
  await page.getByRole("button", { name: "Three people" }).click();
  await page.getByRole("region", { name: "Matches of face 1" }).waitFor();
  await page.getByRole("button", { name: /^Face 2/ }).click();
  await page.getByRole("region", { name: "Matches of face 2" }).waitFor();
});
await take("console-faces", {}, async (page, account) => {
  await fill(account);
  await page.goto(`${server.url}/_lookalike/ui/#/collections/people/faces`);
  const table = page.getByRole("table", { name: "Faces" });
  await table.getByRole("checkbox").nth(1).check();
  await table.getByRole("checkbox").nth(2).check();
});
await take("console-requests", { dark: true, path: "requests" }, async (page, account) => {
  await fill(account);
  await call(server, account, "SearchFacesByImage", {
    CollectionId: "people",
    Image: { Bytes: picture("ana-2.jpg") },
  });
  await call(server, account, "DescribeCollection", { CollectionId: "nobody" });
  const filter = page.getByLabel(/^Filter by operation/);
  await filter.fill(account);
  await page.getByRole("table").getByRole("button", { name: "SearchFacesByImage" }).first().click();
});
await take("console-phone", { width: 360, height: 740, dark: true }, async (page) => {
  await page.getByRole("button", { name: "Three people" }).click();
  await page.getByRole("region", { name: "Face 1" }).waitFor();
});

await browser.close();
await server.stop();
