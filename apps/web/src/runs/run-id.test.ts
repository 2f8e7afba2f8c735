import { z } from 'zod';
import { expect, it } from 'vitest';
import { newRunId } from './run-id.js';

it('is a UUID that the controller takes, and another one each time', () => {
  const ids = Array.from({ length: 100 }, newRunId);
  for (const id of ids) expect(z.uuid().parse(id)).toBe(id);
  expect(new Set(ids).size).toBe(ids.length);
});
