/**
 * Instances that arrive as plain objects: those of a package's classes, which other threads may not have. Structured clone makes nothing else of them, and says nothing; here the name of
 * the class goes along, so that "is not a function" can say why.
 */
import { reword } from "../errors";
import { isOfAnotherCopy } from "./classes";
import { className } from "./kinds";

/** Comes after the name of a class that keeps its methods in the tasks of another copy of the package. */
const OF_ANOTHER_COPY = " (of another copy of makeparallel)";

/** By prototype: the name of the class, where it has methods that are lost. */
const names = new WeakMap<object, string>();

/**
 * @param prototype of an object that becomes a plain one
 * @returns the name of its class; empty when nothing is lost that a caller could miss
 */
export function lostClass(value: object, prototype: object): string {
  let name = names.get(prototype);
  if (name === undefined) {
    name = hasMethods(prototype) ? className(value) : "";
    if (name === "object" || name === "Object") name = "";
    if (name !== "" && isOfAnotherCopy(prototype)) name += OF_ANOTHER_COPY;
    names.set(prototype, name);
  }
  return name;
}

function hasMethods(prototype: object): boolean {
  for (let p: object | null = prototype; p !== null && Object.getPrototypeOf(p) !== null; p = Object.getPrototypeOf(p)) {
    for (const key of Reflect.ownKeys(p))
      if (key !== "constructor" && typeof Object.getOwnPropertyDescriptor(p, key)?.value === "function") return true;
  }
  return false;
}

let arrived: readonly string[] | undefined;

/** For the decoder: what has come with a call; it takes the place of what has come with one before, which not everybody asks for. */
export function tellFlattened(classes: readonly string[] | undefined): void {
  arrived = classes;
}

/** The names of such classes in the call that has just been decoded; undefined without. */
export function takeFlattened(): readonly string[] | undefined {
  const classes = arrived;
  arrived = undefined;
  return classes;
}

const MISSED = /is not a function|is not iterable/;

/** An error that may come of it says so. */
export function explainFlattened(error: unknown, classes: readonly string[]): void {
  if (!(error instanceof TypeError) || !MISSED.test(error.message)) return;
  const what = classes.length === 1 ? `An instance of ${classes[0]} has` : `Instances of ${classes.slice(0, 3).join(", ")} have`;
  const why = classes.some((name) => name.endsWith(OF_ANOTHER_COPY))
    ? "they would keep them if the package that the class is from, and the caller, shared one copy of makeparallel. `npx makeparallel doctor` lists the copies."
    : "only classes of the project keep them on the way to a task, those of packages do not. Make the instance in the task, or at the top level of a module.";
  const text = `${error.message}. (${what} arrived here without methods: ${why})`;
  try {
    reword(error, text);
  } catch {
    // It is frozen.
  }
}
