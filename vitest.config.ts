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
    globalSetup: ['apps/controller/src/testing/postgres-setup.ts'],
    // For a busy computer: what takes 7 s on an idle one took 30 s beside virtual machines.
    testTimeout: 90_000,
    // Tests wait more than they compute; by itself vitest would leave one of two cores idle.
    maxWorkers: 2,
    hookTimeout: 120_000,
  },
});
