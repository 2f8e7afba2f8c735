/** What other workspaces need to drive a real controller in tests and measurements. Nothing here needs vitest. */
export { pgOptions, type DatabaseAddress } from '../platform/database/connection.js';
export { Sql } from '../platform/database/sql.js';
export { ensurePostgres, stopPostgres } from '../platform/postgres/supervisor.js';
export { eventually, type Patience } from './eventually.js';
export { backUp } from '../backup/backup.js';
export { insertSizes } from './evidence-sizes.js';
export { insertBoots, insertEvidence, type SampleEvidence } from './evidence.js';
export { insertKernels } from './evidence-kernels.js';
export { FakeAgent, type FakeAgentOptions } from './fake-agent.js';
export { takePair, type PairAttempt } from './pair-attempt.js';
export { SAMPLE_CATALOGUE, sampleInventory, sampleManifest, sampleResult } from './samples.js';
