// Chromium, and pages that fail their test when anything in them goes wrong unasked.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, join } from "node:path";

import { chromium } from "playwright-core";

const names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const axeSource = readFileSync(
  createRequire(import.meta.url).resolve("axe-core/axe.min.js"),
  "utf8",
);

function find() {
  const chosen = process.env.LOOKALIKE_CHROMIUM;
  if (chosen) return chosen;
  const folders = (process.env.PATH ?? "").split(delimiter);
  const paths = folders.flatMap((folder) => names.map((name) => join(folder, name)));
  const found = paths.find((path) => existsSync(path));
  if (found) return found;
  throw new Error(
    "There is no Chromium on PATH: install Debian's package chromium, or name one with LOOKALIKE_CHROMIUM.",
  );
}

export function launch() {
  return chromium.launch({
    executablePath: find(),
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--no-first-run",
      "--use-fake-ui-for-media-stream",
      "--use-fake-device-for-media-stream",
    ],
  });
}

let accounts = 0;

/** A page of its own account in a new profile; `account` tells which. */
export async function open(
  browser,
  server,
  { width = 1280, height = 900, dark = false, path = "try" } = {},
) {
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme: dark ? "dark" : "light",
    reducedMotion: "reduce",
    permissions: ["clipboard-read", "clipboard-write", "camera"],
  });
  accounts += 1;
  const account = String(process.pid * 1000 + accounts).padStart(12, "0");
  await context.addInitScript(
    (id) => localStorage.getItem("account") ?? localStorage.setItem("account", JSON.stringify(id)),
    account,
  );
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  const problems = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) problems.push(`console: ${message.text()}`);
  });
  page.on("pageerror", (error) => problems.push(`error: ${error.stack}`));
  page.on("request", (request) => {
    const url = new URL(request.url());
    const isOwn = url.origin === server.url || ["blob:", "data:"].includes(url.protocol);
    if (!isOwn) problems.push(`foreign request: ${request.url()}`);
  });
  await page.goto(`${server.url}/_lookalike/ui/#/${path}`);
  await page.locator("h1").waitFor();
  return { page, context, account, problems };
}

/** Runs a journey, and fails it for what the page complained of unless `allowed` matches it. */
export async function journey(browser, server, options, run) {
  const opened = await open(browser, server, options);
  try {
    await run(opened);
    const unasked = opened.problems.filter((problem) => !options.allowed?.test(problem));
    assert.deepEqual(unasked, []);
  } finally {
    await opened.context.close();
  }
}

/** Serious findings of axe, each in a line. */
export async function findings(page) {
  await page.evaluate(axeSource);
  const { violations } = await page.evaluate(() =>
    axe.run(document, { resultTypes: ["violations"] }),
  );
  const serious = violations.filter(({ impact }) => ["serious", "critical"].includes(impact));
  return serious.map(
    ({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(" ")).join(" | ")}`,
  );
}
