import { FromAgent, FromBrowser, ROUTES, type Route } from '@peerlab/contracts';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { arbitraryOf, damaged } from './arbitrary.js';

const share = (schema: { safeParse(value: unknown): { success: boolean } }, values: unknown[]): number =>
  values.filter((value) => schema.safeParse(value).success).length / values.length;

it.each([
  ['FromAgent', FromAgent],
  ['FromBrowser', FromBrowser],
])(
  'most values made from %s are accepted by it, and most damaged ones are not',
  (_name, schema) => {
    const sound = fc.sample(arbitraryOf(schema), { numRuns: 80, seed: 1 });
    expect(share(schema, sound)).toBeGreaterThan(0.6);
    const broken = fc.sample(damaged(arbitraryOf(schema)), { numRuns: 80, seed: 1 });
    expect(share(schema, broken)).toBeLessThan(0.7);
  },
  120_000,
);

it('every frame of an agent is made sooner or later', () => {
  const types = fc
    .sample(arbitraryOf(FromAgent), { numRuns: 300, seed: 1 })
    .map((frame) => (frame as { type: string }).type);
  expect(new Set(types).size).toBe(FromAgent.options.length);
});

it('knows every schema of the routes', () => {
  for (const route of Object.values(ROUTES) as Route[]) {
    for (const schema of [route.params, route.query, route.body]) {
      if (schema !== undefined) expect(fc.sample(arbitraryOf(schema), { numRuns: 3, seed: 1 })).toHaveLength(3);
    }
  }
});
