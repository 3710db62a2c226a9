/**
 * Random programs whose modules set up what they declare: declarations and statements that change them in turn, in two modules, of which the second changes what the
 * first declares. Tasks of the second name some of it all.
 */
import { Random } from "../../stress/program/random";

type Kind = "constant" | "variable" | "object" | "array" | "map" | "function" | "class" | "enum" | "namespace";

interface Thing {
  name: string;
  kind: Kind;
  isImported?: boolean;
}

/**
 * @param seed the same one gives the same program
 * @returns its files by their names; `second.ts` exports pairs of a function and the task that is made of it, which have to give the same
 */
export function moduleSetUp(seed: number): Record<string, string> {
  return new ModuleSetUp(seed).files();
}

class ModuleSetUp {
  private readonly random: Random;
  private things: Thing[] = [];
  private locals: string[] = [];
  private count = 0;
  private depth = 0;

  constructor(seed: number) {
    this.random = new Random(seed);
  }

  files(): Record<string, string> {
    const first = this.statements(10);
    const declared = this.things.map(({ name }) => name);
    const isNamespace = this.random.chance(0.5);
    // An import can't be assigned, only what it holds.
    this.things = this.things.map(({ name, kind }) => ({
      name: isNamespace ? `first.${name}` : name,
      kind: kind === "variable" ? "constant" : kind,
      isImported: true,
    }));
    const imported = isNamespace ? "* as first" : `{ ${declared.join(", ")} }`;
    const second = this.statements(5);
    const looks = Array.from({ length: 4 }, () => {
      const seen = Array.from({ length: this.random.int(1, 3) }, () => this.everythingOf(this.random.pick(this.things)));
      return `() => inspect([${seen.join(", ")}], { depth: 9 })`;
    });
    const names = looks.map((_, index) => `look${index}`);
    const tasks = [
      ...looks.map((look, index) => `const look${index} = ${look};`),
      `export const compared = [${names.map((name) => `[${name}, parallel(${name})] as const`).join(", ")}];`,
    ];
    const head = [`import { inspect } from "node:util";`, `import { parallel } from "makeparallel";`];
    return {
      "first.ts": [NUMBER, ...first, `export { ${declared.join(", ")} };`].join("\n"),
      "second.ts": [...head, `import ${imported} from "./first.js";`, NUMBER, ...second, ...tasks].join("\n"),
    };
  }

  /** Declarations, and statements that change what is declared. */
  private statements(count: number): string[] {
    const lines = [this.declaration(), this.declaration()];
    for (let i = 0; i < count; i++)
      lines.push(this.random.chance(0.4) ? this.declaration() : this.random.chance(0.6) ? this.change() : this.block());
    return lines;
  }

  private everythingOf({ name, kind }: Thing): string {
    if (kind === "function") return `${name}(3), ${name}.p`;
    if (kind === "class") return `new ${name}().own, ${name}.s, Object.keys(${name}.prototype)`;
    return kind === "namespace" ? `${name}.x, ${name}.get()` : name;
  }

  private fresh(prefix = "v"): string {
    return `${prefix}${this.count++}`;
  }

  private named(wanted: Kind): string | undefined {
    const found = this.things.filter(({ kind }) => kind === wanted);
    return found.length > 0 ? this.random.pick(found).name : undefined;
  }

  /** Calls on other modules' containers are left to their author, and a warning says so. */
  private own(wanted: Kind): string | undefined {
    const found = this.things.filter(({ kind, isImported }) => kind === wanted && !isImported);
    return found.length > 0 ? this.random.pick(found).name : undefined;
  }

  private key(): string {
    return this.random.pick(["a", "b", "c"]);
  }

  /** A number, whatever it is made of. */
  private value(depth = 0): string {
    const { random } = this;
    const choices = [String(random.int(1, 20)), ...this.locals];
    for (const { name, kind } of this.things) {
      if (kind === "constant" || kind === "variable") choices.push(name);
      if (kind === "object") choices.push(`${name}.${this.key()}`, `Object.keys(${name}).length`);
      if (kind === "array") choices.push(`${name}[${random.int(0, 2)}]`, `${name}.length`);
      if (kind === "map") choices.push(`${name}.get(${random.int(0, 2)})`, `${name}.size`);
      if (kind === "function") choices.push(`${name}(2)`, `${name}.p`);
      if (kind === "class") choices.push(`new ${name}().own`, `${name}.s`);
      if (kind === "enum") choices.push(`${name}.B`);
      if (kind === "namespace") choices.push(`${name}.x`, `${name}.get()`);
    }
    if (depth < 2)
      choices.push(`${this.value(depth + 1)} + ${this.value(depth + 1)}`, `(${this.value(depth + 1)} > 9 ? ${this.value(depth + 1)} : 4)`);
    return `number(${random.pick(choices)})`;
  }

  /** Something that can be assigned. */
  private place(): string | undefined {
    const choices = this.things.flatMap(({ name, kind }) => {
      if (kind === "variable") return [name];
      if (kind === "object") return [`${name}.${this.key()}`, `(${name} as any)["${this.key()}"]`];
      if (kind === "array") return [`${name}[${this.random.int(0, 3)}]`];
      if (kind === "function") return [`${name}.p`];
      return kind === "class" ? [`${name}.s`, `(${name}.prototype as any).z`] : [];
    });
    return choices.length > 0 ? this.random.pick(choices) : undefined;
  }

  private declaration(): string {
    const { random } = this;
    const name = this.fresh();
    const declare = (kind: Kind, text: string): string => {
      this.things.push({ name, kind });
      return text;
    };
    const value = this.value();
    const place = this.place();
    const object = this.named("object");
    switch (random.int(0, 14)) {
      case 0:
        return declare("constant", `const ${name} = ${value};`);
      case 1:
        return declare("variable", `let ${name}: any = ${value};`);
      case 2:
        return declare(
          "object",
          `const ${name}: any = { a: ${value}, b: ${this.value()}, get c() { return ${this.value()}; }, set c(_) {} };`,
        );
      case 3:
        return declare("array", `const ${name}: any[] = [${value}, ${this.value()}];`);
      case 4:
        return declare("map", `const ${name} = new Map<any, any>([[0, ${value}]]);`);
      case 5:
        return declare("function", `function ${name}(x: any): any { return x + ${value}; }\nnamespace ${name} { export let p: any; }`);
      case 6:
        return declare("function", `const ${name}: any = (x: any) => x + ${value};`);
      case 7: {
        const body = this.random.chance(0.5) ? `static { this.s = number(this.s) + 1; ${this.change()} }` : "";
        return declare("class", `class ${name} { static s: any = ${value}; own = ${this.value()}; ${body} }`);
      }
      case 8:
        return declare("enum", `enum ${name} { A = ${random.int(1, 9)}, B = A << 2 }\nenum ${name} { C = ${name}.A + 1 }`);
      case 9: {
        const text = `namespace ${name} { export let x = ${value}; const hidden = x + 1; export const get = () => number(x + hidden); x += 2; ${this.change()} }`;
        return declare("namespace", text);
      }
      case 10:
        return declare("constant", `const ${name} = (() => { ${this.change()} return ${value}; })();`);
      case 11:
        return declare("constant", place ? `const ${name} = (${place} = ${value});` : `const ${name} = 1;`);
      case 12:
        return declare("object", object ? `const { a: ${name}a, ...${name} }: any = ${object};` : `const ${name}: any = {};`);
      case 13:
        return declare("array", `const [${name}a = ${value}, ...${name}]: any[] = [1, ${this.value()}, 3];`);
      default:
        return declare("object", `const ${name}: any = new (class { a = ${value}; b = number(this.a) + ${this.value()}; })();`);
    }
  }

  /** A statement that changes something. */
  private change(): string {
    const { random } = this;
    const [place, other] = [this.place(), this.place()];
    const [object, array, map] = [this.named("object"), this.own("array"), this.own("map")];
    const choices: string[] = [];
    if (place) {
      choices.push(
        `${place} = ${this.value()};`,
        `${place} += ${this.value()};`,
        `${place} ??= ${this.value()};`,
        `${place} = ${other} = ${this.value()};`,
      );
      choices.push(`[${place}, ${other}] = [${this.value()}, 2];`, `({ a: ${place}, b: ${other} = 3 } = { a: ${this.value()} } as any);`);
      choices.push(`${this.value()} > 9 && (${place} = 7);`, `for (${place} of [${this.value()}, 5]) ${other} = 6;`);
    }
    if (object) choices.push(`delete ${object}.${this.key()};`, `Object.assign(${object}, { ${this.key()}: ${this.value()} });`);
    if (array) choices.push(`${array}.push(${this.value()});`, `${array}.splice(0, 1);`);
    if (map) choices.push(`${map}.set(${random.int(0, 2)}, ${this.value()});`, `${map}.delete(0);`);
    return choices.length > 0 ? random.pick(choices) : ";";
  }
  private block(): string {
    if (this.depth > 1) return this.change();
    this.depth++;
    const local = this.fresh("t");
    const body = (): string =>
      Array.from({ length: this.random.int(1, 2) }, () => (this.random.chance(0.8) ? this.change() : this.block())).join(" ");
    const bodyWithLocal = (): string => {
      this.locals.push(local);
      const text = body();
      this.locals.pop();
      return text;
    };
    const shapes = [
      () => `if (${this.value()} > 7) { ${body()} } else { ${body()} }`,
      () => `for (const ${local} of [${this.value()}, 2]) { ${bodyWithLocal()} }`,
      () => `{ let ${local} = ${this.value()}; ${bodyWithLocal()} }`,
      () => `try { ${body()} if (${this.value()} > 3) throw new Error("thrown"); ${body()} } catch { ${body()} } finally { ${body()} }`,
      () => `switch (${this.value()} % 3) { case 0: ${body()} break; case 1: ${body()} default: ${body()} }`,
      () =>
        `outer${local}: for (let ${local} = 0; ${local} < 3; ${local}++) for (;;) { ${bodyWithLocal()} if (${local} > 1) break outer${local}; continue outer${local}; }`,
      () => `(() => { ${body()} })();`,
      () => `(function (${local} = ${this.value()}) { ${bodyWithLocal()} }).call(undefined);`,
      () => `[${this.value()}, 2].forEach((${local}) => { ${bodyWithLocal()} });`,
      () => `new (class { constructor() { ${body()} } })();`,
      () => `(class { static { ${body()} } });`,
    ];
    const text = this.random.pick(shapes)();
    this.depth--;
    return text;
  }
}

const NUMBER = `const number = (value: any): number => (typeof value === "number" && value === value ? value % 1000 : 0);`;
