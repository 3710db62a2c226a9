// Generated from catalogue.md by scripts/generate-diagnostics.mjs. Do not edit.

export interface CatalogueEntry {
  readonly severity: "error" | "warning" | "note";
  readonly title: string;
  readonly message: string;
  readonly fix: string;
  readonly why: string;
  readonly example: string;
}

/** Values that a code's texts need. */
export interface DiagnosticParameters {
  MP1001: { reason: string };
  MP1002: { text: string };
  MP1003: { text: string };
  MP1004: { task: string; name: string };
  MP1005: { task: string; name: string };
  MP1006: { task: string; what: string; name: string; where: string; or: string };
  MP1007: { task: string; name: string; reason: string };
  MP1008: { task: string; what: string };
  MP1009: { task: string };
  MP1010: { task: string; name: string };
  MP1011: { task: string; name: string };
  MP1012: { task: string; name: string };
  MP1013: { what: string };
  MP1014: { task: string };
  MP1015: { task: string; what: string };
  MP1016: { task: string };
  MP1017: { task: string };
  MP1018: { task: string; name: string };
  MP1019: { task: string; name: string; specifier: string };
  MP2001: { task: string; name: string };
  MP2002: { task: string; name: string };
  MP2003: { call: string; task: string; name: string };
  MP2004: { name: string; task: string };
  MP2005: { task: string; name: string };
  MP2006: { task: string; name: string };
  MP2007: { what: string };
  MP2008: { task: string; name: string; what: string };
  MP2009: { task: string; specifier: string; file: string };
  MP3001: { specifier: string };
  MP3002: { target: string };
}

export type DiagnosticCode = keyof DiagnosticParameters;

export const CATALOGUE: Record<DiagnosticCode, CatalogueEntry> = {
  MP1001: {
    severity: "error",
    title: "Not a function that can be hoisted",
    message: "`parallel` needs a function, but {reason}",
    fix: "Pass a function expression, an arrow function, or the name of a function that this module declares or imports. What a call returns gets a name at the top level first: `const inner = make(); const f = parallel((x) => inner(x));`.",
    why: "The function's code is moved into a worker chunk when the program is built, so the transformer must see which function it is.",
    example: "const run = (callback: () => number) => parallel(callback); // which function is only known when it runs\n",
  },
  MP1002: {
    severity: "error",
    title: "Mark used as a value",
    message: "`{text}` must be called, or stand as a decorator, right where the function is",
    fix: "Call `parallel(...)` with the function itself instead of passing the mark around.",
    why: "The transformer looks for the mark at build time. A copy of it in a variable can't be followed.",
    example: "const mark = parallel;\nexport const f = mark(() => 1);\n",
  },
  MP1003: {
    severity: "error",
    title: "Wrong arguments",
    message: "`{text}` takes a function, or options and a function, written out as arguments",
    fix: "Write `parallel(fn)` or `parallel(options, fn)`, without spread.",
    why: "",
    example: "export const f = parallel(...parts);\n",
  },
  MP1004: {
    severity: "error",
    title: "Captured variable is assigned",
    message: "`{task}` captures `{name}`, which is assigned again after its declaration",
    fix: "Copy its value into a `const` right before the function, or pass it as an argument.",
    why: "A captured variable travels by value when the call is made. The function could not see a later assignment, so its meaning would change silently.",
    example: "function scale(factor: number) {\n  factor = factor || 1;\n  return parallel((x: number) => x * factor);\n}\n",
  },
  MP1005: {
    severity: "error",
    title: "Task assigns a captured variable",
    message: "`{task}` assigns to `{name}`, a variable of the function around it",
    fix: "Return the new value from the function and assign it where the result arrives.",
    why: "The function runs in another thread on a copy. The assignment could never reach the original.",
    example: "let count = 0;\nlist.forEach(() =>\n  parallel(() => {\n    count++;\n  }),\n);\n",
  },
  MP1006: {
    severity: "error",
    title: "Captured class or enum",
    message: "`{task}` uses the {what} `{name}`, which {where}",
    fix: "Move `{name}` to the top level of the module{or}.",
    why: "A class inside a function is a new class each time that the function runs. A worker would have another one than the caller. One inside a namespace is reached through the namespace, which has to export it.",
    example: "function f() {\n  class Point {}\n  return parallel(() => new Point());\n}\n",
  },
  MP1007: {
    severity: "error",
    title: "Captured local function can't be hoisted",
    message: "`{task}` uses the local function `{name}`, which can't be hoisted along: {reason}",
    fix: "Move `{name}` to the top level of the module, or pass what it needs as parameters.",
    why: "A local function that a task uses moves into the worker together with it, so the same rules hold for it.",
    example: "function f() {\n  let calls = 0;\n  const next = () => ++calls;\n  return parallel(() => next());\n}\n",
  },
  MP1008: {
    severity: "error",
    title: "Captured `arguments`, `super` or `new.target`",
    message: "`{task}` uses `{what}` of the function around it",
    fix: "Read what is needed into a `const` outside and use that.",
    why: "They belong to one call of the enclosing function and have no value that could travel.",
    example: "function f() {\n  return parallel(() => arguments.length);\n}\n",
  },
  MP1009: {
    severity: "error",
    title: "Captured `this` is a class",
    message: "in `{task}`, `this` is the class itself",
    fix: "Write the class's name instead of `this`.",
    why: "A class can't travel as a value; by its name, the worker's own copy is used.",
    example: "class Config {\n  static limit = 10;\n  static check = parallel((n: number) => n < this.limit);\n}\n",
  },
  MP1010: {
    severity: "error",
    title: "Task assigns a module's variable",
    message: "`{task}` assigns to `{name}`, a variable of the module",
    fix: "Return the new value and assign it where the result arrives. Where each worker may keep one of its own (a cache), assign it in a function that the task calls.",
    why: "Every worker has its own copy of the module's variables. The program would never see the assignment.",
    example: "let total = 0;\nexport const add = parallel((n: number) => {\n  total += n;\n});\n",
  },
  MP1011: {
    severity: "error",
    title: "Task changes a module's object",
    message: "`{task}` changes `{name}`, an object of the module",
    fix: "Return what should be added and change `{name}` where the result arrives, or pass shared memory as an argument. Where each worker may use one of its own (a parser, a scratch buffer), create it in the task, or change it in a function that the task calls.",
    why: "Every worker has its own copy of the module's objects. The program would never see the change.",
    example: "const results: number[] = [];\nexport const run = parallel((n: number) => {\n  results.push(n * n);\n});\n",
  },
  MP1012: {
    severity: "error",
    title: "Task assigns to its instance",
    message: "`{task}` assigns to `this.{name}`",
    fix: "Return the new value and assign it where the result arrives.",
    why: "The instance travels as a copy. The original would not change.",
    example: "class Counter {\n  count = 0;\n  @parallel async add(n: number) {\n    this.count += n;\n  }\n}\n",
  },
  MP1013: {
    severity: "error",
    title: "Mark in the wrong place",
    message: "`@parallel` can't mark {what}",
    fix: "Mark a method, or wrap a function with `parallel(...)`.",
    why: "Constructors, accessors, fields and classes are used without a call that could return a handle.",
    example: "class C {\n  @parallel get size() {\n    return 1;\n  }\n}\n",
  },
  MP1014: {
    severity: "error",
    title: "Result is not a promise",
    message: "`{task}` is neither `async` nor declared to return a `Promise` or an `AsyncHandle`",
    fix: "Make it `async`, or write the return type `AsyncHandle<...>` and return `AsyncHandle.of(value)`.",
    why: "Callers get a handle from the stub. Without one of these the type that they see would be wrong.",
    example: "/** @parallel */\nexport function fibonacci(n: number): number {\n  return n;\n}\n",
  },
  MP1015: {
    severity: "error",
    title: "Code that can't be moved",
    message: "`{task}` contains {what}",
    fix: "Rewrite it without {what}.",
    why: "What such code refers to is only known when it runs, so it can't be cut out of its surroundings.",
    example: "export const run = parallel((code: string) => eval(code));\n",
  },
  MP1016: {
    severity: "error",
    title: "Class inside a function",
    message: "`{task}` is a method of a class that is declared inside a function",
    fix: "Move the class to the top level of the module.",
    why: "The worker needs the class itself, and one inside a function is a new class each time that the function runs.",
    example: "function make() {\n  return class {\n    @parallel async run() {\n      return 1;\n    }\n  };\n}\n",
  },
  MP1017: {
    severity: "error",
    title: "Method without a fixed name",
    message: "the name of `{task}` is computed, and can't be known in the worker",
    fix: "Give the method a name, or a well-known symbol.",
    why: "",
    example: "class C {\n  @parallel async [nextName()]() {}\n}\n",
  },
  MP1018: {
    severity: "error",
    title: "Private name of a class inside a function",
    message: "`{task}` uses the private name `{name}` of a class that is declared inside a function",
    fix: "Move the class to the top level of the module.",
    why: "Code that uses private names must stay inside the class, and a class inside a function is a new class each time that the function runs.",
    example: "function make() {\n  return class {\n    #x = 1;\n    read() {\n      return parallel(() => this.#x);\n    }\n  };\n}\n",
  },
  MP1019: {
    severity: "error",
    title: "Import of something that is not exported",
    message: "{task} uses `{name}`, which \"{specifier}\" does not export",
    fix: "Export it there, or correct the import.",
    why: "In the worker it would be undefined for good. TypeScript says so too, but writes its output all the same, and with `isolatedModules` or esbuild nobody else looks.",
    example: "import { area } from \"./shapes\"; // has no `area`\nexport const f = parallel((side: number) => area(side));\n",
  },
  MP2001: {
    severity: "warning",
    title: "Copy of a captured object is changed",
    message: "`{task}` changes `{name}`, but what it has is a copy",
    fix: "Return the result instead, or pass shared memory (`share`, `sharedArray`).",
    why: "Captured objects travel by value. The original stays as it is.",
    example: "function collect() {\n  const seen: string[] = [];\n  return parallel((s: string) => {\n    seen.push(s);\n  });\n}\n",
  },
  MP2002: {
    severity: "warning",
    title: "Module variable that changes",
    message: "{task} reads `{name}`, which is assigned elsewhere in the program; each worker has its own copy",
    fix: "Pass it as an argument, or silence this with `// @parallel-ignore MP2002`.",
    why: "The worker evaluates the module's declaration, and never sees a later assignment.",
    example: "let level = 1;\nexport function setLevel(n: number) {\n  level = n;\n}\nexport const work = parallel((n: number) => n * level);\n",
  },
  MP2003: {
    severity: "warning",
    title: "Top-level call is left out",
    message: "`{call}` at the top level does not run in the worker, although {task} uses `{name}`",
    fix: "Put `// @parallel-include` above the statement to run it there too, or `// @parallel-ignore MP2003` if it does not matter.",
    why: "Top-level statements that nothing names stay out of the worker. This one calls a method on something that came along, hands it to a function, or calls another function of its package, and may set it up.",
    example: "const registry = new Map<string, () => void>();\nregistry.set(\"a\", () => {});\nexport const run = parallel((name: string) => registry.get(name)!());\n",
  },
  MP2004: {
    severity: "warning",
    title: "Helper assigns a module's variable",
    message: "`{name}` is assigned in code that {task} uses; each worker has its own copy",
    fix: "If it is a cache, this is fine: silence it with `// @parallel-ignore MP2004`. If the program reads it, return the value instead.",
    why: "A static field that a method of its class assigns is such a variable too (a singleton there is one for each worker), and so is a variable of a namespace that a function of the namespace assigns.",
    example: "let cache: Data | undefined;\nconst load = () => (cache ??= read());\nexport const run = parallel(() => load().size);\n",
  },
  MP2005: {
    severity: "warning",
    title: "Module object that changes",
    message: "{task} reads `{name}`, which is changed elsewhere in the program; each worker has its own copy",
    fix: "Pass it as an argument. Where other files fill it when they are loaded (`register(\"circle\", …)`), import these in the task's file: `import \"./circle\"`, with `// @parallel-include` above. Or silence this with `// @parallel-ignore MP2005`.",
    why: "",
    example: "const users: string[] = [];\nexport function addUser(name: string) {\n  users.push(name);\n}\nexport const count = parallel(() => users.length);\n",
  },
  MP2006: {
    severity: "warning",
    title: "Copy of the instance is changed",
    message: "`{task}` changes `this.{name}`, but the instance is a copy",
    fix: "Return the result and change the instance where it arrives.",
    why: "",
    example: "class Log {\n  lines: string[] = [];\n  @parallel async add(line: string) {\n    this.lines.push(line);\n  }\n}\n",
  },
  MP2007: {
    severity: "warning",
    title: "Tag without effect",
    message: "the tag `@parallel` on {what} has no effect",
    fix: "A tag stands in a documentation comment, `/** @parallel */`, right before a function declaration. Use `parallel(...)` around any other function, or the decorator on a method.",
    why: "",
    example: "/** @parallel */\nexport const f = async () => 1;\n",
  },
  MP2008: {
    severity: "warning",
    title: "Module's object that threads should share",
    message: "{task} uses `{name}`, {what} of the module; each worker makes its own",
    fix: "Pass it as an argument: shared memory is the same one on both sides then. The values of an `AsyncLocalStorage` go along where it is made as `carry(\"name\", new AsyncLocalStorage())`; an `AbortController` cancels through the option `signal`, and its tasks ask `taskSignal()`. If each worker may have its own, `// @parallel-ignore MP2008`.",
    why: "What a module declares is made again when a worker loads the task's code. What one thread does to such an object, no other one sees.",
    example: "const counter = new Int32Array(new SharedArrayBuffer(4));\nexport const count = parallel(() => Atomics.add(counter, 0, 1));\n",
  },
  MP2009: {
    severity: "warning",
    title: "Required file has copies of its own",
    message: "{task} gets \"{specifier}\" by `require()`, with a second copy of `{file}`, of which the task has code as well",
    fix: "Import it: `import … from \"{specifier}\"`, or `await import(\"{specifier}\")` where it is to be loaded late. If nothing of what both have is compared or counted, `// @parallel-ignore MP2009`.",
    why: "`require()` may name anything, so it gives the file as it is, beside the code that was hoisted. What both have of a module exists twice then: `instanceof` is false for classes of the other copy, and each has its own state.",
    example: "import { ParseError } from \"./errors\";\nexport const run = parallel((text: string) => {\n  const { parse } = require(\"./parser\"); // throws a ParseError, but another one\n  return parse(text);\n});\n",
  },
  MP3001: {
    severity: "note",
    title: "Side-effect import is left out",
    message: "`import \"{specifier}\"` does not run in the worker",
    fix: "If tasks with code of this file need what it does, put `// @parallel-include` above it, or mark the task of this file that does with `parallel({ sideEffects: true }, …)`. If they don't, `// @parallel-ignore MP3001` ends this note.",
    why: "Imports for side effects only (polyfills, registrations) are named by nothing, so they stay out of the worker.",
    example: "import \"./polyfill\";\n",
  },
  MP3002: {
    severity: "note",
    title: "Change of a global is left out",
    message: "`{target}` is changed in the program, but not in the worker",
    fix: "If the tasks of this file need it, put `// @parallel-include` above the statement. If they don't, `// @parallel-ignore MP3002` ends this note.",
    why: "Top-level statements that nothing names stay out of the worker, whose globals are its own: a task finds them as Node makes them.",
    example: "(BigInt.prototype as unknown as { toJSON(): string }).toJSON = function () {\n  return String(this);\n};\n",
  },
};
