import { runAsWorker } from "synckit";
import tasks from "./peer-tasks.cjs";

runAsWorker((name, argument) => tasks[name](argument));
