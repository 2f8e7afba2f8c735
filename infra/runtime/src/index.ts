export { isAbsent, orIfAbsent } from './absent-file.js';
export { boundLog, CUT_BYTES, logStart, logTail, rotateLog, startFileOf } from './bounded-log.js';
export {
  endChild,
  endProcess,
  GRACE_MS,
  runProgram,
  type RunOptions,
  type RunResult,
  sendSignal,
} from './child-process.js';
export { cacheFolder, defaultStateFolder, stateFolder } from './folders.js';
export { log } from './log.js';
export { isAlive, type ProcessIdentity, startTimeOf } from './process-identity.js';
export { QMP_TIMEOUT_MS, QmpConnection, QmpError, type QmpOptions, runQmpCommand } from './qmp.js';
