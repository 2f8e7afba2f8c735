import { expect, it } from 'vitest';
import { waitingText } from './waiting-text.js';

it('says why a job waits without saying twice that it does', () => {
  expect(waitingText('waiting for the build base, about 2 h')).toBe('Waiting for the build base, about 2 h');
  expect(waitingText('waits for a machine for role server: m1 is busy')).toBe(
    'Waiting for a machine for role server: m1 is busy',
  );
  expect(waitingText('3rd in line for m1')).toBe('Waiting: 3rd in line for m1');
});
