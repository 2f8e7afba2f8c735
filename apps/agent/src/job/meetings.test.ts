import type { FromAgent, MeetingOutcome } from '@peerlab/contracts';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Meetings, MeetingMissed } from './meetings.js';

const PLACE = { suite: 'pair', test: 3, step: 1 };
const MET: MeetingOutcome = { kind: 'met', peers: [{ role: 'server', value: 'port 7' }] };
let sent: Extract<FromAgent, { type: 'meeting' }>[];
let meetings: Meetings;
let stop: AbortController;
beforeEach(() => {
  vi.useFakeTimers();
  sent = [];
  stop = new AbortController();
  meetings = new Meetings({ participantId: 'p', fence: 7 }, (frame) => {
    if (frame.type === 'meeting') sent.push(frame);
    return true;
  });
});
afterEach(() => void vi.useRealTimers());
const meet = (): Promise<unknown> => meetings.meet(PLACE, 'ready', { waitSeconds: 60, signal: stop.signal });

it('says where it is until it is answered, and gives what the others said', async () => {
  const met = meet();
  expect(sent).toEqual([
    {
      type: 'meeting',
      participantId: 'p',
      fence: 7,
      left: [],
      over: null,
      at: { place: PLACE, value: 'ready', waitSeconds: 60 },
    },
  ]);
  await vi.advanceTimersByTimeAsync(4000);
  expect(sent).toHaveLength(3);
  // Late answers about other places change nothing.
  meetings.receive({ ...PLACE, step: 0 }, { kind: 'missed', why: 'late', reason: 'old' });
  meetings.receive(PLACE, MET);
  await expect(met).resolves.toEqual([{ role: 'server', value: 'port 7' }]);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(sent).toHaveLength(3);
});

it('fails with the reason of the controller', async () => {
  const met = meet();
  meetings.receive(PLACE, { kind: 'missed', why: 'ended', reason: 'participant server has ended' });
  await expect(met).rejects.toEqual(new MeetingMissed('ended', 'participant server has ended'));
});

it('waits at one place at a time', async () => {
  const met = meet();
  await expect(meet()).rejects.toThrow('waits at another place');
  meetings.receive(PLACE, MET);
  await met;
});

it('stopped, it says that it waits no more, and ends with the reason of that', async () => {
  const met = meet();
  stop.abort(new Error('canceled'));
  await expect(met).rejects.toThrow('canceled');
  expect(sent.at(-1)?.at).toBeNull();
  await expect(meet()).rejects.toThrow('canceled');
});

it('says on a new connection what may not have arrived', () => {
  meetings.sayAgain();
  expect(sent).toEqual([]);
  meetings.leave('pair');
  meetings.giveUp('has crashed');
  meetings.giveUp('has ended');
  meetings.sayAgain();
  expect(sent.at(-1)).toMatchObject({ left: ['pair'], over: 'has crashed', at: null });
  expect(sent).toHaveLength(4);
});
