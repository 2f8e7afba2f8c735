/** Reports of a Linux kernel in its logs: what kinds there are, and what a log says. */
export { CRASH_TYPES, type CrashType } from '../schema/crash-types.js';
export { ALARM_LINE_MAX } from './crash/console-line.js';
export {
  bareAddressOf,
  callOf,
  callText,
  KERNEL_BANNER,
  kernelOffsetOf,
  LOG_CALLS_MAX,
  REPORT_CALLS_MAX,
  type KernelCall,
  type ReportCall,
} from './crash/calls.js';
export { sourceLines } from './crash/source-lines.js';
export { CRASH_TITLE_MAX } from './crash/title.js';
export { CrashReader, readKernelAlarm, type CrashReport, type KernelAlarm } from './crash/reader.js';
export { CRASH_REPORTS_MAX, CrashWatch, readCrashes, recordLines } from './crash/whole-log.js';
