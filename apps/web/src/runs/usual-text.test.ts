import { expect, it } from 'vitest';
import { usualText } from './usual-text.js';

it('says of how much a running stage has used its time, and that it is late', () => {
  expect(usualText(12_000, 125_000)).toBe('of about 2 min 05 s');
  expect(usualText(125_001, 125_000)).toBe('usually 2 min 05 s');
});
