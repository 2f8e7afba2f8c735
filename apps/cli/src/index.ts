/** What `npm start` uses of the CLI: following a run and printing it. */
export { watchRun } from './commands/watch.js';
export { renderGrid } from './render/grid.js';
export { wantsColour } from './render/text.js';
