import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Session } from '../machine/protocols.js';
import { holdScript, holdUpgrades, releaseScript, UPGRADING } from './held-upgrades.js';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'held-'));
  mkdirSync(join(root, 'bin'));
  mkdirSync(join(root, 'run'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** A systemctl with these units active, which notes what else it is told. */
function run(
  text: string,
  active: string[],
): { status: number | null; stdout: string; stderr: string; told: string[] } {
  const calls = join(root, 'calls');
  rmSync(calls, { force: true });
  writeFileSync(
    join(root, 'bin/systemctl'),
    `#!/bin/sh
case "$1" in
is-active) case " ${active.join(' ')} " in *" $2 "*) echo active ;; *) echo inactive; exit 3 ;; esac ;;
*) echo "$*" >>${calls} ;;
esac\n`,
    { mode: 0o755 },
  );
  const ran = spawnSync('/bin/sh', ['-c', text], {
    encoding: 'utf8',
    env: { PATH: `${join(root, 'bin')}:/usr/bin:/bin` },
  });
  const told = existsSync(calls) ? readFileSync(calls, 'utf8').trim().split('\n') : [];
  return { status: ran.status, stdout: ran.stdout, stderr: ran.stderr, told };
}

it('holds the timers that are active until the next boot, and gives back those alone', () => {
  const held = run(holdScript(root), ['apt-daily.timer', 'apt-daily-upgrade.timer']);
  expect(held).toMatchObject({ status: 0, stdout: 'apt-daily.timer\napt-daily-upgrade.timer\n' });
  expect(held.told).toEqual([
    '--quiet mask --runtime --now apt-daily.timer',
    '--quiet mask --runtime --now apt-daily-upgrade.timer',
  ]);
  // Held already: nothing more to stop.
  expect(run(holdScript(root), []).told).toEqual([]);
  expect(run(releaseScript(root), []).told).toEqual([
    '--quiet unmask --runtime apt-daily.timer',
    'start apt-daily.timer',
    '--quiet unmask --runtime apt-daily-upgrade.timer',
    'start apt-daily-upgrade.timer',
  ]);
  expect(run(releaseScript(root), [])).toMatchObject({ status: 0, told: [] });
});

it('never interrupts an upgrade that runs: the attempt is refused', async () => {
  const busy = run(holdScript(root), ['apt-daily-upgrade.service', 'apt-daily.timer']);
  expect(busy).toMatchObject({ status: UPGRADING, told: [] });
  const exec = () => Promise.resolve({ stdout: '', stderr: busy.stderr, code: busy.status, signal: null });
  await expect(
    holdUpgrades({ exec } as unknown as Session, 'epyc-1', new AbortController().signal),
  ).rejects.toMatchObject({ message: expect.stringContaining('epyc-1 upgrades its packages') });
});
