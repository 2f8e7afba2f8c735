import { defineConfig } from 'vitest/config';

/** Tests that boot machines: one after the other, with limits for software emulation on two cores. */
export default defineConfig({
  ssr: { resolve: { conditions: ['source'] } },
  // Vitest loads the global set-up in this environment of its own.
  environments: { __vitest__: { resolve: { conditions: ['source', 'module', 'node', 'development|production'] } } },
  test: {
    include: ['apps/**/src/**/*.slow.test.ts', 'infra/src/**/*.slow.test.ts', 'test/src/**/*.slow.test.ts'],
    exclude: ['**/node_modules/**', '**/dist/**'],
    // For those that need a controller of their own.
    globalSetup: ['apps/controller/src/testing/postgres-setup.ts'],
    fileParallelism: false,
    testTimeout: 30 * 60_000,
    hookTimeout: 15 * 60_000,
  },
});
