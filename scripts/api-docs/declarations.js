import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseSync } from "rolldown/utils";

/** @typedef {{ name: string, signature: string, comment: string | undefined }} Member */
/**
 * @typedef {object} Declaration
 * @property {string} name
 * @property {"class" | "interface" | "function" | "type" | "value"} kind
 * @property {string} signature
 * @property {string | undefined} comment
 * @property {Member[]} members
 * @property {() => Declaration[]} uses What of this package it names.
 */
/** @typedef {Record<string, any> & { type: string, start: number, end: number }} Node An ESTree node, with TypeScript's. */

/** The declarations of a built package. */
export class Declarations {
  /** @type {Map<string, Module>} */
  #modules = new Map();

  /**
   * What a file exports, and the comment at its top.
   *
   * @param {string} path
   */
  entryPoint(path) {
    const module = this.#module(path);
    return {
      comment: module.comment,
      exports: [...module.exports.keys()].flatMap((name) => this.#find(path, name) ?? []),
    };
  }

  /** @param {string} path */
  #module(path) {
    const module = this.#modules.get(path) ?? new Module(path, (name) => this.#find(path, name, true));
    this.#modules.set(path, module);
    return module;
  }

  /**
   * @param {string} path @param {string} name @param {boolean} [isLocal] Named as within the file, not as by its importers.
   * @returns {Declaration | undefined} Undefined for what is not of this package.
   */
  #find(path, name, isLocal = false) {
    const module = this.#module(path);
    const local = isLocal ? name : module.exports.get(name);
    if (local === undefined) return undefined;
    if (typeof local !== "string") return this.#find(local.path, local.name);
    const imported = module.imports.get(local);
    return module.declarations.get(local) ?? (imported && this.#find(imported.path, imported.name));
  }
}

/** A file with declarations. */
class Module {
  /** @type {Map<string, Declaration>} */
  declarations = new Map();
  /** What a local name is elsewhere. @type {Map<string, { path: string, name: string }>} */
  imports = new Map();
  /** The local name of what is exported, or what it is elsewhere. @type {Map<string, string | { path: string, name: string }>} */
  exports = new Map();
  /** @type {string | undefined} */
  comment;
  #text;
  /** @type {{ value: string, start: number, end: number }[]} */
  #comments;
  #find;

  /** @param {string} path @param {(name: string) => Declaration | undefined} find */
  constructor(path, find) {
    this.#text = readFileSync(path, "utf8");
    this.#find = find;
    const { program, comments } = parseSync(path, this.#text, { lang: "dts" });
    this.#comments = comments.filter(({ value }) => value.startsWith("*"));
    this.comment = this.#comments.find(({ start }) => start === 0)?.value;
    const elsewhere = (/** @type {Node} */ { source }, /** @type {string} */ name) => ({
      path: join(dirname(path), source.value.replace(/\.(ts|js)$/, ".d.ts")),
      name,
    });
    for (const node of /** @type {Node[]} */ (/** @type {unknown} */ (program.body))) {
      if (node.type === "ImportDeclaration" && node["source"].value.startsWith(".")) {
        for (const { local, imported } of node["specifiers"]) {
          if (imported) this.imports.set(local.name, elsewhere(node, imported.name));
        }
      } else if (node.type === "ExportNamedDeclaration" && node["declaration"] === null) {
        for (const { local, exported } of node["specifiers"]) {
          this.exports.set(exported.name, node["source"] ? elsewhere(node, local.name) : local.name);
        }
      } else if (node.type === "ExportNamedDeclaration") {
        for (const name of this.#declare(node, node["declaration"])) this.exports.set(name, name);
      } else {
        this.#declare(node, node);
      }
    }
  }

  /**
   * @param {Node} statement @param {Node} node The declaration in it.
   * @returns {string[]} what it declares
   */
  #declare(statement, node) {
    const kind = kinds[node.type];
    if (kind === undefined) return [];
    const name = (node["id"] ?? node["declarations"][0].id).name;
    const body = node["body"]?.body;
    const end = body === undefined ? statement.end : node["body"].start;
    const signature = (kind === "type" ? this.#text.slice(node.start, end) : this.#code(node.start, end)).replace(
      /^declare /,
      "",
    );
    const overloaded = this.declarations.get(name);
    const members = (Array.isArray(body) ? body : []).filter(isPublic).map((member) => this.#member(member));
    this.declarations.set(name, {
      name,
      kind,
      signature: overloaded === undefined ? signature : `${overloaded.signature}\n${signature}`,
      comment: overloaded?.comment ?? this.#commentOf(statement),
      members: joined(members),
      uses: () => [...new Set(typeNames(node))].flatMap((used) => (used === name ? [] : (this.#find(used) ?? []))),
    });
    return [name];
  }

  /** @param {Node} node @returns {Member} */
  #member(node) {
    const key = node["key"];
    const name = key === undefined ? "constructor" : (key.name ?? key.value ?? this.#code(key.start, key.end));
    return { name, signature: this.#code(node.start, node.end), comment: this.#commentOf(node) };
  }

  /** The comment right before. @param {Node} node */
  #commentOf({ start }) {
    return this.#comments.find(({ end }) => end <= start && this.#text.slice(end, start).trim() === "")?.value;
  }

  /** The text without comments, and with as little indentation as can be. @param {number} start @param {number} end */
  #code(start, end) {
    const code = this.#text.slice(start, end).replaceAll(/\/\*\*[^]*?\*\/\s*/g, "");
    const column = start - (this.#text.lastIndexOf("\n", start) + 1);
    return code.replaceAll(new RegExp(`^ {${column}}`, "gm"), "").trimEnd();
  }
}

/** @type {Record<string, Declaration["kind"]>} */
const kinds = {
  ClassDeclaration: "class",
  TSInterfaceDeclaration: "interface",
  TSDeclareFunction: "function",
  TSTypeAliasDeclaration: "type",
  VariableDeclaration: "value",
};

/** @param {Node} member */
function isPublic({ accessibility, key }) {
  return accessibility !== "private" && key?.type !== "PrivateIdentifier";
}

/** Overloads are one member. @param {Member[]} members */
function joined(members) {
  /** @type {Map<string, Member>} */
  const byName = new Map();
  for (const member of members) {
    const first = byName.get(member.name);
    if (first === undefined) byName.set(member.name, member);
    else first.signature += `\n${member.signature}`;
  }
  return [...byName.values()];
}

/** The names of types, classes and values that a declaration mentions. @param {any} node @returns {string[]} */
function typeNames(node) {
  if (typeof node !== "object" || node === null) return [];
  if (!isPublic(node)) return [];
  const own = [node.typeName?.name, node.exprName?.name, node.superClass?.name, node.expression?.name];
  return [...own.filter((name) => name !== undefined), ...Object.values(node).flatMap(typeNames)];
}
