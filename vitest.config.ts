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
    // Eight times the 7 s of the slowest on an idle computer: one that does something else beside it was seen to
    // take that much longer. What needs more says so in its file: browsers in test/src/web/web-app.ts, builds in
    // the sandbox.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Tests wait more than they compute; by itself vitest would leave one of two cores idle.
    maxWorkers: 2,
  },
});
