import { scanLines } from './scan-lines.js';
import type { ScanAnswer, ScanRequest } from './scan-protocol.js';

/*
 * Searches lines in a thread of its own: a search of a million lines does not slow the page down, and a regular
 * expression that never ends is ended with this thread (scanner.ts).
 */

/** The part of a worker's global object that is used here; the types of the page have none. */
interface WorkerScope {
  addEventListener: (type: 'message', listen: (event: MessageEvent<ScanRequest>) => void) => void;
  postMessage: (answer: ScanAnswer) => void;
}
const scope = globalThis as unknown as WorkerScope;
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker answers its page alone
scope.addEventListener('message', ({ data }) => scope.postMessage(scanLines(data)));
