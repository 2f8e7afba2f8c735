import type { LogLine } from '@peerlab/contracts';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { StaleFence } from '../dispatch/attempt.service.js';
import { TestFarm } from '../testing/farm.js';
import { extendingLines, LogService } from './log.service.js';

const line = (seq: number): LogLine => ({ seq, at: 1, text: `line ${seq}` });

describe('extendingLines', () => {
  it('takes what extends the prefix, skips what is in it, stops at a gap', () => {
    expect(extendingLines(2, [0, 1, 2, 3, 5].map(line)).map(({ seq }) => seq)).toEqual([2, 3]);
    expect(extendingLines(0, [1, 2].map(line))).toEqual([]);
    expect(extendingLines(3, [0, 1, 2].map(line))).toEqual([]);
  });
});

describe('append', () => {
  let farm: TestFarm;
  let logs: LogService;
  let attempt: { attemptId: string; fence: number };

  beforeAll(async () => {
    farm = await TestFarm.start();
    logs = farm.server.app.get(LogService);
    const { manifest } = await farm.bundle('logs');
    const agent = await farm.agent({ m1: 'BUS_ADDR' });
    const yaml = `name: logs\nbuilds: [{name: b, bundle: ${manifest.key}}]\n`;
    await farm.call('submitRun', { body: { yaml } });
    attempt = await agent.take('test');
  });
  afterAll(() => farm.stop());

  const frame = (lines: LogLine[], stream: 'serial' | 'kernel' | 'test' | 'agent' = 'serial') => ({
    ...attempt,
    stream,
    lines,
  });

  it('stores every line once, in order and without gaps, however the frames are cut, repeated or lost', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ back: fc.nat(6), length: fc.integer({ min: 1, max: 9 }), skip: fc.nat(3) }), {
          minLength: 1,
          maxLength: 12,
        }),
        async (frames) => {
          await farm.sql.run('delete from log_line');
          await farm.sql.run('update stream set next = 0');
          let next = 0;
          for (const { back, length, skip } of frames) {
            // From before the prefix (a repeat), or behind it (a lost frame).
            const from = Math.max(0, next - back) + (back === 0 ? skip : 0);
            const acked = await logs.append('lab', frame(Array.from({ length }, (_, i) => line(from + i))));
            expect(acked).toBe(from > next ? next : Math.max(next, from + length));
            next = acked;
          }
          const stored = await logs.lines(attempt.attemptId, 'serial', 0, 1000);
          expect(stored).toEqual(Array.from({ length: next }, (_, i) => line(i)));
        },
      ),
      { numRuns: 40 },
    );
  });

  it('two senders at once do not double a line', async () => {
    const lines = Array.from({ length: 500 }, (_, i) => line(i));
    const acks = await Promise.all([1, 2, 3, 4].map(() => logs.append('lab', frame(lines, 'kernel'))));
    expect(acks).toEqual([500, 500, 500, 500]);
    expect(await logs.lines(attempt.attemptId, 'kernel', 0, 1000)).toHaveLength(500);
  });

  it('takes text that Postgres would refuse', async () => {
    await logs.append('lab', frame([{ seq: 0, at: 1, text: 'NUL \u0000 and \ud800 and \u001b[31m' }], 'test'));
    const [stored] = await logs.lines(attempt.attemptId, 'test', 0, 1);
    expect(stored?.text).toBe('NUL \u2400 and \ufffd and \u001b[31m');
  });

  it('refuses another fence, another agent and an unknown attempt', async () => {
    const lines = [line(0)];
    await expect(logs.append('lab', { ...frame(lines, 'agent'), fence: attempt.fence + 1 })).rejects.toThrow(
      StaleFence,
    );
    await expect(logs.append('other', frame(lines, 'agent'))).rejects.toThrow(StaleFence);
    const unknown = { ...frame(lines, 'agent'), attemptId: '00000000-0000-4000-8000-000000000000' };
    await expect(logs.append('lab', unknown)).rejects.toThrow(/not known/);
    expect(await logs.lines(attempt.attemptId, 'agent', 0, 10)).toEqual([]);
  });

  it('reads by range and says whether more will come', async () => {
    const page = await farm.call('getLog', {
      params: { attempt: attempt.attemptId },
      query: { stream: 'kernel', from: 498, limit: 10 },
    });
    expect(page).toMatchObject({ total: 500, complete: false, lines: [line(498), line(499)] });
  });
});
