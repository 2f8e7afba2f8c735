import { existsSync, readFileSync } from 'node:fs';
import { mayMove, mayMoveReservation, type ReservationState } from '@peerlab/contracts';
import { describe, expect, it } from 'vitest';

const root = new URL('../../../../', import.meta.url);
const readme = readFileSync(new URL('README.md', import.meta.url), 'utf8');
const promises = readme.slice(readme.indexOf('## What is promised'), readme.indexOf('## State machines'));
const rows = promises.split('\n').filter((line) => /^\| (?!of \|)[a-z]/.test(line));

/** Tests that a row of the table names, as file and title. */
function testsIn(row: string): { file: string; title: string }[] {
  return [...row.matchAll(/`([\w./-]+\.test\.ts)`: “([^”]+)”/g)].map(([, file = '', title = '']) => ({ file, title }));
}

describe('the table of promises', () => {
  it('speaks of runs, attempts, leases, log lines, results and notifications', () => {
    const subjects = new Set(rows.map((row) => row.split('|')[1]?.trim()));
    for (const subject of ['run', 'attempt', 'lease', 'log line', 'result', 'notification']) {
      expect(subjects).toContain(subject);
    }
  });

  it.each(rows.map((row) => [row.split('|')[2]?.trim() ?? '', row]))('names tests that exist: %s', (_, row) => {
    const tests = testsIn(row);
    expect(tests.length).toBeGreaterThan(0);
    // Every file that is mentioned is mentioned with a title.
    expect(row.match(/\.test\.ts/g)).toHaveLength(tests.length);
    for (const { file, title } of tests) {
      const url = new URL(file, root);
      expect(existsSync(url), file).toBe(true);
      const text = readFileSync(url, 'utf8');
      const found = [`'${title}'`, `\`${title}\``, `"${title}"`].some((quoted) => text.includes(quoted));
      expect(found, `${file} has no test “${title}”`).toBe(true);
    }
  });
});

/** States and arrows that a drawing shows, start and end left out. */
function drawn(heading: string): { states: string[]; arrows: [string, string][] } {
  const section = readme.slice(readme.indexOf(`### ${heading}\n`));
  const diagram = /```mermaid\nstateDiagram-v2\n([\s\S]*?)```/.exec(section)?.[1] ?? '';
  const arrows = [...diagram.matchAll(/^ {2}(\w+) --> (\w+)/gm)].map(([, from = '', to = '']): [string, string] => [
    from,
    to,
  ]);
  return { states: [...new Set(arrows.flat())], arrows };
}

describe.each([
  ['Run', 'run'],
  ['Job', 'job'],
  ['Attempt', 'attempt'],
] as const)('the drawing of a %s', (heading, entity) => {
  it('shows the moves that are allowed, and no others', () => {
    const { states, arrows } = drawn(heading);
    expect(states.length).toBeGreaterThanOrEqual(3);
    const shown = new Set(arrows.map(([from, to]) => `${from} ${to}`));
    for (const from of states) {
      for (const to of states) {
        if (from === to) continue;
        expect(shown.has(`${from} ${to}`), `${from} → ${to}`).toBe(mayMove(entity, from as never, to as never));
      }
    }
  });
});

it('the drawing of a reservation shows the moves that are allowed, and no others', () => {
  const { states, arrows } = drawn('Reservation');
  const shown = new Set(arrows.map(([from, to]) => `${from} ${to}`));
  expect(states).toHaveLength(4);
  for (const from of states) {
    for (const to of states.filter((each) => each !== from)) {
      const may = mayMoveReservation(from as ReservationState, to as ReservationState);
      expect(shown.has(`${from} ${to}`), `${from} → ${to}`).toBe(may);
    }
  }
});
