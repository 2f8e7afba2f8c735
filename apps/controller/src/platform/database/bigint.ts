import type { ValueTransformer } from 'typeorm';

/** int8 as number in entities: sizes, fences, sequences and milliseconds all stay below 2^53. */
export const NUMBER: ValueTransformer = {
  to: (value: unknown) => value,
  from: (value: string | null) => (value === null ? null : Number(value)),
};
