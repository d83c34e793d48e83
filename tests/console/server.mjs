// Starts the real binary on a free port and stops it again.

import { execFile, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";

export const root = resolve(import.meta.dirname, "../..");
const binary = process.env.LOOKALIKE_BIN ?? join(root, "target/debug/lookalike");
const START_MILLISECONDS = 60_000;

/** Of the caller's settings only those that say which networks to run reach the server. */
function environment() {
  const kept = ["LOOKALIKE_MODELS", "LOOKALIKE_PACK"];
  const isKept = ([name]) => kept.includes(name) || !/^(LOOKALIKE_|AWS_)/.test(name);
  return Object.fromEntries(Object.entries(process.env).filter(isKept));
}

/** A running server: `{url, log, stop}`. */
export async function start(...options) {
  const args = [
    "--listen",
    "127.0.0.1:0",
    "--data",
    ":memory:",
    "--log-format",
    "json",
    ...options,
  ];
  const child = spawn(binary, args, {
    cwd: root,
    env: environment(),
    stdio: ["ignore", "ignore", "pipe"],
  });
  const log = [];
  const lines = createInterface({ input: child.stderr });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  const url = await new Promise((resolve, reject) => {
    const late = setTimeout(
      () => reject(new Error("the server did not start in time")),
      START_MILLISECONDS,
    );
    child.once("error", reject);
    ended.then((code) => reject(new Error(`the server ended with ${code}:\n${log.join("\n")}`)));
    lines.on("line", (line) => {
      log.push(line);
      const ready = line.startsWith("{") && JSON.parse(line);
      if (ready?.message !== "ready") return;
      clearTimeout(late);
      resolve(`http://${ready.address}`);
    });
  });
  const stop = async () => {
    child.kill("SIGTERM");
    const code = await ended;
    if (code !== 0) throw new Error(`the server ended with ${code}:\n${log.slice(-5).join("\n")}`);
  };
  return { url, log, stop };
}

/** A folder that is gone after the tests. */
export function folder() {
  const path = mkdtempSync(join(tmpdir(), "lookalike-console-"));
  process.once("exit", () => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** A call of an operation as an SDK makes it, of an account of an open server. */
export async function call(server, account, operation, input = {}) {
  const answer = await fetch(server.url, {
    method: "POST",
    headers: {
      "content-type": "application/x-amz-json-1.1",
      "x-amz-target": `RekognitionService.${operation}`,
      authorization: `AWS4-HMAC-SHA256 Credential=${account}/20300101/us-east-1/rekognition/aws4_request, SignedHeaders=host, Signature=0`,
    },
    body: JSON.stringify(input),
  });
  return answer.json();
}

/** Asks a route of the control plane. */
export async function control(server, method, path, body) {
  const answer = await fetch(`${server.url}/_lookalike/${path}`, {
    method,
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`${method} ${path}: ${await answer.text()}`);
  return answer.json();
}

/** Runs tests that were copied from the console; `files` lie beside them. Fails as pytest does. */
export async function runPytest(server, tests, files = {}) {
  const cwd = folder();
  const modules = tests.map((code, index) => [`test_${index}.py`, code]);
  for (const [name, content] of [...modules, ...Object.entries(files)])
    writeFileSync(join(cwd, name), content);
  const python = process.env.LOOKALIKE_PYTHON ?? join(root, ".cache/venv/bin/python");
  const plugin = join(root, "packaging/pypi/pytest-lookalike");
  const env = { ...environment(), LOOKALIKE_URL: server.url, PYTHONPATH: plugin };
  const options = ["-q", "-p", "pytest_lookalike.plugin", "-p", "no:cacheprovider"];
  const run = promisify(execFile)(python, ["-m", "pytest", ...options], { cwd, env });
  const { stdout } = await run.catch((error) => {
    throw new Error(`${tests.join("\n\n")}\n\n${error.stdout}${error.stderr}`);
  });
  if (!stdout.includes(`${tests.length} passed`)) throw new Error(stdout);
}
