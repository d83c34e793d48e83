/** The server refused; the message is its reason. */
export class ControlError extends Error {
  name = "ControlError";
}

/** Routes under `/_lookalike` of a server. LOOKALIKE_ADMIN_TOKEN is used where it is set. */
export class Control {
  #url;

  constructor(url) {
    this.#url = `${url}/_lookalike`;
  }

  /** The answer of a route. */
  async call(method, path, body) {
    const headers = { "content-type": "application/json", "x-lookalike-admin": "1" };
    const token = process.env.LOOKALIKE_ADMIN_TOKEN;
    if (token) headers.authorization = `Bearer ${token}`;
    const answer = await fetch(this.#url + path, { method, headers, body: JSON.stringify(body) });
    if (!answer.ok) throw new ControlError(`${method} ${path}: ${await answer.text()}`);
    return answer.json();
  }

  /** Runs `body` with one more rule among the faults in force. */
  async withFault(rule, body) {
    const { seed, presets, rules } = await this.call("GET", "/faults");
    // What a preset stands for is among the rules, marked.
    const own = rules.filter(({ preset }) => !preset).map(({ struck, preset, ...rest }) => rest);
    await this.call("PUT", "/faults", { seed, presets, rules: [...own, rule] });
    try {
      return await body();
    } finally {
      await this.call("PUT", "/faults", { seed, presets, rules: own });
    }
  }
}
