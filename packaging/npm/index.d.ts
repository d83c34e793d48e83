import type {
  FaceDetail,
  Image,
  RekognitionClient,
  RekognitionClientConfig,
} from "@aws-sdk/client-rekognition";

/** Options of the server, as for its command: `["--s3", "tests/buckets"]`. */
export interface ServerOptions {
  options?: string[];
}

/**
 * A server on a free port of this machine that keeps nothing, or the running one that LOOKALIKE_URL
 * names. LOOKALIKE_BIN names the command, which is `lookalike` in PATH by default.
 */
export function startServer(options?: ServerOptions): Promise<Server>;

export class Server {
  private constructor();
  readonly url: string;
  /** The last lines that a server that was started here has logged. */
  readonly log: string[];
  /** An account that nothing else uses, with a client of the AWS SDK. */
  openSession(clientConfig?: RekognitionClientConfig): Promise<Session>;
  /** Lets requests under way finish, then ends a server that was started here. */
  stop(): Promise<void>;
}

/** What a test works with: an account that begins empty and sees itself alone. */
export interface Account {
  readonly url: string;
  /** Twelve digits; also the access key. */
  readonly account: string;
  readonly client: RekognitionClient;
  /**
   * Declares what is in an image, which then nobody looks at; resolves to the image of a request.
   * The image is made up unless `image` gives its bytes or a pattern.
   */
  declareAnswer(
    answer: DeclaredAnswer,
    image?: Uint8Array | ImagePattern,
  ): Promise<Image & { Bytes: Uint8Array }>;
  /** Runs `body` while calls of this account fail or are slow as the rule states. */
  withFault<T>(rule: FaultRule, body: () => T | Promise<T>): Promise<T>;
}

export class Session implements Account {
  private constructor();
  readonly url: string;
  readonly account: string;
  readonly client: RekognitionClient;
  /** What a `RekognitionClient` of this account is made with. */
  readonly clientConfig: RekognitionClientConfig;
  /** Variables that lead any AWS SDK to this account. */
  readonly environment: Record<string, string>;
  declareAnswer: Account["declareAnswer"];
  withFault: Account["withFault"];
  /** Deletes the collections of this account and forgets its declared answers. */
  reset(): Promise<void>;
  /** Resets the account and closes its client. */
  close(): Promise<void>;
}

/** The hooks of a test runner; those of node:test have these names. */
export interface Hooks {
  before(hook: () => Promise<void>): void;
  beforeEach(hook: () => Promise<void>): void;
  after(hook: () => Promise<void>): void;
}

/** A server for the tests of a file; the account is that of the test that runs. */
export function lookalike(
  hooks: Hooks,
  options?: ServerOptions & { clientConfig?: RekognitionClientConfig },
): Account & { readonly server: Server; readonly session: Session };

/** A face of a declared image: its person, or whom it matches with which similarity. */
export interface DeclaredFace {
  person?: string;
  face_id?: string;
  user_id?: string;
  similarity?: number;
  /** What is left out is that of a good portrait. */
  detail?: Partial<FaceDetail>;
}

/** What is declared of an image: docs/TESTING.md of the server has every member. */
export interface DeclaredAnswer {
  faces?: DeclaredFace[];
  error?: string;
  message?: string;
  latency_ms?: number;
  times?: number;
  operations?: string[];
  region?: string;
}

/** Images by their names; `*` and `?` are wildcards. */
export type ImagePattern = { s3_object: string } | { external_image_id: string };

/** Which calls fail or are slow: docs/TESTING.md of the server has every member. */
export interface FaultRule {
  error?: string;
  message?: string;
  operations?: string[];
  region?: string;
  target?: "request" | "s3";
  probability?: number;
  times?: number;
  per_second?: number;
  latency_ms?: number;
  jitter_ms?: number;
}

/** The server refused; the message is its reason. */
export class ControlError extends Error {}

/** The server ended before it was ready; the message has its log. */
export class StartError extends Error {}
