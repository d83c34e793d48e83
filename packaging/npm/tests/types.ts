// What the types promise, to be compiled only.

import { after, before, beforeEach } from "node:test";
import { ListCollectionsCommand, type RekognitionClient } from "@aws-sdk/client-rekognition";
import { lookalike, startServer, type FaultRule } from "lookalike-testing";

const tests = lookalike({ before, beforeEach, after }, { options: ["--workers", "1"] });
const rule: FaultRule = { error: "ThrottlingException", per_second: 5 };

export async function sample(): Promise<string[] | undefined> {
  const client: RekognitionClient = tests.client;
  const ann = { person: "ann", detail: { Smile: { Value: true } } };
  const image = await tests.declareAnswer({ faces: [ann] });
  const bytes: Uint8Array = image.Bytes;
  // @ts-expect-error: a pattern has one name.
  await tests.declareAnswer({ faces: [] }, { bucket: "photos" });
  const answer = await tests.withFault(rule, () => client.send(new ListCollectionsCommand({})));
  const server = await startServer({ options: [`--s3=${bytes.length}`] });
  const session = await server.openSession({ maxAttempts: 1 });
  await session.close();
  await server.stop();
  return answer.CollectionIds;
}
