import { DriverName, DRIVERS_MAX } from '@peerlab/contracts';
import { z } from 'zod';
import { JobFailure } from './failure.js';

/** What the driver.json of an out-of-tree driver says, or what is wrong with it; one line of driver-recipes.pl. */
const DriverRecipe = z.object({
  name: DriverName,
  version: z.string().max(64).default(''),
  modules: z.array(z.string().max(56)).max(16).default([]),
  error: z.string().optional(),
});
export type DriverRecipe = z.infer<typeof DriverRecipe>;

/**
 * Reads the output of driver-recipes.pl.
 * @param wrong drivers that it does not know of, and what is wrong with each
 * @returns all of them, by name
 * @throws JobFailure `infrastructure` when there are too many drivers
 */
export function parseRecipes(text: string, wrong: ReadonlyMap<string, string>): DriverRecipe[] {
  const lines = text.split('\n').filter((line) => line !== '');
  const count = lines.length + wrong.size;
  if (count > DRIVERS_MAX) {
    const why = `kernel/drivers of the builder has ${count} drivers`;
    throw new JobFailure('infrastructure', `${why}; ${DRIVERS_MAX} at most are built`);
  }
  const named = [...wrong].filter(([name]) => DriverName.safeParse(name).success);
  return [
    ...lines.map((line) => DriverRecipe.parse(JSON.parse(line))),
    ...named.map(([name, error]) => DriverRecipe.parse({ name, error })),
  ].toSorted((a, b) => (a.name < b.name ? -1 : 1));
}
