import { testFaults } from "../support/faults";
import { starting } from "./rows/starting";

testFaults(starting);
