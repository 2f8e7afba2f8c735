import { SubmissionReport } from '@peerlab/contracts';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { TestFarm } from '../testing/farm.js';

let farm: TestFarm;
beforeAll(async () => {
  farm = await TestFarm.start();
});
afterAll(() => farm.stop());

const DIFF = '--- a/x.c\n+++ b/x.c\n@@ -1 +1 @@\n-a\n+b\n';
const mail = (subject: string): string => `From 0123 Mon Sep 17 00:00:00 2001\nSubject: ${subject}\n\n${DIFF}\n`;
const yamlOf = (mbox: string): string =>
  JSON.stringify({ name: 'r', builds: [{ name: 'mine', series: ['bundled', { mbox }] }] });

it('a text that is no mail is refused with its field and the remedy, by the check and by the submission', async () => {
  const agent = await farm.agent({ m1: 'BUS_ADDR' });
  const body = { yaml: 'name: r\nbuilds:\n  - name: mine\n    series:\n      - mbox: "this is no mail"\n' };
  const expected = {
    path: 'builds.0.series.0.mbox',
    message: 'there is no patch in this text',
    remedy: expect.stringContaining('git format-patch --stdout') as unknown,
    line: 5,
    column: 15,
  };
  expect(await farm.call('checkRun', { body })).toMatchObject({ ok: false, problems: [expected], series: [] });
  const refused = await farm.request('submitRun', { body });
  expect(refused.status).toBe(422);
  expect(await refused.json()).toMatchObject({ errors: [expected] });
  expect(await farm.call('listRuns', {})).toEqual([]);

  const report = await farm.call('checkRun', { body: { yaml: yamlOf(mail('[PATCH v2] mm: one') + mail('two')) } });
  const named = { build: 'mine', buildIndex: 0, index: 1, patches: 2, subjects: ['mm: one', 'two'] };
  expect(report).toMatchObject({ ok: true, series: [named] });

  const many = await farm.call('checkRun', { body: { yaml: yamlOf(mail('x').repeat(60)) } });
  expect(SubmissionReport.parse(many).series[0]).toMatchObject({ patches: 60, subjects: { length: 50 } });
  agent.vanish();
});
