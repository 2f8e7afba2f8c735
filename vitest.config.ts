import { defineConfig } from 'vitest/config';

/** Workspace packages are read from source, so that unit tests need no build. */
export default defineConfig({
  ssr: { resolve: { conditions: ['source'] } },
  test: {
    include: ['apps/**/src/**/*.test.ts', 'infra/src/**/*.test.ts', 'test/src/**/*.test.ts'],
    exclude: ['**/node_modules/**', '**/dist/**', '**/*.slow.test.ts'],
    globalSetup: ['apps/controller/src/testing/postgres-setup.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
