/** What other programs of the farm use: the client, the watcher and the renderers. */
export { ApiError, type Client, createClient, Unreachable } from './client.js';
export { watchRun } from './commands/watch.js';
export { renderGrid } from './render/grid.js';
export { seconds, table, verdictText, wantsColour } from './render/text.js';
export { stateFolder } from './token.js';
