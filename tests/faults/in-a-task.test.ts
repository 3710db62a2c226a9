import { testFaults } from "../support/faults";
import { inATask } from "./rows/in-a-task";

testFaults(inATask);
