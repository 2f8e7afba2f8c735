/** Machines on script behind real SSH, for tests of other workspaces. Nothing here needs vitest. */
export { makeFakeBundle } from './fake-bundle.js';
export { type FakeBoot, type FakeEvent, type FakeMachine, type FakeTest } from './fake-machine.js';
export { FAKE_PACE, FAKE_SUITE, type FakeBundle, type FakeLab, type FakeLabOptions, startFakeLab } from './fake-lab.js';
export { InProcessAgent } from './in-process-agent.js';
export { tarEntry, tarOf } from './tar-bytes.js';
export { startFakeMachine } from './start-fake-machine.js';
export { type GitServer, startGitDaemon } from './git-servers.js';
