import { startServer } from "./server.js";

// With these, an SDK would look for its keys or its address elsewhere.
const UNSET = ["AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"];

/**
 * A server for the tests of a file, by the hooks of its runner: `lookalike({ before, beforeEach,
 * after })` of node:test, `lookalike({ before: beforeAll, beforeEach, after: afterAll })` of Vitest
 * and Jest. Each test has an account of its own, to which AWS's variables lead, too.
 */
export function lookalike({ before, beforeEach, after }, { clientConfig, ...options } = {}) {
  const tests = new Tests();
  const kept = new Map();
  before(async () => {
    tests.server = await startServer(options);
  });
  beforeEach(async () => {
    await tests.session?.close();
    tests.session = await tests.server.openSession(clientConfig);
    const unset = Object.fromEntries(UNSET.map((name) => [name, undefined]));
    setVariables({ ...unset, ...tests.session.environment }, kept);
  });
  after(async () => {
    setVariables(Object.fromEntries(kept), new Map());
    await tests.session?.close();
    await tests.server?.stop();
  });
  return tests;
}

/** What the test that runs works with. */
class Tests {
  server;
  session;

  get url() {
    return this.server.url;
  }

  get account() {
    return this.session.account;
  }

  get client() {
    return this.session.client;
  }

  declareAnswer(answer, image) {
    return this.session.declareAnswer(answer, image);
  }

  withFault(rule, body) {
    return this.session.withFault(rule, body);
  }
}

/** Sets or deletes variables of this process; `kept` gets what a first change replaces. */
function setVariables(variables, kept) {
  for (const [name, value] of Object.entries(variables)) {
    if (!kept.has(name)) kept.set(name, process.env[name]);
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
}
