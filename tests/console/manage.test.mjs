// Collections, faces and users: made, changed, deleted, taken back.

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
  const template = "https://app.example/people/{ExternalImageId}.jpg";
  [server, browser] = await Promise.all([start("--console-thumbnails", template), launch()]);
});
after(async () => {
  await browser?.close();
  await server?.stop();
});
const go = (name, options, run) => test(name, () => journey(browser, server, options, run));

/** A collection `staff` with the three people of the group picture, and its screen. */
async function staff(page, account, name) {
  const bytes = readFileSync(faces("group.jpg")).toString("base64");
  await call(server, account, "CreateCollection", { CollectionId: "staff" });
  const { FaceRecords } = await call(server, account, "IndexFaces", {
    CollectionId: "staff",
    Image: { Bytes: bytes },
    ...(name && { ExternalImageId: name }),
  });
  assert.equal(FaceRecords.length, 3);
  await page.getByRole("link", { name: "Collections" }).click();
  await page.getByRole("link", { name: "staff" }).click();
  await page.getByRole("table", { name: "Faces" }).waitFor();
  return FaceRecords.map(({ Face }) => Face.FaceId).sort();
}

const count = async (account) =>
  (await call(server, account, "DescribeCollection", { CollectionId: "staff" })).FaceCount;

go("a collection is exported to a file and imported from it", {}, async ({ page, account }) => {
  const ids = await staff(page, account);
  await page.getByRole("link", { name: "Collections", exact: true }).first().click();
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("button", { name: "Export staff" }).click(),
  ]);
  assert.equal(download.suggestedFilename(), "staff.jsonl");
  const file = await download.path();
  assert.equal(readFileSync(file, "utf8").match(/^{"face":/gm).length, 3);
  await call(server, account, "DeleteCollection", { CollectionId: "staff" });

  const pick = async (name) => {
    await page.getByRole("button", { name: "Import" }).first().click();
    const dialog = page.getByRole("dialog", { name: "Import" });
    await dialog.getByLabel("File").setInputFiles(file);
    if (name) await dialog.getByLabel(/^New name/).fill(name);
    return dialog;
  };
  const submit = (dialog) => dialog.getByRole("button", { name: "Import" }).click();
  await submit(await pick());
  await page.getByText("Imported staff: 3 faces.").waitFor();
  const { Faces } = await call(server, account, "ListFaces", { CollectionId: "staff" });
  assert.deepEqual(Faces.map(({ FaceId }) => FaceId).sort(), ids);
  await submit(await pick("copy"));
  await page.getByText("Imported copy: 3 faces.").waitFor();
  await page.getByRole("link", { name: "copy" }).waitFor();
});

go("the list shows what a search has loaded", {}, async ({ page, account }) => {
  const [FaceId] = await staff(page, account);
  const list = page.getByRole("link", { name: "Collections", exact: true }).first();
  const memory = page.getByRole("row", { name: /staff/ }).getByRole("cell").nth(3);
  await list.click();
  await memory.filter({ hasText: "–" }).waitFor();
  await call(server, account, "SearchFaces", { CollectionId: "staff", FaceId });
  await page.reload();
  await memory.filter({ hasText: /^\d.* [kM]B$/ }).waitFor();
});

go(
  "an import over what is there is refused, unless that is to be replaced",
  { path: "collections", allowed: /409/ },
  async ({ page, account }) => {
    await call(server, account, "CreateCollection", { CollectionId: "staff" });
    await page.reload();
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("button", { name: "Export all" }).click(),
    ]);
    assert.equal(download.suggestedFilename(), `${account}.jsonl`);
    await page.getByRole("button", { name: "Import" }).click();
    const dialog = page.getByRole("dialog", { name: "Import" });
    await dialog.getByLabel("File").setInputFiles(await download.path());
    await dialog.getByRole("button", { name: "Import" }).click();
    await dialog.getByRole("alert").getByText(/exists already/).waitFor();
    await dialog.getByLabel("Replace collections of the same name").check();
    await dialog.getByRole("button", { name: "Import" }).click();
    await page.getByText("Imported staff: 0 faces.").waitFor();
  },
);

go(
  "a collection is made with tags, retagged, and deleted by its name",
  { path: "collections" },
  async ({ page, account }) => {
    await page.getByRole("button", { name: "New collection" }).click();
    await page.getByLabel("Collection id").fill("staff");
    await page.getByLabel(/^Tags, as/).fill("team=door");
    await page.getByRole("button", { name: "Create" }).click();
    const table = page.getByRole("table", { name: "Collections" });
    await table.getByText("team: door").waitFor();
    await page.getByRole("button", { name: "Tags of staff" }).click();
    await page.getByLabel("One key=value a line").fill("owner=ana");
    await page.getByRole("button", { name: "Save" }).click();
    await table.getByText("owner: ana").waitFor();
    assert.equal(await table.getByText("team").count(), 0);
    await page.getByRole("button", { name: "Delete staff" }).click();
    const sure = page.getByRole("button", { name: "Delete for good" });
    assert.ok(await sure.isDisabled());
    await page.getByLabel("Type staff to confirm").fill("staff");
    await sure.click();
    await page.getByText("No collection yet").waitFor();
    assert.deepEqual((await call(server, account, "ListCollections")).CollectionIds, []);
  },
);

go(
  "a name that AWS refuses is refused in AWS's words",
  { path: "collections", allowed: /400/ },
  async ({ page, account }) => {
    await call(server, account, "CreateCollection", { CollectionId: "staff" });
    await page.getByRole("button", { name: "New collection" }).click();
    await page.getByLabel("Collection id").fill("staff");
    await page.getByRole("button", { name: "Create" }).click();
    await page.getByRole("alert").getByText("ResourceAlreadyExistsException").waitFor();
  },
);

go(
  "many faces are deleted in ten seconds, and not at all if that is taken back",
  {},
  async ({ page, account }) => {
    await page.clock.install();
    await staff(page, account);
    const table = page.getByRole("table", { name: "Faces" });
    const remove = async () => {
      await table.getByRole("checkbox").nth(1).check();
      await table.getByRole("checkbox").nth(2).check();
      await page.getByRole("button", { name: "Delete" }).click();
      await page.getByText("1 face shown").waitFor();
    };
    await remove();
    await page.getByRole("button", { name: "Undo" }).click();
    await page.getByText("3 faces shown").waitFor();
    await page.clock.fastForward(20_000);
    assert.equal(await count(account), 3);
    await remove();
    assert.equal(await count(account), 3);
    const sent = page.waitForResponse((answer) =>
      /DeleteFaces/.test(answer.request().headers()["x-amz-target"]),
    );
    await page.clock.fastForward(10_001);
    await sent;
    assert.equal(await count(account), 1);
  },
);

go("all faces are chosen at once, filtered ones alone too", {}, async ({ page, account }) => {
  const ids = await staff(page, account);
  await page.getByLabel("Select all shown").check();
  await page.getByText("3 faces chosen").waitFor();
  await page.getByRole("button", { name: "Choose none" }).click();
  await page.getByLabel("Filter by ExternalImageId, user or id").fill(ids[1].slice(0, 13));
  await page.getByText("1 face shown").waitFor();
  await page.getByLabel("Select all shown").check();
  await page.getByText("1 face chosen").waitFor();
});

go(
  "faces become a user, are shown as its faces, and are taken away",
  {},
  async ({ page, account }) => {
    const ids = await staff(page, account);
    await page.getByRole("checkbox", { name: `Select ${ids[0]}` }).check();
    await page.getByRole("button", { name: "Associate with a user" }).click();
    await page.getByLabel("User, a new one is made").fill("cleo");
    await page.getByRole("button", { name: "Associate", exact: true }).click();
    await page.getByRole("table", { name: "Faces" }).getByText("cleo").waitFor();
    await page.getByRole("button", { name: "Users", exact: true }).click();
    await page.getByRole("button", { name: "Faces of cleo" }).click();
    const dialog = page.getByRole("dialog", { name: "Faces of cleo" });
    await dialog.getByText(ids[0].slice(0, 8)).waitFor();
    await dialog.getByRole("button", { name: "Take away" }).click();
    await dialog.getByText("No face is associated with cleo yet.").waitFor();
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
    const { Faces } = await call(server, account, "ListFaces", {
      CollectionId: "staff",
      UserId: "cleo",
    });
    assert.deepEqual(Faces, []);
  },
);

go(
  "pictures are added under their names, and what is no face is reported",
  {},
  async ({ page, account }) => {
    await call(server, account, "CreateCollection", { CollectionId: "staff" });
    await page.goto(`${server.url}/_lookalike/ui/#/collections/staff/faces`);
    await page.getByRole("button", { name: "Add pictures" }).click();
    const dialog = page.getByRole("dialog");
    await dialog
      .getByLabel("Pictures to add")
      .setInputFiles([faces("ana-1.jpg"), faces("ben.jpg")]);
    await dialog.getByText("2 pictures of 2 names").waitFor();
    assert.equal(await count(account), 0, "nothing is sent before the start");
    await dialog.getByRole("button", { name: "Index 2 pictures" }).click();
    await dialog.getByText("2 pictures done, 2 faces indexed.").waitFor();
    await dialog.getByRole("button", { name: "Close" }).click();
    await page.getByRole("table", { name: "Faces" }).getByText("ana-1").waitFor();
    const { Faces } = await call(server, account, "ListFaces", { CollectionId: "staff" });
    assert.deepEqual(Faces.map(({ ExternalImageId }) => ExternalImageId).sort(), ["ana-1", "ben"]);
  },
);

go(
  "pictures of enrolled people come from the operator's address",
  { allowed: /app\.example/ },
  async ({ page, account }) => {
    const asked = [];
    await page.route("https://app.example/**", (route) => {
      asked.push(route.request().url());
      return route.fulfill({ path: faces("ana-1.jpg"), contentType: "image/jpeg" });
    });
    await staff(page, account, "ana");
    const image = page.getByRole("table", { name: "Faces" }).locator("img").first();
    await page.waitForFunction((element) => element.naturalWidth > 0, await image.elementHandle());
    assert.equal(asked[0], "https://app.example/people/ana.jpg");
  },
);

go(
  "a list of thousands keeps the page small and its order",
  { path: "collections" },
  async ({ page, account }) => {
    await call(server, account, "CreateCollection", { CollectionId: "many" });
    const id = (index) => `00000000-0000-4000-8000-${String(index).padStart(12, "0")}`;
    // Inference of thousands of pictures is not what is tested here.
    await page.route(`${server.url}/`, (route) => {
      const request = route.request();
      if (!request.headers()["x-amz-target"]?.endsWith("ListFaces")) return route.fallback();
      const from = Number(request.postDataJSON().NextToken ?? 0);
      const Faces = Array.from({ length: 1000 }, (_, at) => ({
        FaceId: id(from + at),
        Confidence: 99.5,
      }));
      return route.fulfill({
        json: { Faces, ...(from < 4000 && { NextToken: String(from + 1000) }) },
      });
    });
    await page.goto(`${server.url}/_lookalike/ui/#/collections/many/faces`);
    await page.getByText("1,000 faces shown").waitFor();
    const frame = page.getByRole("region", { name: "Faces" });
    for (const loaded of ["2,000", "3,000", "4,000", "5,000"]) {
      await frame.evaluate((element) => element.scrollTo(0, element.scrollHeight));
      await page.getByText(`${loaded} faces shown`).waitFor();
    }
    await frame.evaluate((element) => element.scrollTo(0, element.scrollHeight));
    await page.getByLabel(`Select ${id(4999)}`).waitFor();
    assert.ok((await frame.locator("tbody tr").count()) < 60);
  },
);
