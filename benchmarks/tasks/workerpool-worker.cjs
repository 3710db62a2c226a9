const workerpool = require("workerpool");
workerpool.worker(require("./peer-tasks.cjs"));
