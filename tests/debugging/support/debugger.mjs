/**
 * A debugger that drives the inspector protocol as an editor does: it starts a program with `--inspect-wait`, sets breakpoints by source file and line
 * through the source maps of the chunks, in each worker as it starts, and writes down where the program stops.
 *
 * Arguments: JSON of { program, chunks, breakpoints: [{ file, line }], watch: [expression], inspectMain }. Prints JSON of { stops, output, code }.
 */
import { spawn } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const { program, chunks, breakpoints, watch } = JSON.parse(process.argv[2]);
const { allGeneratedPositionsFor, originalPositionFor, TraceMap } = createRequire(process.argv[3])("@jridgewell/trace-mapping");

/** Chunk file → its map, as an editor finds them: beside the output. */
const maps = new Map(
  fs
    .readdirSync(chunks)
    .filter((name) => name.endsWith(".cjs"))
    .map((name) => [path.join(chunks, name), new TraceMap(fs.readFileSync(path.join(chunks, `${name}.map`), "utf8"))]),
);

/** Places in chunks, from 0. */
function generated({ file, line }) {
  return [...maps].flatMap(([chunk, map]) => {
    const source = map.sources.find((name) => path.resolve(path.dirname(chunk), name) === file);
    const places = source === undefined ? [] : allGeneratedPositionsFor(map, { source, line, column: 0, bias: -1 });
    return places.slice(0, 1).map((place) => ({ url: pathToFileURL(chunk).href, lineNumber: place.line - 1, columnNumber: place.column }));
  });
}

function original(url, { lineNumber, columnNumber }) {
  const chunk = [...maps.keys()].find((file) => pathToFileURL(file).href === url);
  if (chunk === undefined) return { file: url, line: lineNumber + 1 };
  const found = originalPositionFor(maps.get(chunk), { line: lineNumber + 1, column: columnNumber });
  return { file: found.source && path.basename(found.source), line: found.line };
}

const child = spawn(process.execPath, ["--inspect-wait=127.0.0.1:0", program], { stdio: ["ignore", "pipe", "pipe"] });
let output = "";
let errors = "";
const stops = [];
child.stdout.on("data", (data) => (output += data));

const address = await new Promise((resolve, reject) => {
  child.stderr.on("data", (data) => {
    errors += data;
    const found = /ws:\/\/\S+/.exec(errors);
    if (found) resolve(found[0]);
  });
  child.on("exit", () => reject(new Error(errors)));
});
const socket = new WebSocket(address);
await new Promise((resolve, reject) => {
  socket.onopen = resolve;
  socket.onerror = reject;
});

/** By session and id. */
const scripts = new Map();
let nextId = 0;
const waiting = new Map();

/** @param session of a worker; undefined: the main thread */
function send(session, method, params = {}) {
  const id = ++nextId;
  const message = { id, method, params };
  const answer = new Promise((resolve) => waiting.set(id, resolve));
  if (session === undefined) socket.send(JSON.stringify(message));
  else
    socket.send(
      JSON.stringify({
        id: ++nextId,
        method: "NodeWorker.sendMessageToWorker",
        params: { sessionId: session, message: JSON.stringify(message) },
      }),
    );
  return answer;
}

async function workerStarted(session) {
  await send(session, "Debugger.enable");
  for (const breakpoint of breakpoints)
    for (const place of generated(breakpoint)) await send(session, "Debugger.setBreakpointByUrl", place);
  await send(session, "Runtime.runIfWaitingForDebugger");
}

async function stopped(session, { callFrames, hitBreakpoints, reason }) {
  // A worker that waits for the debugger stops at its first line.
  if (reason === "Break on start") return void (await send(session, "Debugger.resume"));
  const [frame] = callFrames;
  const values = {};
  for (const expression of watch) {
    const { result } = (
      await send(session, "Debugger.evaluateOnCallFrame", { callFrameId: frame.callFrameId, expression, returnByValue: true })
    ).result;
    values[expression] = result.value ?? result.description ?? result.type;
  }
  const url = scripts.get(`${session} ${frame.location.scriptId}`)?.url ?? "";
  stops.push({ function: frame.functionName, ...original(url, frame.location), values, byBreakpoint: (hitBreakpoints ?? []).length > 0 });
  await send(session, "Debugger.resume");
}

function receive(session, { id, method, params, ...rest }) {
  if (id !== undefined) {
    waiting.get(id)?.(rest);
    waiting.delete(id);
  } else if (method === "Debugger.scriptParsed") scripts.set(`${session} ${params.scriptId}`, params);
  else if (method === "NodeWorker.attachedToWorker") void workerStarted(params.sessionId);
  else if (method === "NodeWorker.receivedMessageFromWorker") receive(params.sessionId, JSON.parse(params.message));
  else if (method === "Debugger.paused") void stopped(session, params);
}
socket.onmessage = ({ data }) => receive(undefined, JSON.parse(data));
// The program waits for the debugger to leave before it ends.
const executed = new Promise((resolve) => {
  const before = socket.onmessage;
  socket.onmessage = (event) => {
    before(event);
    if (JSON.parse(event.data).method === "Runtime.executionContextDestroyed") resolve();
  };
});

await send(undefined, "Runtime.enable");
await send(undefined, "NodeWorker.enable", { waitForDebuggerOnStart: true });
const ended = new Promise((resolve) => child.on("exit", resolve));
await send(undefined, "Runtime.runIfWaitingForDebugger");
await Promise.race([executed, ended]);
socket.close();
console.log(JSON.stringify({ stops, output, code: await ended, errors: errors.replace(/^(?:Debugger|For help|Waiting).*\n/gm, "") }));
