import { defineConfig } from 'vitest/config';

/** Workspace packages are read from their sources, so that unit tests need no build. */
const conditions = ['source', 'module', 'node', 'development|production'];

export default defineConfig({
  ssr: { resolve: { conditions } },
  // Vitest loads the global set-up in this environment of its own.
  environments: { __vitest__: { resolve: { conditions } } },
  test: {
    include: [
      'apps/**/src/**/*.test.ts',
      'infra/src/**/*.test.ts',
      'infra/runtime/src/**/*.test.ts',
      'test/src/**/*.test.ts',
    ],
    exclude: ['**/node_modules/**', '**/dist/**', '**/*.slow.test.ts'],
    globalSetup: ['apps/controller/src/testing/postgres-setup.ts', 'test/src/web/build-setup.ts'],
    // A test takes 10 s at most on an idle computer. A limit is for what hangs: a busy computer was seen to take ten
    // times as long. Waits for a condition give up before, after 75 s, so that a failure says what was awaited. What
    // needs more says so in its file: builds in the sandbox.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    expect: { poll: { timeout: 75_000, interval: 50 } },
    // Files of one worker share their modules: read again for each file they would take half of the processor time.
    isolate: false,
    // Tests wait as much as they compute: three workers keep two cores busy.
    maxWorkers: 3,
  },
});
