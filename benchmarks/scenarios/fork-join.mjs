import { ours, ratio } from "../lib/libraries.mjs";
import { buildOtherLanguages } from "../lib/other-languages.mjs";
import { medianTime } from "../lib/statistics.mjs";

/** Trees of calls like that of Fibonacci's numbers, each call a task. */
const large = { size: 23, result: 28_657, tasks: 92_735 };
/** For the backend in TypeScript, which would take a minute. */
const small = { size: 16, result: 987, tasks: 3_193 };

export default {
  id: "fork-join",
  title: "a tree of 92,735 tasks that wait for their own (3,193 on the TypeScript backend)",
  unit: "µs a task",
  libraries: [ours, "go", "rayon"],
  forms: (library) => (library === ours ? [{ form: "get" }, { form: "await" }] : [{ form: "" }]),
  prepare: buildOtherLanguages,
  async measure({ open, quick, library, variant, form }) {
    const pool = await open(2);
    const { size, result, tasks } = variant === "typescript" ? small : large;
    if (library !== ours) return pool.run(size, quick ? 3 : 15);
    const tree = form === "get" ? pool.program.tree : pool.program.awaitedTree;
    const run = async () => {
      if ((await tree(size)) !== result) throw new Error("wrong result");
    };
    return (await medianTime(run, quick ? { warmUp: 1, samples: 2 } : { warmUp: 2, samples: 7 })) / tasks;
  },
  aim: {
    text: "reported beside Go and rayon",
    value: (results) => against(results, "go"),
    show: (x) => `${x.toFixed(1)} times Go's`,
    note(results) {
      const x = against(results, "rayon");
      return x === undefined ? undefined : `${x.toFixed(0)} times rayon's`;
    },
  },
};

function against(results, library) {
  const x = ratio(results, (result) => result.library === library);
  return x === undefined ? undefined : 1 / x;
}
