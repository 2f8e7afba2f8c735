import {
  CompareQuery,
  HistoryQuery,
  LiveTopic,
  mailHeaderEnd,
  Name,
  parsePatch,
  renderReport,
  RunSpec,
  storableLines,
} from '@peerlab/contracts';
import { growthOf } from '@peerlab/contracts/testing';
import { describe, expect, it } from 'vitest';
import { joinMbox, readMbox, splitMbox } from '../builds/series-text.js';
import { snapshotOf } from '../channels/change-feed.js';
import { farmCatalogue } from '../fleet/catalogue.js';
import { bearerOf } from '../platform/auth/token.service.js';
import { AllowedHosts } from '../platform/http/allowed-hosts.js';
import { readHost } from '../platform/http/host-name.js';
import { isHashedAsset, pathOf } from '../platform/http/web-files.js';
import { escapeXml } from '../runs/badge.js';
import { nearestName } from '../runs/nearest-name.js';
import { planRun } from '../runs/planning.js';
import { readSubmission } from '../runs/submission.js';
import { leadingComment } from '../runs/templates.js';
import { SAMPLE_CATALOGUE } from './samples.js';

/** Twice is linear; more than three times is not, whatever else the computer does. */
const GROWTH_MAX = 3;

const times = (part: string, size: number): string => part.repeat(Math.ceil(size / part.length));
const numbered = (size: number, part: (index: number) => string): string => {
  const parts: string[] = [];
  for (let length = 0; length < size; length += parts.at(-1)?.length ?? 1) parts.push(part(parts.length));
  return parts.join('');
};
const hosts = new AllowedHosts({ host: '127.0.0.1', hosts: ['farm.example'] });
const report = (message: string): string =>
  renderReport({
    run: {
      id: '',
      name: '',
      state: 'ended',
      createdAt: '',
      endedAt: null,
      verdict: null,
      counts: {},
      jobs: { total: 1, ended: 1 },
      progress: null,
    },
    builds: [],
    suites: [],
    matrix: [],
    findings: [],
    known: [],
    failures: [
      {
        kind: 'test',
        place: { machine: 'm', build: 'b', name: 'm/b' },
        class: 'infrastructure',
        role: null,
        message,
      },
    ],
    skips: [],
    unrun: [],
    slowest: [],
    timed: 0,
    attempts: {},
    suspects: [],
    machines: [],
    isVirtual: false,
  });

const yaml = (text: string): unknown => readSubmission(text);
const patch = (text: string): unknown => [parsePatch(text), parsePatch(text, { lines: false })];
/** As many machines as names, none of which is right. */
function plan(text: string): unknown {
  const names = text.split(',');
  const fleet = names.map((name) => ({ name: name.toUpperCase(), labels: {}, configured: true, paths: [] }));
  const spec = RunSpec.parse({ name: 'x', builds: [{ name: 'a', series: [] }] });
  return planRun({ ...spec, machines: { names } }, fleet, {
    bundles: new Map(),
    artifacts: new Set(),
    anyPair: new Set(),
    catalogue: farmCatalogue([{ catalogue: SAMPLE_CATALOGUE, builds: true }]),
  });
}
const FROM = 'From 0123 Mon Sep 17 00:00:00 2001\n';
const DIFF = '--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n';

/** What reads text of others, with an input that is as bad for it as we can think of. */
const CASES: [name: string, work: (text: string) => unknown, worst: (size: number) => string][] = [
  ['a run: unknown fields', yaml, (size) => `name: x\n${numbered(size, (index) => `k${index}: 1\n`)}`],
  ['a run: one key again and again', yaml, (size) => times('a: 1\n', size)],
  ['a run: keys in brackets', yaml, (size) => `{${numbered(size, (index) => `k${index}: 1,`)}}`],
  ['a run: builds without a name', yaml, (size) => `name: x\nbuilds:\n${times('  - {}\n', size)}`],
  ['a run: many machines', yaml, (size) => `machines:\n  names:\n${numbered(size, (index) => `  - m${index}/\n`)}`],
  ['a run: opening brackets', yaml, (size) => times('[', size)],
  ['a run: closing brackets', yaml, (size) => `[${times('}', size)}`],
  ['a run: dashes', yaml, (size) => times('- ', size)],
  ['a run: aliases', yaml, (size) => `- &a x\n${times('- *a\n', size)}`],
  ['a run: anchors', yaml, (size) => numbered(size, (index) => `- &a${index} x\n`)],
  ['a run: quotes that stay open', yaml, (size) => times('- "a\n', size)],
  ['a run: blanks in a text', yaml, (size) => `name: "a${times(' ', size)}b\n  c"\n`],
  ['a run: empty lines in a text', yaml, (size) => `name: |\n  a\n${times('\n', size)}  b\n`],
  ['a run: a long key', yaml, (size) => `${times('x', size)}: 1\n`],
  ['a run: dots in a key', yaml, (size) => `${times('.a', size)}: 1\n`],
  ['a run: patches', yaml, (size) => `name: x\nbuilds:\n- name: a\n  series:\n  - mbox: |\n${times('     +\n', size)}`],
  ['names of machines that are none', plan, (size) => numbered(size, (index) => `machine-with-a-name-${index},`)],
  ['a near name', (text) => nearestName(text, ['series', 'machines']), (size) => times('series', size)],
  ['the comment of a template', leadingComment, (size) => times('#\t', size) + times('\n# ', size)],

  ['a patch: a git line with U+2028', patch, (size) => `diff --git a/${times(' b/', size)}\u2028\n`],
  ['a patch: a git line with a bare return', patch, (size) => `diff --git a/${times('x b/', size)}\r`],
  ['a patch: tabs in a name', patch, (size) => `--- ${times('x\t', size)}\u2028\n+++ b${times('\t', size)}\u2028\n`],
  ['a patch: quotes in a name', patch, (size) => `--- a\n+++ ${times('"', size)}\u2028"x\n`],
  ['a patch: a hunk line', patch, (size) => `diff --git a/x b/x\n@@ -1 +1 @@${times(' @@', size)}\u2028\n`],
  ['a patch: many hunks', patch, (size) => `diff --git a/x b/x\n${times('@@ -1,9 +1,9 @@\n', size)}`],
  ['a patch: many files', patch, (size) => times('diff --git a/x b/x\n', size)],
  ['a patch: many short lines', patch, (size) => `${DIFF.replace('-1 +1', '-1 +1,999999999')}${times('+\n', size)}`],
  ['a patch: brackets in the subject', patch, (size) => `Subject: ${times('[', size)}\n\n${DIFF}`],
  ['a patch: prefixes of the subject', patch, (size) => `Subject: ${times(' [a]', size)}x\n\n${DIFF}`],
  ['a patch: encoded words', patch, (size) => `Subject: ${times('=?utf-8?q?=', size)}\n\n${DIFF}`],
  ['a patch: one encoded word', patch, (size) => `Subject: =?utf-8?q?${times('=C3=B6', size)}?=\n\n${DIFF}`],
  ['a patch: blanks between words', patch, (size) => `Subject: ?=${times(' ', size)}x\n\n${DIFF}`],
  ['a patch: folded header lines', patch, (size) => `Subject: a\n${times(' \t\n', size)}\n${DIFF}`],
  ['the header of a mail', mailHeaderEnd, (size) => `From ${times('a:\n', size)}`],
  ['an mbox: subjects', readMbox, (size) => times(`${FROM}Subject: [0/\n\n${DIFF}`, size)],
  ['an mbox: a long subject', readMbox, (size) => `${FROM}Subject: ${times('[0/', size)}\n\n`],
  ['an mbox: separators', splitMbox, (size) => times(FROM, size)],
  ['an mbox: nearly separators', splitMbox, (size) => times(`From ${' '.repeat(40)}\n`, size)],
  ['an mbox: quoted lines', splitMbox, (size) => `${FROM}${DIFF}${times('>', size)}\n${FROM}${DIFF}`],
  ['an mbox: names of files', splitMbox, (size) => `${FROM}\n${times('--- x\r', size)}`],
  ['an mbox: an encoding', splitMbox, (size) => `${FROM}Content-Transfer-Encoding:${times(' ', size)}\n\n${DIFF}`],
  ['an mbox that is written', (text) => joinMbox([Buffer.from(text)]), (size) => times('>', size)],

  ['a token', bearerOf, (size) => `Bearer ${times('x', size)} `],
  ['a host', readHost, (size) => times('a.', size)],
  ['an IPv6 host', readHost, (size) => `[${times(':', size)}`],
  ['an origin', (text) => hosts.allowsOrigin(text, text), (size) => `http://${times('a.', size)}`],
  ['a path', pathOf, (size) => times('/%41', size)],
  ['the name of an asset', isHashedAsset, (size) => `/assets/${times('-', size)}`],
  ['the name of an asset, with dots', isHashedAsset, (size) => `/assets/${times('-aaaaaaaa.', size)}/`],
  ['a cursor', (text) => snapshotOf(text, 'p'), (size) => `p/1:9:${times('5,', Math.min(size, 16_000))}`],
  ['a live topic', (text) => LiveTopic.safeParse(text), (size) => `run:${times('a', size)}`],
  ['a name', (text) => Name.safeParse(text), (size) => `${times('a', size)}!`],
  ['a side of a comparison', (text) => CompareQuery.safeParse({ a: text }), (size) => times('a~', size)],
  ['a place in a history', (text) => HistoryQuery.safeParse({ before: text }), (size) => times('a~', size)],
  ['a label of a badge', escapeXml, (size) => times('<&\u0000', size)],
  ['a message in a report: blanks', report, (size) => times(' ', size)],
  ['a message in a report: lines', report, (size) => times(' \n ', size)],
  ['lines of a log', storableLines, (size) => times('\u0000\ud83d', size)],
];

describe('twice the input takes about twice the time', () => {
  it.each(CASES)('%s', async (_name, work, worst) => {
    const growth = await growthOf(worst, work);
    expect(growth.perDoubling, JSON.stringify(growth)).toBeLessThan(GROWTH_MAX);
  });
});
