/** What other workspaces need to measure the way of a line from its source to the controller. */
export { LineSplitter } from '../machine/lines.js';
export { AttemptSpool } from './attempt-spool.js';
export { AttemptSender } from './sender.js';
export { SpoolDisk } from './spool-disk.js';
