import { testFaults } from "../support/faults";
import { handles } from "./rows/handles";

testFaults(handles);
