/**
 * What a class of the project inherits from code that is not the project's: a package's class, one of Node's own, a class made inside a function.
 *
 * Takes a registered class's prototype. Gives why its instances can't be made anew on another thread, if they can't: private state is reached by nothing but
 * the code of the class that declares it, and only the project's classes have been given accessors. Does not handle state in closures (functions among the
 * properties are refused by themselves), nor private fields that a build tool has turned into WeakMaps under shortened names.
 */
import { builtinKind, isMessageable, isNative } from "./kinds";

export interface Foreign {
  /** Whether there is such code at all. */
  readonly inherits: boolean;
  /** Follows "cannot be sent to another thread: ". */
  readonly obstacle: string | undefined;
}

const NONE: Foreign = { inherits: false, obstacle: undefined };

/** Every message ends with it. */
export const WAY_OUT = "Pass what the task needs of it, and make the instance in the task";

/**
 * @param name of the class, for the message
 * @param isRegistered whether a prototype is that of a class of the project
 */
export function foreignOf(name: string, prototype: object, isRegistered: (prototype: object) => boolean): Foreign {
  let inherits = false;
  for (let p: object | null = prototype; p !== null && p !== Object.prototype; p = Object.getPrototypeOf(p)) {
    if (isRegistered(p)) continue;
    if (builtinKind(p) !== undefined) break;
    const constructor: unknown = Object.getOwnPropertyDescriptor(p, "constructor")?.value;
    if (typeof constructor !== "function") continue;
    if (isNative(constructor)) {
      // `Object` is that of another realm. Iterators have no state of their own.
      if (constructor.name === "Object" || constructor.name === "" || constructor.name === "Iterator") continue;
      return refused(`${name} extends ${constructor.name}, whose state nothing outside of it can copy`);
    }
    inherits = true;
    const base = constructor.name || "a class without a name";
    if (isMessageable(p)) return refused(`${name} extends ${base}, whose state nothing outside of it can copy`);
    const hidden = privateStateOf(Function.prototype.toString.call(constructor));
    if (hidden.length > 0) {
      const list = hidden.length > 3 ? [...hidden.slice(0, 3), "…"] : hidden;
      return refused(
        `${name} extends ${base}, whose private state (${list.join(", ")}) only ${base} could copy: it comes from outside the project, or from inside a function`,
      );
    }
  }
  return inherits ? { inherits, obstacle: undefined } : NONE;
}

function refused(reason: string): Foreign {
  return { inherits: true, obstacle: `${reason}. ${WAY_OUT}` };
}

/**
 * The private members of an instance that a class's or constructor function's text declares: `#name`, or what a compiler's helpers or a WeakMap of the
 * author's keep in their place.
 */
export function privateStateOf(text: string): string[] {
  const code = withoutLiterals(text);
  if (!/^\s*class\b/.test(code)) return weakState(code);
  const start = bodyStart(code);
  const { members, constructor } = ownLevel(code, start);
  const found = new Set<string>();
  const MEMBER = /(?<![.\w$#])((?:(?:static|async|get|set|accessor)\b\s*|\*\s*)*)(#[\w$\u0080-\uffff]+)(?!\s*in\b)/g;
  for (const [, modifiers, name] of members.matchAll(MEMBER)) if (!/\bstatic\b/.test(modifiers!)) found.add(name!);
  return found.size > 0 ? [...found] : weakState(constructor);
}

/** Calls that keep something for `this` elsewhere: compilers' helpers for private fields and methods, and `state.set(this, …)`. */
function weakState(code: string): string[] {
  const call =
    /(?<![\w$])([\w$]*private_?(?:add|field_?init|method_?init)[\w$]*|[\w$]+_instances\.add|[\w$]+\.set)\s*\(\s*this\s*[,)]/i.exec(code);
  return call ? [`kept by ${call[1]}(this)`] : [];
}

/** Where the class's members begin: at the first brace outside of what it extends. */
function bodyStart(code: string): number {
  let depth = 0;
  for (let i = 0; i < code.length; i++) {
    const c = code[i]!;
    if (c === "{" && depth === 0) return i + 1;
    if (c === "(" || c === "[" || c === "{") depth++;
    else if (c === ")" || c === "]" || c === "}") depth--;
  }
  return code.length;
}

/** The text of a class's own level, without bodies and parameters; and that of its constructor. */
function ownLevel(code: string, start: number): { members: string; constructor: string } {
  let depth = 0;
  let members = "";
  let constructor = "";
  let isInConstructor = false;
  for (let i = start; i < code.length; i++) {
    const c = code[i]!;
    if (depth === 0 && c === "(") isInConstructor = /(?<![\w$.#])constructor\s*$/.test(members.slice(-20));
    if (c === "(" || c === "[" || c === "{") depth++;
    if (depth === 0) members += c;
    else if (isInConstructor) constructor += c;
    if (c === ")" || c === "]" || c === "}") depth--;
    // What follows a body is a member of its own.
    if (depth === 0 && c === "}") {
      members += ";";
      isInConstructor = false;
    }
  }
  return { members, constructor };
}

/** The code with spaces in the place of comments, strings, templates and regular expressions. */
function withoutLiterals(text: string): string {
  let out = "";
  let i = 0;
  const blank = (end: number): void => {
    out += text.slice(i, end).replace(/[^\n]/g, " ");
    i = end;
  };
  while (i < text.length) {
    const c = text[i]!;
    if (c === '"' || c === "'") blank(quoteEnd(text, i, c));
    else if (c === "`") blank(templateEnd(text, i));
    else if (c === "/" && text[i + 1] === "/") blank(endOf(text, "\n", i));
    else if (c === "/" && text[i + 1] === "*") blank(endOf(text, "*/", i + 2));
    else if (c === "/" && regExpMayStand(out)) blank(regExpEnd(text, i));
    else {
      out += c;
      i++;
    }
  }
  return out;
}

function endOf(text: string, what: string, from: number): number {
  const found = text.indexOf(what, from);
  return found < 0 ? text.length : found + what.length;
}

function quoteEnd(text: string, start: number, quote: string): number {
  for (let i = start + 1; i < text.length; i++) {
    if (text[i] === "\\") i++;
    else if (text[i] === quote) return i + 1;
  }
  return text.length;
}

function templateEnd(text: string, start: number): number {
  for (let i = start + 1; i < text.length; i++) {
    if (text[i] === "\\") i++;
    else if (text[i] === "`") return i + 1;
    else if (text[i] === "$" && text[i + 1] === "{") i = substitutionEnd(text, i + 2);
  }
  return text.length;
}

/** Where the brace that ends a template's expression stands. */
function substitutionEnd(text: string, start: number): number {
  let depth = 0;
  for (let i = start; i < text.length; i++) {
    const c = text[i]!;
    if (c === '"' || c === "'") i = quoteEnd(text, i, c) - 1;
    else if (c === "`") i = templateEnd(text, i) - 1;
    else if (c === "{") depth++;
    else if (c === "}" && depth-- === 0) return i;
  }
  return text.length;
}

/** After an operand, a slash divides. */
function regExpMayStand(before: string): boolean {
  const last = /([\w$]+|[^\s])\s*$/.exec(before.slice(-20))?.[1];
  if (last === undefined) return true;
  return /^(?:return|typeof|case|in|of|do|else|void|delete|throw|new|instanceof|yield|await)$/.test(last) || !/[\w$)\]}]$/.test(last);
}

function regExpEnd(text: string, start: number): number {
  let inClass = false;
  for (let i = start + 1; i < text.length && text[i] !== "\n"; i++) {
    if (text[i] === "\\") i++;
    else if (text[i] === "[") inClass = true;
    else if (text[i] === "]") inClass = false;
    else if (text[i] === "/" && !inClass) return i + 1;
  }
  return start + 1;
}
