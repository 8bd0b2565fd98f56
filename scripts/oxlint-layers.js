/**
 * Lint rule `conec/layers`: who may import whom (docs/architecture.md, "Layers").
 *
 * It is a rule of our own because oxlint's `no-restricted-imports` compares the text of an import, cannot say
 * "nothing but", and does not see `import("…")` in types. This one resolves the path and looks it up in a table.
 */
import { isBuiltin } from "node:module";
import { posix, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

/**
 * One row a layer; the first whose `files` matches is the file's layer.
 *
 * - `files`: paths from the repository's root.
 * - `modules`: what of this repository it may import; default nothing.
 * - `packages`: what from outside; default everything.
 * - `node`: whether Node's own modules; default no.
 *
 * @typedef {{ name: string, files: RegExp, modules?: RegExp, packages?: RegExp, node?: boolean }} Layer
 * @type {Layer[]}
 */
const layers = [
  {
    name: "src/core",
    files: /^src\/core\//,
    modules: /^src\/(core|streams)\//,
    packages: /^$/,
  },
  {
    name: "src/streams",
    files: /^src\/streams\//,
    modules: /^src\/(streams\/|core\/(errors|transport)\.ts$)/,
    packages: /^$/,
  },
  {
    name: "src/browser.ts",
    files: /^src\/browser\.ts$/,
    modules: /^src\/(core\/|streams\/|transports\/webtransport\/|index\.ts$)/,
    packages: /^$/,
  },
  { name: "src/polyfill", files: /^src\/polyfill\//, modules: /^src\/(polyfill|streams)\//, packages: /^$/ },
  {
    name: "src (entry points)",
    files: /^src\/[^/]+$/,
    modules: /^src\/(core|streams)\/|^src\/[^/]+$/,
    packages: /^$/,
  },
  // The transports that run anywhere, and those for Node. Each may also import its own folder; of that, what is in a folder
  // `node` is for Node (see `check`).
  {
    name: "a portable transport",
    files: /^src\/transports\/(memory|webtransport|websocket(?!\/node))\//,
    modules: /^src\/(streams\/|core\/(errors|transport|close-info|key-pair|options)\.ts$)/,
    packages: /^$/,
  },
  {
    name: "conec/websocket in Node",
    files: /^src\/transports\/websocket\/node\//,
    // Certificates and admission are those of QUIC.
    modules:
      /^src\/(streams\/|core\/(errors|transport|close-info|options|token-bucket)\.ts$|transports\/quic\/(pem|server-identity|server-certificate)\.ts$)/,
    packages: /^ws$/,
    node: true,
  },
  {
    name: "conec/webtransport-server",
    files: /^src\/transports\/webtransport-server\//,
    // A session is the same thing at both ends, and so is a certificate.
    modules:
      /^src\/(streams\/|core\/(errors|transport|close-info|options)\.ts$|transports\/(webtransport\/|quic\/server-certificate\.ts$))/,
    packages: /^$/,
    node: true,
  },
  {
    name: "a transport",
    files: /^src\/transports\//,
    modules: /^src\/(streams\/|core\/(errors|transport|close-info|key-pair|options|source-of|token-bucket)\.ts$)/,
    packages: /^(?!conec(\/|$))/,
    node: true,
  },
  {
    name: "src/supervisor",
    files: /^src\/supervisor\//,
    modules: /^src\/(supervisor\/|core\/errors\.ts$)/,
    packages: /^$/,
    node: true,
  },
  {
    name: "src/observe/opentelemetry",
    files: /^src\/observe\/opentelemetry\//,
    // Runs in browsers, too: of src/observe only what says what there is to measure.
    modules: /^src\/(observe\/(opentelemetry\/|(event-metrics|metric|read-state|state-metrics)\.ts$)|index\.ts$)/,
    packages: /^@opentelemetry\/api$/,
  },
  {
    name: "src/observe",
    files: /^src\/observe\//,
    // As a program of somebody else's would.
    modules: /^src\/(observe\/(?!opentelemetry)|index\.ts$)/,
    packages: /^$/,
    node: true,
  },
  {
    name: "src/cli",
    files: /^src\/cli\//,
    // As a program of somebody else's would: only what has an entry point.
    modules:
      /^src\/(cli\/|index\.ts$|(observe|supervisor)\/index\.ts$|transports\/(memory|quic|webtransport|webtransport-server|websocket\/node)\/index\.ts$)/,
    packages: /^valibot$/,
    node: true,
  },
  // Networks under control are for tests and for the benchmark alike, and plain JavaScript for that.
  { name: "bench", files: /^bench\//, modules: /^(bench|test\/support\/network)\//, node: true },
  {
    name: "test/support/network",
    files: /^test\/support\/network\//,
    modules: /^test\/support\/(network\/|debian-packages\.js$)/,
    packages: /^$/,
    node: true,
  },
  { name: "examples", files: /^examples\//, modules: /^examples\//, node: true },
  { name: "anything else in src", files: /^src\//, packages: /^$/ },
];

const root = fileURLToPath(new URL("..", import.meta.url));

/**
 * @param {string} file Path of the importing file, from the repository's root.
 * @param {string} specifier What it imports, as written.
 * @returns {string | undefined} What is wrong with it.
 */
function check(file, specifier) {
  const layer = layers.find((candidate) => candidate.files.test(file));
  if (!layer) return undefined;
  if (isBuiltin(specifier)) return layer.node ? undefined : `${layer.name} may not import Node's ${specifier}`;
  if (!/^[./]/.test(specifier)) {
    return !layer.packages || layer.packages.test(specifier)
      ? undefined
      : `${layer.name} may not import the package ${specifier}`;
  }
  const target = posix.join(posix.dirname(file), specifier);
  const own = /^src\/transports\/[^/]+\//.exec(file)?.[0];
  if (own && target.startsWith(own)) {
    const isForNode = target.startsWith(`${own}node/`);
    return isForNode && !layer.node ? `${layer.name} may not import ${target}, which is for Node` : undefined;
  }
  return layer.modules?.test(target) ? undefined : `${layer.name} may not import ${target}`;
}

/** @typedef {{ type: string, value?: unknown }} Source */
/** @typedef {{ type: string, source?: Source | null, expression?: Source }} ImportNode */
/** @typedef {{ type: string, value: string }} Comment */
/** @typedef {{ getAllComments(): Comment[] }} SourceCode */
/**
 * @typedef {object} Context
 * @property {string} filename
 * @property {SourceCode} sourceCode
 * @property {(problem: { node: object, message: string }) => void} report
 */

/** What the types in a JavaScript file's doc comments import: `import("…")`, and `@import { … } from "…"`. */
const importInComment = /\bimport\(\s*["']([^"']+)["']\s*\)|@import\b[^"']*["']([^"']+)["']/g;

const layersRule = {
  meta: { docs: { description: "Keeps to the layers: who may import whom" } },
  /** @param {Context} context */
  create(context) {
    const file = relative(root, context.filename).split(sep).join("/");
    /** @param {ImportNode} node */
    const visit = (node) => {
      const source = node.source ?? node.expression;
      if (!source) return; // `export { x }` of something local
      const problem =
        typeof source.value === "string"
          ? check(file, source.value)
          : file.startsWith("src/") && "an import in src must name its module in plain text, so that it can be checked";
      if (problem) context.report({ node, message: problem });
    };
    const visitComments = () => {
      if (!file.endsWith(".js")) return;
      for (const comment of context.sourceCode.getAllComments()) {
        for (const [, inType, inTag] of comment.value.matchAll(importInComment)) {
          const problem = check(file, inType ?? inTag ?? "");
          if (problem) context.report({ node: comment, message: problem });
        }
      }
    };
    return {
      Program: visitComments,
      ImportDeclaration: visit,
      ExportNamedDeclaration: visit,
      ExportAllDeclaration: visit,
      ImportExpression: visit,
      TSImportType: visit,
      TSExternalModuleReference: visit,
    };
  },
};

export default { meta: { name: "conec" }, rules: { layers: layersRule } };
