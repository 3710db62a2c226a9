const { ThreadWorker } = require("poolifier");
const tasks = require("./peer-tasks.cjs");
module.exports = new ThreadWorker(tasks);
