/** Machines on script behind real SSH, for tests of other workspaces. Nothing here needs vitest. */
export { makeFakeBundle } from './fake-bundle.js';
export { type FakeBoot, type FakeEvent, type FakeMachine, type FakeTest } from './fake-machine.js';
export { startFakeMachine } from './start-fake-machine.js';
