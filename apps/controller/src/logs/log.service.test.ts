import { LOG_LINE_MAX, type LogLine } from '@peerlab/contracts';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { StaleFence } from '../attempts/participant-store.js';
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
  let attempt: { participantId: string; fence: number };

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

  const frame = (lines: LogLine[], stream: 'serial' | 'kernel' | 'test' | 'agent' | 'build' = 'serial') => ({
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
          const stored = await logs.lines(attempt.participantId, 'serial', 0, 1000);
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
    expect(await logs.lines(attempt.participantId, 'kernel', 0, 1000)).toHaveLength(500);
  });

  it('takes text that Postgres would refuse', async () => {
    await logs.append('lab', frame([{ seq: 0, at: 1, text: 'NUL \u0000 and \ud800 and \u001b[31m' }], 'test'));
    const [stored] = await logs.lines(attempt.participantId, 'test', 0, 1);
    expect(stored?.text).toBe('NUL \u2400 and \ufffd and \u001b[31m');
  });

  it('keeps gaps and the parts of a long line, and gives the line back as it was', async () => {
    const long = 'x'.repeat(LOG_LINE_MAX);
    const lines: LogLine[] = [
      { seq: 0, at: 1, text: 'before' },
      { seq: 1, at: 1, text: long },
      { seq: 2, at: 1, text: 'the end of it', continues: true },
      { seq: 3, at: 2, text: '[gap]', gap: { lines: 7, bytes: 99, reason: 'disk-full' } },
      { seq: 4, at: 3, text: '' },
    ];
    await logs.append('lab', frame(lines, 'agent'));
    expect(await logs.lines(attempt.participantId, 'agent', 0, 10)).toEqual(lines);
    expect(await farm.call('getRawLog', { params: { attempt: attempt.participantId, stream: 'agent' } })).toBe(
      `before\n${long}the end of it\n[gap]\n\n`,
    );
    const page = await farm.call('getLog', { params: { attempt: attempt.participantId }, query: { stream: 'agent' } });
    expect(page.lines).toEqual(lines);
  });

  it('refuses another fence, another agent and an unknown attempt', async () => {
    const lines = [line(5)];
    await expect(logs.append('lab', { ...frame(lines, 'agent'), fence: attempt.fence + 1 })).rejects.toThrow(
      StaleFence,
    );
    await expect(logs.append('other', frame(lines, 'agent'))).rejects.toThrow(StaleFence);
    const unknown = { ...frame(lines, 'agent'), participantId: '00000000-0000-4000-8000-000000000000' };
    await expect(logs.append('lab', unknown)).rejects.toThrow(/not known/);
    expect(await logs.lines(attempt.participantId, 'agent', 5, 10)).toEqual([]);
  });

  it('reads by range and says whether more will come', async () => {
    const page = await farm.call('getLog', {
      params: { attempt: attempt.participantId },
      query: { stream: 'kernel', from: 498, limit: 10 },
    });
    expect(page).toMatchObject({ total: 500, complete: false, lines: [line(498), line(499)] });
  });

  it('knows the first line of each stage by its time, and that some stages have none', async () => {
    const lines = Array.from({ length: 30 }, (_, seq) => ({ seq, at: 10_000 + seq * 100, text: `line ${seq}` }));
    await logs.append('lab', frame(lines, 'agent'));
    const begin = (stage: string, ms: number) =>
      farm.sql.run(
        `insert into attempt_stage (participant_id, stage, status, started_at) values ($1, $2, 'passed', to_timestamp($3))
         on conflict (participant_id, stage) do update set started_at = excluded.started_at`,
        [attempt.participantId, stage, ms / 1000],
      );
    await farm.sql.run('delete from attempt_stage where participant_id = $1', [attempt.participantId]);
    await begin('prepare', 9000);
    await begin('boot', 10_950);
    await begin('verify', 10_960);
    await begin('test', 12_000);
    await begin('restore', 99_000);
    const { stages } = await farm.call('getStageLines', {
      params: { attempt: attempt.participantId, stream: 'agent' },
    });
    expect(stages.map(({ stage, fromSeq }) => [stage, fromSeq])).toEqual([
      // The lines before are those of other tests, of a time before every stage.
      ['prepare', 5],
      ['boot', 10],
      ['verify', 10],
      ['test', 20],
      ['restore', 30],
    ]);
    const unknown = '00000000-0000-4000-8000-000000000000';
    const answer = await farm.request('getStageLines', { params: { attempt: unknown, stream: 'agent' } });
    expect(answer.status).toBe(404);
  });

  it('counts what its lines weigh, close to what Postgres needs for them', async () => {
    const stored = Array.from({ length: 20_000 }, (_, seq) => ({
      seq,
      at: 1,
      text: `[    1.${seq}] p2pvram: page moved é`,
    }));
    await farm.sql.run('truncate log_line');
    for (let from = 0; from < stored.length; from += 2000)
      await logs.append('lab', frame(stored.slice(from, from + 2000), 'build'));
    const [row] = await farm.sql.rows<{ bytes: number; size: number }>(
      `select bytes, pg_total_relation_size('log_line') as size from stream where stream = 'build' and participant_id = $1`,
      [attempt.participantId],
    );
    const ratio = (row?.bytes ?? 0) / (row?.size ?? 1);
    expect(ratio).toBeGreaterThan(0.7);
    expect(ratio).toBeLessThan(1.4);
  });
});
