// Keys, rights and the control plane.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { journey, launch } from "./browser.mjs";
import { call, folder, root, runPytest, start } from "./server.mjs";

const keys = `
[[key]]
access_key_id = "AKIDALICE"
secret_access_key = "alice's secret"
account = "123456789012"
user = "alice"

[[key]]
access_key_id = "AKIDREADER"
secret_access_key = "hush"
account = "123456789012"
user = "reader"
actions = ["rekognition:List*", "rekognition:Describe*"]
`;
let server;
let guarded;
let keeper;
let browser;

before(async () => {
  const file = join(folder(), "keys.toml");
  writeFileSync(file, keys);
  [server, guarded, keeper, browser] = await Promise.all([
    start(),
    start("--credentials", file, "--admin-token", "open-sesame"),
    start("--thumbnails", "memory"),
    launch(),
  ]);
});
after(async () => {
  await browser?.close();
  await Promise.all([server?.stop(), guarded?.stop(), keeper?.stop()]);
});
const go = (name, options, run) => test(name, () => journey(browser, server, options, run));
const guard = (name, options, run) => test(name, () => journey(browser, guarded, options, run));

async function signIn(page, key, secret, token = "") {
  await page.getByLabel("Access key id").fill(key);
  await page.getByLabel("Secret access key").fill(secret);
  await page.getByLabel("Admin token, if the server has one").fill(token);
  await page.getByRole("button", { name: "Sign in" }).click();
}

guard("calls are signed with a key that stays in the tab", { allowed: /400/ }, async ({ page }) => {
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  await signIn(page, "AKIDALICE", "wrong");
  await page.getByRole("alert").getByText("InvalidSignatureException").waitFor();
  await signIn(page, "AKIDALICE", "alice's secret");
  await page.getByRole("button", { name: "Ana", exact: true }).click();
  await page.getByRole("button", { name: "Index 1 face" }).click();
  await page.getByText("1 face indexed in").waitFor();
  const stored = await page.evaluate(() => JSON.stringify(localStorage));
  assert.ok(!stored.includes("secret") && !stored.includes("AKID"), stored);
  await page.getByRole("button", { name: "boto3", exact: true }).click();
  const code = await page.locator("pre").innerText();
  assert.ok(code.includes("AKIDALICE") && !code.includes("alice's"), code);
  await page.getByRole("button", { name: "Keys" }).click();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
});

guard(
  "the console can do what its key may, and nothing else",
  { path: "collections", allowed: /40[03]/ },
  async ({ page }) => {
    await signIn(page, "AKIDREADER", "hush");
    await page.getByRole("button", { name: "New collection" }).click();
    await page.getByLabel("Collection id").fill("mine");
    await page.getByRole("button", { name: "Create" }).click();
    const alert = page.getByRole("alert");
    await alert.getByText("AccessDeniedException").waitFor();
    assert.match(
      await alert.innerText(),
      /user\/reader is not authorized to perform: rekognition:CreateCollection/,
    );
  },
);

guard(
  "the control plane opens to its token",
  { path: "system", allowed: /401/ },
  async ({ page }) => {
    await signIn(page, "AKIDALICE", "alice's secret");
    await page.getByText("The control plane asks for its token").waitFor();
    await page.getByRole("button", { name: "Give a token" }).click();
    const dialog = page.getByRole("dialog", { name: "Keys" });
    await dialog.getByLabel("Admin token, if the server has one").fill("open-sesame");
    await dialog.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("region", { name: "Pack" }).waitFor();
    const keys = page.getByRole("table", { name: "Keys" });
    await keys.getByText("AKIDREADER").waitFor();
    assert.ok(!(await page.content()).includes("hush"));
    const kept = await page.evaluate(() => JSON.stringify(localStorage));
    assert.ok(!kept.includes("open-sesame"));
  },
);

go(
  "faults are switched on under a banner on every screen, and off again",
  { path: "faults", allowed: /40\d|500/ },
  async ({ page, account }) => {
    const own = { operations: "ListUsers", error: "InternalServerError" };
    await page.getByRole("button", { name: "Add a rule" }).click();
    const dialog = page.getByRole("dialog", { name: "Add a rule" });
    await dialog.getByLabel(/^Operations/).fill(own.operations);
    await dialog.getByLabel(/^Error/).fill(own.error);
    await dialog.getByRole("button", { name: "Add", exact: true }).click();
    const banner = page.getByRole("alert").filter({ hasText: "Faults are on" });
    await banner.waitFor();
    const struck = await call(server, account, "ListUsers", { CollectionId: "x" });
    assert.equal(struck.__type, own.error);
    await page.getByRole("link", { name: "Compare" }).click();
    await banner.waitFor();
    await banner.getByRole("link").click();
    await page.getByRole("switch", { name: "Slow" }).check();
    await page.getByRole("table", { name: "Rules" }).getByText("slow").first().waitFor();

    await page.getByRole("button", { name: "Turn all off" }).click();
    await banner.waitFor({ state: "detached" });
    assert.notEqual(
      (await call(server, account, "ListUsers", { CollectionId: "x" })).__type,
      own.error,
    );
  },
);

go(
  "requests show up as they come in, with the stages of each",
  { path: "requests" },
  async ({ page, account }) => {
    await call(server, account, "DetectFaces", { Image: { Bytes: btoa("no picture") } });
    const table = page.getByRole("table", { name: "Requests" });
    await table.getByText(account).first().waitFor();
    await page.getByLabel("Filter by operation, collection, error, account or id").fill(account);
    await page.getByRole("button", { name: "Hold still" }).click();
    await call(server, account, "CreateCollection", { CollectionId: "late" });
    await page.getByRole("button", { name: /Go on \([1-9]/ }).waitFor();
    assert.equal(await table.getByText("CreateCollection").count(), 0);
    await page.getByRole("button", { name: /Go on/ }).click();
    await table.getByRole("button", { name: "CreateCollection" }).click();
    const detail = page.getByRole("region", { name: /^Request / });
    assert.ok(
      (await detail.getByRole("list", { name: "Stages" }).getByRole("listitem").count()) > 0,
    );
    await page.getByRole("button", { name: "Failed" }).click();
    await table.getByText("CreateCollection").waitFor({ state: "detached" });
    assert.equal(await table.locator("tbody tr").count(), 1);
  },
);

go(
  "the system shows its pack and empties an account",
  { path: "system" },
  async ({ page, account }) => {
    await call(server, account, "CreateCollection", { CollectionId: "gone" });
    await page.reload();
    await page
      .getByRole("region", { name: "Pack" })
      .getByText("Strangers who match at 80")
      .waitFor();
    await page.getByRole("table", { name: "Accounts" }).getByText(account).waitFor();
    await page.getByRole("button", { name: "Reset" }).click();
    await page.getByLabel(`Type ${account} to confirm`).fill(account);
    await page.getByRole("button", { name: "Delete for good" }).click();
    await page.getByText(`Account ${account} in us-east-1 is empty.`).waitFor();
    assert.deepEqual((await call(server, account, "ListCollections")).CollectionIds, []);
  },
);

go("another account is another world", { path: "collections" }, async ({ page, account }) => {
  await call(server, account, "CreateCollection", { CollectionId: "mine" });
  await page.reload();
  await page.getByRole("link", { name: "mine" }).waitFor();
  await page.getByRole("button", { name: "Account" }).click();
  await page.getByLabel("Account", { exact: true }).fill("999999999999");
  await page.getByRole("button", { name: "Use these" }).click();
  await page.getByText("No collection yet").waitFor();
});

test("crops that the server keeps are shown, and the page states that it keeps them", () =>
  journey(browser, keeper, { path: "collections" }, async ({ page, account }) => {
    const Bytes = readFileSync(join(root, "examples/faces/group.jpg")).toString("base64");
    await call(keeper, account, "CreateCollection", { CollectionId: "staff" });
    await call(keeper, account, "IndexFaces", { CollectionId: "staff", Image: { Bytes } });
    await page.goto(`${keeper.url}/_lookalike/ui/#/collections/staff/faces`);
    await page.getByText("Crops of faces: memory").waitFor();
    const crops = page.getByRole("table", { name: "Faces" }).locator("img.avatar");
    await page.waitForFunction(() => document.querySelectorAll("td img.avatar").length === 3);
    const sizes = await crops.evaluateAll((images) => images.map(({ naturalWidth }) => naturalWidth));
    assert.deepEqual(sizes, [112, 112, 112]);
  }));

go("a request is copied as a test that passes", { path: "requests" }, async ({ page, account }) => {
  const Bytes = readFileSync(join(root, "examples/faces/ana-1.jpg")).toString("base64");
  await call(server, account, "CreateCollection", { CollectionId: "staff" });
  await call(server, account, "IndexFaces", { CollectionId: "staff", Image: { Bytes } });
  await call(server, account, "SearchFacesByImage", { CollectionId: "staff", Image: { Bytes } });
  await call(server, account, "DetectFaces", { Image: { Bytes: btoa("no picture") } });
  await call(server, account, "DescribeCollection", { CollectionId: "nobody" });
  await page.getByLabel("Filter by operation, collection, error, account or id").fill(account);
  const table = page.getByRole("table", { name: "Requests" });
  const tests = [];
  for (const operation of ["IndexFaces", "SearchFacesByImage", "DetectFaces", "DescribeCollection"]) {
    await table.getByRole("button", { name: operation, exact: true }).click();
    await page.getByRole("button", { name: "Copy as test" }).click();
    await page.getByRole("button", { name: "Copied" }).waitFor();
    const code = await page.evaluate(() => navigator.clipboard.readText());
    await page.getByRole("button", { name: "Copy as test" }).waitFor();
    assert.match(code, /^# The server keeps no image, and no parameter/);
    tests.push(code);
  }
  await runPytest(server, tests);
});
