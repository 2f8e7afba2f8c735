import { defineConfig } from 'vitest/config';

/** Tests that boot machines: one after the other, with limits for software emulation on two cores. */
export default defineConfig({
  ssr: { resolve: { conditions: ['source'] } },
  test: {
    include: ['apps/**/src/**/*.slow.test.ts', 'infra/src/**/*.slow.test.ts', 'test/src/**/*.slow.test.ts'],
    exclude: ['**/node_modules/**', '**/dist/**'],
    fileParallelism: false,
    testTimeout: 30 * 60_000,
    hookTimeout: 15 * 60_000,
  },
});
