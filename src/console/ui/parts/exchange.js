// What went over the wire, and the same call as code.

import { html, useState } from "../lib/html.js";
import { Bytes, show } from "../lib/aws.js";
import { milliseconds } from "../lib/figures.js";
import { accessKey, facts, region } from "../lib/state.js";
import { Copy, Segments } from "./basics.js";
import { declaredTest, hasImages, pytest, python, snake } from "./python.js";

const languages = [
  ["cli", "AWS CLI"],
  ["python", "boto3"],
  ["javascript", "JavaScript"],
  ["java", "Java"],
  ["go", "Go"],
];

const kinds = [["answer", "Response"], ["request", "Request"], ...languages, ["test", "pytest"]];
const declared = ["declared", "pytest, declared"];

/** Whom copied code calls. */
export const here = () => ({
  endpoint: location.origin,
  region: region.value,
  accessKey: accessKey.value,
  verify: facts.value.verify,
});

/** `exchange` is what `call` returned, or the error that it threw. */
export function Exchange({ exchange, title = "The call" }) {
  const [kind, setKind] = useState("answer");
  if (!exchange?.operation) return null;
  const { operation, input, output, status, requestId } = exchange;
  const options = hasImages(operation) ? [...kinds, declared] : kinds;
  const text = () => {
    if (kind === "answer") return show(output);
    if (kind === "request") return show(input);
    if (kind === "declared" && hasImages(operation)) return declaredTest(exchange);
    if (kind === "declared" || kind === "test") return pytest(exchange, here());
    return snippet(kind, operation, input, here());
  };
  return html`<section class="card" aria-label=${title}>
    <div class="stack">
      <div class="row spread">
        <h2>${operation}</h2>
        <div class="row small muted number">
          <span class=${status < 400 ? "tag good" : "tag bad"}>${status}</span>
          ${milliseconds(exchange.milliseconds)}
          ${requestId && html`<span class="mono" title="Request id">${requestId.slice(0, 8)}</span>`}
        </div>
      </div>
      <div>
        <${Segments} label="Show the call as" value=${kind} options=${options} onChange=${setKind} />
      </div>
      <div class="code">
        <${Copy} text=${text} />
        <pre tabindex="0" aria-label=${`${operation} as ${kind}`}>${text()}</pre>
      </div>
    </div>
  </section>`;
}

const kebab = (name) => snake(name).replaceAll("_", "-");
const lower = (name) => name[0].toLowerCase() + name.slice(1);
const quote = (text) => JSON.stringify(String(text));
const shell = (text) => (/^[\w./:@=-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);
const isMap = (value) => value && typeof value === "object" && !(value instanceof Bytes);
const isImage = (value) => isMap(value) && value.Bytes instanceof Bytes;
/** Members that AWS types as floats; JSON does not tell 80 from 80.0. */
const FLOATS = /Threshold$/;

/** `to` is `{endpoint, region, accessKey, verify}`. */
function snippet(language, operation, input, to) {
  return { cli, python, javascript, java, go }[language](operation, input, to);
}

const secret = ({ verify }) => (verify ? "…" : "any");

function cli(operation, input, to) {
  const flags = Object.entries(input).map(([name, value]) => {
    if (isImage(value)) {
      const flag = name === "Image" ? "image-bytes" : `${kebab(name)}-bytes`;
      return `--${flag} fileb://${shell(value.Bytes.name)}`;
    }
    const flag = `--${kebab(name)}`;
    if (Array.isArray(value)) return `${flag} ${value.map(String).map(shell).join(" ")}`;
    if (isMap(value)) {
      const pairs = Object.entries(value).map(([key, item]) => shell(`${key}=${item}`));
      return `${flag} ${pairs.join(",")}`;
    }
    return `${flag} ${shell(String(value))}`;
  });
  return [
    `AWS_ENDPOINT_URL_REKOGNITION=${to.endpoint} AWS_DEFAULT_REGION=${to.region}`,
    `AWS_ACCESS_KEY_ID=${to.accessKey} AWS_SECRET_ACCESS_KEY=${secret(to)}`,
    "",
    [`aws rekognition ${kebab(operation)}`, ...flags].join(" \\\n    "),
  ].join("\n");
}

function javascript(operation, input, to) {
  const literal = (value, depth) => {
    if (value instanceof Bytes) return `readFileSync(${quote(value.name)})`;
    if (Array.isArray(value)) return `[${value.map((item) => literal(item, depth)).join(", ")}]`;
    if (!isMap(value)) return JSON.stringify(value);
    const space = "  ".repeat(depth + 1);
    const key = (name) => (/^\w+$/.test(name) ? name : quote(name));
    const members = Object.entries(value).map(
      ([name, item]) => `${space}${key(name)}: ${literal(item, depth + 1)},\n`,
    );
    return members.length ? `{\n${members.join("")}${"  ".repeat(depth)}}` : "{}";
  };
  return `import { readFileSync } from "node:fs";
import { RekognitionClient, ${operation}Command } from "@aws-sdk/client-rekognition";

const client = new RekognitionClient({
  endpoint: "${to.endpoint}",
  region: "${to.region}",
  credentials: { accessKeyId: "${to.accessKey}", secretAccessKey: "${secret(to)}" },
});
const answer = await client.send(new ${operation}Command(${literal(input, 0)}));
console.log(answer);`;
}

function java(operation, input, to) {
  const enums = {
    Attributes: "attributesWithStrings",
    DetectionAttributes: "detectionAttributesWithStrings",
  };
  const argument = (name, value) => {
    if (isImage(value)) {
      return `i -> i.bytes(${variable(value.Bytes.name)})`;
    }
    if (Array.isArray(value)) return value.map(quote).join(", ");
    if (isMap(value)) {
      return `Map.of(${Object.entries(value).flat().map(quote).join(", ")})`;
    }
    if (typeof value === "number") return FLOATS.test(name) ? `${value}f` : String(value);
    return quote(value);
  };
  const calls = Object.entries(input).map(
    ([name, value]) => `\n    .${enums[name] ?? lower(name)}(${argument(name, value)})`,
  );
  return `// software.amazon.awssdk:rekognition 2.x
var rekognition = RekognitionClient.builder()
    .endpointOverride(URI.create("${to.endpoint}"))
    .region(Region.of("${to.region}"))
    .credentialsProvider(StaticCredentialsProvider.create(
        AwsBasicCredentials.create("${to.accessKey}", "${secret(to)}")))
    .build();
${javaImages(input)}var answer = rekognition.${lower(operation)}(r -> r${calls.join("")});
System.out.println(answer);`;
}

const variable = (file) => {
  const words = file
    .replace(/\.\w+$/, "")
    .split(/\W+/)
    .filter(Boolean);
  const [first, ...rest] = words;
  return [first.toLowerCase(), ...rest.map((word) => word[0].toUpperCase() + word.slice(1))]
    .join("")
    .replace(/^(?=\d)/, "picture");
};

const javaImages = (input) =>
  Object.values(input)
    .filter(isImage)
    .map(
      ({ Bytes: { name } }) =>
        `var ${variable(name)} = SdkBytes.fromByteArray(Files.readAllBytes(Path.of(${quote(name)})));\n`,
    )
    .join("");

function go(operation, input, to) {
  const files = Object.entries(input).filter(([, value]) => isImage(value));
  const enums = {
    Attributes: "Attribute",
    DetectionAttributes: "Attribute",
    QualityFilter: "QualityFilter",
  };
  const value = (name, item) => {
    if (isImage(item)) return `&types.Image{Bytes: ${variable(item.Bytes.name)}}`;
    if (Array.isArray(item)) {
      const type = enums[name] ? `types.${enums[name]}` : "string";
      return `[]${type}{${item.map(quote).join(", ")}}`;
    }
    if (isMap(item)) {
      return `map[string]string{${Object.entries(item)
        .map((pair) => pair.map(quote).join(": "))
        .join(", ")}}`;
    }
    if (enums[name]) return `types.${enums[name]}(${quote(item)})`;
    if (typeof item === "number")
      return FLOATS.test(name) ? `aws.Float32(${item})` : `aws.Int32(${item})`;
    return `aws.String(${quote(item)})`;
  };
  const reads = files.map(
    ([
      ,
      {
        Bytes: { name },
      },
    ]) => `${variable(name)}, err := os.ReadFile(${quote(name)})
if err != nil {
	log.Fatal(err)
}
`,
  );
  const members = Object.entries(input).map(([name, item]) => `\t${name}: ${value(name, item)},`);
  return `// github.com/aws/aws-sdk-go-v2/service/rekognition
client := rekognition.New(rekognition.Options{
	BaseEndpoint: aws.String("${to.endpoint}"),
	Region:       "${to.region}",
	Credentials:  credentials.NewStaticCredentialsProvider("${to.accessKey}", "${secret(to)}", ""),
})
${reads.join("")}answer, err := client.${operation}(context.TODO(), &rekognition.${operation}Input{
${members.join("\n")}
})
if err != nil {
	log.Fatal(err)
}
fmt.Printf("%+v\\n", answer)`;
}
