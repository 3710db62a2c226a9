module.exports = require("./peer-tasks.cjs");
