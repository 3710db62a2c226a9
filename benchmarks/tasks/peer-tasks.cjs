/** The tasks that the other libraries run: the same functions as in ours.ts, each with one argument. */
const { threadId } = require("node:worker_threads");

module.exports = {
  add: (n) => n + 1,
  root: (n) => Math.sqrt(n) * 2,
  rootEach: (numbers) => numbers.map((n) => Math.sqrt(n) * 2),
  echo: (value) => value,
  first: (numbers) => numbers[0],
  spin,
  thread: () => threadId,
};

/** Some milliseconds of arithmetic that cannot be optimised away. */
function spin(rounds) {
  let x = 1;
  for (let i = 0; i < rounds; i++) x = (Math.imul(x, 1_664_525) + 1_013_904_223) | 0;
  return x;
}
