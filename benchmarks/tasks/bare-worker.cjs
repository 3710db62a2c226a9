/** The least that a worker can be: it answers messages. The floor for memory, and the host of the module loads that chunks are compared with. */
const { parentPort } = require("node:worker_threads");

parentPort.on("message", async (message) => {
  if (message.load === undefined) return parentPort.postMessage("pong");
  const loaded = message.how === "import" ? await import(message.load) : require(message.load);
  parentPort.postMessage(loaded.transpile(message.argument).length);
});
