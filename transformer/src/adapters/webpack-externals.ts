/** Whether webpack's (and Rspack's) `externals` setting keeps a request out of the build: strings, patterns, objects, functions, and lists of them. */
import * as path from "node:path";

export interface ExternalQuestion {
  request: string;
  /** Folder of the importing file. */
  context: string;
  dependencyType: "esm" | "commonjs";
  issuer: string;
  resolve(request: string, folder?: string): Promise<string | undefined>;
}

type Callback = (error?: Error | null, result?: unknown) => void;

export async function isExternal(externals: unknown, question: ExternalQuestion): Promise<boolean> {
  const { request } = question;
  if (externals === undefined || externals === null) return false;
  if (typeof externals === "string") return externals === request;
  if (externals instanceof RegExp) return new RegExp(externals).test(request);
  if (Array.isArray(externals)) {
    for (const each of externals) if (await isExternal(each, question)) return true;
    return false;
  }
  if (typeof externals === "function") return isResult(await ask(externals as (...args: unknown[]) => unknown, question));
  const value = (externals as Record<string, unknown>)[request];
  return isResult(value);
}

/** False says "not external", undefined says nothing. */
function isResult(value: unknown): boolean {
  return value !== undefined && value !== null && value !== false;
}

function ask(externals: (...args: unknown[]) => unknown, question: ExternalQuestion): Promise<unknown> {
  const { request, context, dependencyType, issuer } = question;
  const data = {
    request,
    context,
    dependencyType,
    contextInfo: { issuer, issuerLayer: null, compiler: undefined },
    getResolve: () => (from: string, name: string, done?: Callback) => {
      const answer = question.resolve(name, path.resolve(from)).then((file) => {
        if (file === undefined) throw new Error(`Can't resolve '${name}' in '${from}'`);
        return file;
      });
      if (!done) return answer;
      answer.then(
        (file) => done(null, file),
        (error: Error) => done(error),
      );
      return undefined;
    },
  };
  return new Promise((resolve, reject) => {
    const done: Callback = (error, result) => (error ? reject(error) : resolve(result));
    // As webpack and Rspack have it: any function gets a callback (that of webpack-node-externals has no parameters to count), and may give a promise instead.
    const answer = externals.length === 3 ? externals(context, request, done) : externals(data, done);
    if (typeof (answer as PromiseLike<unknown> | undefined)?.then === "function") (answer as PromiseLike<unknown>).then(resolve, reject);
    else if (externals.length === 1) resolve(answer);
  });
}
