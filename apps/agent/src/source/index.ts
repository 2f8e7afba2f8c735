export type { FetchLimits } from './git-mirror.js';
export type { AllowedRepository } from './repository-credential.js';
export { KernelSources, type PreparedSource, type SourceSettings, type TreeSource } from './kernel-source.js';
