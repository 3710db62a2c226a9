import { testFaults } from "../support/faults";
import { atTheCall } from "./rows/at-the-call";

testFaults(atTheCall);
