/** A Lookalike server for tests, and an empty account of it for each of them. */

export { lookalike } from "./hooks.js";
export { ControlError } from "./control.js";
export { Server, StartError, startServer } from "./server.js";
export { Session } from "./session.js";
