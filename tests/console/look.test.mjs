// What every screen owes to everybody: contrast, names, room on a phone.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { findings, journey, launch, open } from "./browser.mjs";
import { call, root, start } from "./server.mjs";

const screens = [
  "try",
  "search",
  "compare",
  "collections",
  "collections/people/faces",
  "collections/people/users",
  "requests",
  "faults",
  "system",
];
const looks = [
  { name: "light on a desk", width: 1280, height: 900, dark: false },
  { name: "dark on a phone", width: 360, height: 780, dark: true },
];
let server;
let browser;

before(async () => {
  [server, browser] = await Promise.all([start(), launch()]);
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

async function fill(account) {
  const group = readFileSync(join(root, "examples/faces/group.jpg")).toString("base64");
  await call(server, account, "CreateCollection", {
    CollectionId: "people",
    Tags: { team: "door" },
  });
  await call(server, account, "IndexFaces", { CollectionId: "people", Image: { Bytes: group } });
  await call(server, account, "CreateUser", { CollectionId: "people", UserId: "cleo" });
}

async function check(page, screen) {
  assert.deepEqual(await findings(page), [], screen);
  const room = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(room <= 0, `${screen} is ${room} pixels too wide`);
}

for (const look of looks) {
  test(`every screen, empty, ${look.name}`, () =>
    journey(browser, server, look, async ({ page }) => {
      for (const screen of screens.filter((screen) => !screen.includes("people"))) {
        await page.goto(`${server.url}/_lookalike/ui/#/${screen}`);
        await page.locator("h1").waitFor();
        await page.waitForTimeout(150);
        await check(page, screen);
      }
    }));

  test(`every screen, filled, ${look.name}`, () =>
    journey(browser, server, look, async ({ page, account }) => {
      await fill(account);
      for (const screen of screens) {
        await page.goto(`${server.url}/_lookalike/ui/#/${screen}`);
        await page.locator("h1").waitFor();
        await show(page, screen);
        await check(page, screen);
      }
    }));
}

/** Brings a screen to its fullest. */
async function show(page, screen) {
  const region = (name) => page.getByRole("region", { name });
  if (screen === "try" || screen === "search") {
    await page.getByRole("button", { name: "Three people" }).first().click();
    await region(screen === "try" ? "Face 1" : "Matches of face 1").waitFor();
    if (screen === "search") await page.getByRole("button", { name: "Why" }).first().click();
  } else if (screen === "compare") {
    await region("Source").getByRole("button", { name: "Ben" }).click();
    await region("Target").getByRole("button", { name: "Three people" }).click();
    await region("Similarity of every pair").waitFor();
  } else if (screen === "requests") {
    await page.getByRole("table").getByRole("button").first().click();
  } else if (screen === "faults") {
    await page.getByRole("button", { name: "Add a rule" }).click();
  } else if (screen === "collections") {
    await page.getByRole("button", { name: "Import" }).click();
  } else if (screen === "system") {
    await page.getByText("measured figures").click();
  } else {
    await page.getByRole("table").first().waitFor();
  }
}

test("a chosen theme stays", async () => {
  const { page, context } = await open(browser, server);
  const background = () =>
    page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  const light = await background();
  await page.getByRole("button", { name: "Switch between light and dark" }).click();
  const dark = await background();
  assert.notEqual(dark, light);
  await page.reload();
  await page.locator("h1").waitFor();
  assert.equal(await background(), dark);
  await context.close();
});

test("a screen is announced, and its content a key away", async () => {
  const { page, context } = await open(browser, server);
  await page.getByRole("link", { name: "Compare" }).click();
  const focused = () => page.evaluate(() => document.activeElement.innerText);
  await page.waitForFunction(() => document.activeElement.innerText === "Compare");
  assert.equal(await page.title(), "Compare · Lookalike");
  await page.locator("body").press("Home");
  await page.getByRole("link", { name: "Skip to the content" }).focus();
  await page.keyboard.press("Enter");
  assert.match(await focused(), /Compare/);
  await context.close();
});
