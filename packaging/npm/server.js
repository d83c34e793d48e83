import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

import { Session } from "./session.js";

const STOP_MS = 20_000;
const KEPT_LINES = 200;
const ADVICE = "install it with `pip install lookalike`, or set LOOKALIKE_BIN or LOOKALIKE_URL";

/** The server ended before it was ready; the message has its log. */
export class StartError extends Error {
  name = "StartError";
}

/**
 * A server on a free port of this machine that keeps nothing, or the running one that LOOKALIKE_URL
 * names. LOOKALIKE_BIN names the command, which is `lookalike` in PATH by default.
 */
export async function startServer({ options = [] } = {}) {
  const running = process.env.LOOKALIKE_URL;
  if (running) return new Server(new URL(running).href.replace(/\/+$/, ""));

  const command = process.env.LOOKALIKE_BIN || "lookalike";
  const named = options.some((option) => option.split("=")[0] === "--data");
  const data = named ? [] : ["--data", ":memory:"];
  const fixed = ["--listen", "127.0.0.1:0", "--log-format", "json"];
  const stdio = ["ignore", "ignore", "pipe"];
  const child = spawn(command, [...data, ...options, ...fixed], { stdio });
  const log = [];
  const url = await ready(child, command, log);
  return new Server(url, log, child);
}

/** A server; `log` has its last lines where it was started here. */
export class Server {
  #child;
  #end;

  constructor(url, log = [], child) {
    this.url = url;
    this.log = log;
    this.#child = child;
    if (!child) return;
    // Neither a failed test nor a forgotten server keeps the run from ending.
    child.unref();
    child.stderr.unref();
    this.#end = () => child.kill();
    process.once("exit", this.#end);
  }

  /** An account that nothing else uses, with a client of the AWS SDK. */
  openSession(clientConfig) {
    return Session.open(this.url, clientConfig);
  }

  /** Lets requests under way finish, then ends a server that was started here. */
  async stop() {
    const child = this.#child;
    if (!child) return;
    this.#child = undefined;
    process.removeListener("exit", this.#end);
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.ref();
    const ended = once(child, "exit");
    child.kill();
    const late = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
    await ended;
    clearTimeout(late);
  }
}

/** The address that the log announces. The log is read to its end: a full pipe stops a server. */
function ready(child, command, log) {
  return new Promise((resolve, reject) => {
    child.once("error", (cause) => {
      reject(new StartError(`the server ${command} cannot be run: ${ADVICE}`, { cause }));
    });
    const lines = createInterface({ input: child.stderr });
    const find = (line) => {
      const entry = line.startsWith("{") ? JSON.parse(line) : {};
      if (entry.message !== "ready") return;
      lines.off("line", find);
      resolve(`http://${entry.address}`);
    };
    lines.on("line", find);
    lines.on("line", (line) => {
      log.push(line);
      if (log.length > KEPT_LINES) log.shift();
    });
    lines.once("close", () => {
      reject(new StartError(`${command} did not start:\n${log.join("\n")}`));
    });
  });
}
