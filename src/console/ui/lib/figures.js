// Numbers as text, and what the measured figures of the pack say of a threshold.

const locale = "en-US";
const whole = new Intl.NumberFormat(locale);

export const count = (value) => (value == null ? "\u2013" : whole.format(value));
export const plural = (value, one, many = `${one}s`) =>
  `${count(value)} ${value === 1 ? one : many}`;
export const percent = (value, digits = 1) => (value == null ? "\u2013" : value.toFixed(digits));

/** A small expected number keeps two digits: 0.00081, 0.4, 12, 3,400. */
export function expected(value) {
  if (value == null) return "\u2013";
  if (value === 0) return "0";
  if (value < 10) return Number(value.toPrecision(2)).toString();
  return whole.format(Math.round(value));
}

export function milliseconds(value) {
  if (value == null) return "\u2013";
  if (value < 10) return `${value.toFixed(1)} ms`;
  return value < 1000 ? `${Math.round(value)} ms` : `${(value / 1000).toFixed(2)} s`;
}

export function bytes(value) {
  if (value == null) return "\u2013";
  const units = ["B", "kB", "MB", "GB", "TB"];
  let power = 0;
  let amount = value;
  while (amount >= 1000 && power < units.length - 1) {
    amount /= 1000;
    power += 1;
  }
  return `${power && amount < 100 ? amount.toFixed(1) : Math.round(amount)} ${units[power]}`;
}

/** AWS's timestamps are seconds; the server's own are RFC 3339. */
export function date(value) {
  const time = new Date(typeof value === "number" ? value * 1000 : value);
  return time.toLocaleString(locale, { dateStyle: "medium", timeStyle: "short" });
}

export function clock(value) {
  const time = new Date(value);
  const fraction = String(time.getMilliseconds()).padStart(3, "0");
  return `${time.toLocaleTimeString("en-GB")}.${fraction}`;
}

export function duration(seconds) {
  if (seconds == null) return "\u2013";
  /** @type {[number, string][]} */
  const units = [
    [86400, "d"],
    [3600, "h"],
    [60, "min"],
    [1, "s"],
  ];
  const start = units.findIndex(([length]) => seconds >= length);
  if (start < 0) return "0 s";
  const [length, unit] = units[start];
  const rest = units[start + 1];
  const more = rest ? Math.floor((seconds % length) / rest[0]) : 0;
  return `${Math.floor(seconds / length)} ${unit}${more ? ` ${more} ${rest[1]}` : ""}`;
}

/** The measured points: `{threshold, falseMatchRate, missRate}`, by threshold. */
export function measured(accuracy) {
  const points = [];
  for (const [name, value] of Object.entries(accuracy ?? {})) {
    const threshold = Number(name.match(/^false_match_rate_at_(\d+)$/)?.[1]);
    const missRate = accuracy[`miss_rate_at_${threshold}`];
    if (threshold && missRate != null) points.push({ threshold, falseMatchRate: value, missRate });
  }
  return points.sort((one, other) => one.threshold - other.threshold);
}

/** What a threshold means: rates between measured points, and on which side beyond them. */
export function cost(accuracy, threshold) {
  const points = measured(accuracy);
  if (points.length < 2) return null;
  const [first] = points;
  const last = points.at(-1);
  if (threshold < first.threshold) return { ...first, side: "below" };
  if (threshold >= last.threshold)
    return { ...last, side: threshold > last.threshold ? "above" : "at" };
  const above = points.findIndex((point) => point.threshold > threshold);
  const [low, high] = [points[above - 1], points[above]];
  const share = (threshold - low.threshold) / (high.threshold - low.threshold);
  const between = (from, to) => from + share * (to - from);
  return {
    threshold,
    side: "at",
    falseMatchRate: Math.exp(between(Math.log(low.falseMatchRate), Math.log(high.falseMatchRate))),
    missRate: between(low.missRate, high.missRate),
  };
}

/**
 * How pairs of one person and pairs of strangers spread over Similarity: their shares between the
 * measured thresholds, lowest first.
 */
export function histogram(accuracy) {
  const points = measured(accuracy);
  if (points.length < 2) return [];
  const edges = [
    { threshold: 0, falseMatchRate: 1, missRate: 0 },
    ...points,
    { threshold: 100, falseMatchRate: 0, missRate: 1 },
  ];
  return edges.slice(1).map((high, index) => {
    const low = edges[index];
    return {
      from: low.threshold,
      to: high.threshold,
      genuine: Math.max(0, high.missRate - low.missRate),
      impostor: Math.max(0, low.falseMatchRate - high.falseMatchRate),
    };
  });
}

/** The cosine behind a Similarity, from the points of the pack's calibration. */
export function cosineOf(calibration, similarity) {
  const { cosine, similarity: steps } = calibration ?? {};
  if (!cosine || !steps || similarity <= 0) return null;
  const above = steps.findIndex((step) => step >= similarity);
  if (above < 1) return cosine.at(-1);
  const share = (similarity - steps[above - 1]) / (steps[above] - steps[above - 1] || 1);
  return cosine[above - 1] + share * (cosine[above] - cosine[above - 1]);
}

/** Which requests a fault strikes. */
export function howOften({ probability, per_second, times, preset }) {
  const parts = [
    per_second != null && `beyond ${per_second} a second`,
    preset === "aws-quotas" && "beyond AWS’s quota",
    probability != null && `${Math.round(probability * 1000) / 10} %`,
    times != null && `${count(times)} times at most`,
  ].filter(Boolean);
  return parts.join(", ") || "always";
}

/** What a fault does to them. */
export function whatHappens({ error, latency_ms, jitter_ms, target }) {
  const wait = latency_ms || jitter_ms;
  const time = jitter_ms ? `${latency_ms}–${latency_ms + jitter_ms} ms` : `${latency_ms} ms`;
  const parts = [target === "s3" && "reading S3", wait ? `waits ${time}` : "", error].filter(
    Boolean,
  );
  return parts.join(", ");
}
