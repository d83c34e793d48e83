import { createHash, randomBytes, randomInt } from "node:crypto";

import { Control } from "./control.js";

const REGION = "us-east-1";

/** An account of a server that nothing else uses: it begins empty and sees itself alone. */
export class Session {
  #control;

  /** Makes up an account and connects a client to it. */
  static async open(url, clientConfig = {}) {
    const session = new Session(url);
    const { RekognitionClient } = await import("@aws-sdk/client-rekognition");
    session.client = new RekognitionClient({ ...session.clientConfig, ...clientConfig });
    return session;
  }

  constructor(url) {
    this.url = url;
    this.account = String(randomInt(1e11, 1e12));
    this.#control = new Control(url);
  }

  /** What a `RekognitionClient` of this account is made with. */
  get clientConfig() {
    return {
      endpoint: this.url,
      region: REGION,
      credentials: { accessKeyId: this.account, secretAccessKey: "any" },
    };
  }

  /** Variables that lead any AWS SDK to this account. */
  get environment() {
    return {
      AWS_ENDPOINT_URL_REKOGNITION: this.url,
      AWS_ACCESS_KEY_ID: this.account,
      AWS_SECRET_ACCESS_KEY: "any",
      AWS_DEFAULT_REGION: REGION,
      AWS_REGION: REGION,
    };
  }

  /**
   * Declares what is in an image, which then nobody looks at; resolves to the image of a request.
   *
   * The image is made up unless `image` gives its bytes, or a pattern such as
   * `{ s3_object: "photos/ann/*" }` or `{ external_image_id: "ann-*" }`.
   */
  async declareAnswer(answer, image = randomBytes(16)) {
    const own = image instanceof Uint8Array;
    const pattern = own ? { sha256: createHash("sha256").update(image).digest("hex") } : image;
    const declared = { account: this.account, ...answer, image: pattern };
    await this.#control.call("POST", "/answers", { answers: [declared] });
    return { Bytes: own ? image : randomBytes(16) };
  }

  /** Runs `body` while calls of this account fail or are slow as the rule states. */
  withFault(rule, body) {
    return this.#control.withFault({ account: this.account, ...rule }, body);
  }

  /** Deletes the collections of this account and forgets its declared answers. */
  async reset() {
    await this.#control.call("POST", "/reset", { account: this.account, keep: ["faults"] });
  }

  /** Resets the account and closes its client. */
  async close() {
    this.client?.destroy();
    await this.reset();
  }
}
