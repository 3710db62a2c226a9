/** Initializers, the bounded queue, and carried storages. */
import { AsyncLocalStorage } from "node:async_hooks";
import { carry, configure, parallel, queueRoom } from "makeparallel";
import { is } from "./_same.js";

const setUp = parallel((file: string, mode: number) => void [file, mode]);
configure({ initialize: setUp, initializeArgs: ["a.db", 1] });

/** @parallel */
async function tagged(): Promise<void> {}
configure({ initialize: tagged });

// rejected: is not assignable to type
configure({ initialize: () => 5 });

// rejected: is not assignable to type
configure({ initializeArgs: 5 });

is<Promise<void>>()(queueRoom());
is<Promise<void>>()(queueRoom(10));

const request = carry("app/request", new AsyncLocalStorage<{ id: number }>());
is<AsyncLocalStorage<{ id: number }>>()(request);

// rejected: is not assignable to parameter of type
carry("app/request", new Map());
