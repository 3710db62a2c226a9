/** One measurement in a process of its own. Argument: `{ scenario, library, variant, form, quick }` as JSON. The answer goes to file descriptor 3. */
import fs from "node:fs";
import { scenarios } from "./lib/scenarios.mjs";

const job = JSON.parse(process.argv[2]);
const scenario = scenarios.find((candidate) => candidate.id === job.scenario);
const adapter = await import(`./adapters/${job.library}.mjs`);
const variant = adapter.variants.find((candidate) => candidate.label === job.variant);
const [form] = (scenario.forms?.(job.library) ?? [{ form: "" }]).filter((candidate) => candidate.form === job.form);

const value = await scenario.measure({
  open: (threads) => adapter.open({ threads, variant }),
  quick: job.quick,
  library: job.library,
  variant: job.variant,
  form,
});
fs.writeSync(3, JSON.stringify({ value }));
process.exit(0);
