import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { heartbeat } from './heartbeat.js';

const run = (body: string): number[] => {
  const text = `file=$(mktemp); trap 'rm -f "$file"' EXIT; ${heartbeat('"$file"', 1, 0.1)}
${body}
kill "$beat"; wait "$beat" 2>/dev/null`;
  const { stdout, status } = spawnSync('/bin/sh', ['-c', text], { encoding: 'utf8', timeout: 60_000 });
  expect(status).not.toBeNull();
  return stdout.trim().split('\n').map(Number);
};

it('prints a size whenever the file has grown, and nothing when it has not', () => {
  const grown = run('for word in a b c; do echo $word >>"$file"; sleep 1; done');
  expect(grown).toEqual([...new Set(grown)].sort((a, b) => a - b));
  expect(grown.at(-1)).toBe(6);
  expect(run('sleep 1')).toEqual([0]);
});

it('ends with its shell, whatever ended that', () => {
  const text = `file=$(mktemp); ${heartbeat('"$file"', 1, 0.1)}\nrm "$file"; kill -KILL $$`;
  // Its output is closed only when the last process that has it has ended; otherwise this runs into its limit.
  const { error, signal } = spawnSync('/bin/sh', ['-c', text], { encoding: 'utf8', timeout: 20_000 });
  expect([error, signal]).toEqual([undefined, 'SIGKILL']);
});
