import type { Reservation, ReservationState } from '@peerlab/contracts';
import { expect, it } from 'vitest';
import { closedShell } from './gate.js';
import { stateText } from './SessionLine.js';

const held = (state: ReservationState): Reservation => ({
  id: '00000000-0000-4000-8000-000000000000',
  machine: 'm1',
  holder: 'ann',
  reason: 'a look',
  state,
  seconds: 3600,
  requestedAt: '2026-12-01T00:00:00.000Z',
  begunAt: null,
  until: null,
  fence: null,
  returnedAt: null,
  returnedBy: null,
  endedAt: null,
  outcome: null,
  detail: null,
});

it('is open for the holder of a reservation that has begun', () => {
  expect(closedShell({ name: 'm1', reservation: held('held') }, 'ann')).toBeNull();
});

it.each([
  ['nobody has it', undefined, 'ann', 'm1 is not reserved.'],
  ['somebody else has it', held('held'), 'bob', 'm1 is reserved by ann.'],
  ['an attempt is on it', held('waiting'), 'ann', 'm1 is not free yet.'],
  ['it is being restored', held('returning'), 'ann', 'm1 is being restored.'],
])('is closed while %s', (_, reservation, user, title) => {
  const machine = reservation === undefined ? { name: 'm1' } : { name: 'm1', reservation };
  expect(closedShell(machine, user)?.title).toBe(title);
});

it('says of a loss what is lost with it', () => {
  const reason = 'the connection was lost';
  expect(stateText('shell', { name: 'lost', reason, isRetried: false })).toBe(
    'The connection was lost. The shell ended with it.',
  );
  expect(stateText('console', { name: 'lost', reason, isRetried: true })).toBe(
    'The connection was lost. It is tried again by itself.',
  );
  expect(stateText('shell', { name: 'ended', reason: 'the shell ended with 3' })).toBe('The shell ended with 3.');
  expect(stateText('shell', { name: 'open' })).toBe('');
});
