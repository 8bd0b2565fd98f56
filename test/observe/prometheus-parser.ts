/** A strict reader of the text format of Prometheus 0.0.4: takes only what is right, and knows the rules for names. */
export interface Family {
  name: string;
  type: "counter" | "gauge" | "histogram";
  help: string;
  samples: Sample[];
}

interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

/** By name. @throws what is wrong, and in which line */
export function parsePrometheus(text: string): Map<string, Family> {
  if (!text.endsWith("\n")) throw new Error("The last line must end with a line feed");
  const families = new Map<string, Family>();
  const series = new Set<string>();
  let family: Family | undefined;
  for (const line of text.slice(0, -1).split("\n")) {
    const fail = (why: string): never => {
      throw new Error(`${why}: ${line}`);
    };
    const help = /^# HELP ([a-z][a-z0-9_]*) ((?:[^\\]|\\\\|\\n)+)$/.exec(line);
    if (help !== null) {
      const [, name = "", words = ""] = help;
      if (families.has(name)) fail("A second time");
      family = { name, type: "gauge", help: words, samples: [] };
      families.set(name, family);
      continue;
    }
    const type = /^# TYPE ([a-z][a-z0-9_]*) (counter|gauge|histogram)$/.exec(line);
    if (type !== null) {
      if (family === undefined || type[1] !== family.name || family.samples.length > 0) fail("TYPE comes after HELP");
      family!.type = type[2] as Family["type"];
      continue;
    }
    const sample = parseSample(line) ?? fail("Not a sample");
    if (family === undefined) fail("A sample before HELP");
    const suffix = sample.name.slice(family!.name.length);
    const suffixes = family!.type === "histogram" ? ["_bucket", "_sum", "_count"] : [""];
    if (!sample.name.startsWith(family!.name) || !suffixes.includes(suffix)) fail("Not of this family");
    const key = seriesKey(sample.name, sample.labels);
    if (series.has(key)) fail("The same series twice");
    series.add(key);
    family!.samples.push(sample);
  }
  for (const each of families.values()) checkFamily(each);
  return families;
}

/** The value of the only sample with these labels, and no others. */
export function valueOf(
  families: ReadonlyMap<string, Family>,
  name: string,
  labels: Record<string, string> = {},
): number {
  const samples = [...families.values()].flatMap((family) => family.samples);
  const key = seriesKey(name, labels);
  const found = samples.find((sample) => seriesKey(sample.name, sample.labels) === key);
  if (found === undefined) throw new Error(`There is no sample ${key}`);
  return found.value;
}

function seriesKey(name: string, labels: Record<string, string>): string {
  const sorted = Object.keys(labels)
    .sort()
    .map((key) => [key, labels[key]]);
  return `${name} ${JSON.stringify(sorted)}`;
}

function parseSample(line: string): Sample | undefined {
  const match = /^([a-z][a-z0-9_]*)(?:\{(.*)\})? (\+Inf|-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)$/s.exec(line);
  if (match === null) return undefined;
  const [, name = "", inner = "", number = ""] = match;
  const labels: Record<string, string> = {};
  let rest = inner;
  while (rest !== "") {
    const label = /^([a-z][a-z0-9_]*)="((?:[^"\\\n]|\\\\|\\"|\\n)*)"(?:,|$)/.exec(rest);
    const [whole = "", key = "", value = ""] = label ?? [];
    if (label === null || key in labels) return undefined;
    labels[key] = value.replaceAll(/\\(.)/g, (_, escaped: string) => (escaped === "n" ? "\n" : escaped));
    rest = rest.slice(whole.length);
  }
  return { name, labels, value: number === "+Inf" ? Infinity : Number(number) };
}

/** What `promtool check metrics` would say. */
function checkFamily({ name, type, samples }: Family): void {
  const fail = (why: string): never => {
    throw new Error(`${name}: ${why}`);
  };
  if (samples.length === 0) fail("no samples");
  if ((type === "counter") !== name.endsWith("_total")) fail("_total is for counters, and for all of them");
  if (type !== "histogram" && /_(count|sum|bucket)$/.test(name)) fail("a suffix that is a histogram's");
  if (/(^|_)(ms|milliseconds|kb|mb|kilobytes|gauge|counter|histogram)(_|$)/.test(name)) fail("its unit or its type");
  if (type === "counter" && samples.some(({ value }) => !(value >= 0))) fail("a counter below 0");
  if (type === "histogram") checkHistogram(samples, fail);
}

function checkHistogram(samples: readonly Sample[], fail: (why: string) => never): void {
  const groups = new Map<string, { bounds: number[]; counts: number[]; sum?: number; count?: number }>();
  for (const { name, labels, value } of samples) {
    const { le, ...others } = labels;
    const key = JSON.stringify(others);
    const group = groups.get(key) ?? { bounds: [], counts: [] };
    groups.set(key, group);
    if (name.endsWith("_bucket")) {
      group.bounds.push(le === "+Inf" ? Infinity : Number(le));
      group.counts.push(value);
    } else if (name.endsWith("_sum")) group.sum = value;
    else group.count = value;
  }
  const isRising = (values: number[]): boolean =>
    values.every((value, index) => index === 0 || values[index - 1]! <= value);
  for (const { bounds, counts, sum, count } of groups.values()) {
    if (bounds.at(-1) !== Infinity || !isRising(bounds) || !isRising(counts)) fail("buckets are not right");
    if (sum === undefined || count !== counts.at(-1)) fail("its sum or count is not right");
  }
}
