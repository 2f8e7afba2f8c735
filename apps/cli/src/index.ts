/** What `npm start` and tests use of the CLI: its table of commands, following a run and printing it. */
export { COMMANDS } from './commands.js';
export { watchRun } from './commands/watch.js';
export { renderGrid } from './render/grid.js';
export { wantsColour } from './render/text.js';
