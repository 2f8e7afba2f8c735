export { GcovError } from './gcov-bytes.js';
export { COUNTERS_MAX_BYTES } from './gcov-counters.js';
export { NOTES_MAX_BYTES } from './gcov-notes.js';
export { type CounterFiles, countSeries } from './series-counts.js';
