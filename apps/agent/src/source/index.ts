export { FetchSandbox } from './fetch-sandbox.js';
export type { FetchLimits } from './git-mirror.js';
export { KernelSources, type PreparedSource, type SourceSettings } from './kernel-source.js';
