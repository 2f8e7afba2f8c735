import { execFile, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '@peerlab/controller/testing';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { script } from './command.js';
import { claimCommand, FENCE_REFUSED, fenceOf, fencedCommand, type MachineFence, refusedBy } from './fence.js';

/** Many shells and `sync` calls: minutes on a computer that does something else beside them. */
vi.setConfig({ testTimeout: 180_000 });

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fence-'));
  file = join(folder, 'peerlab.fence');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const OLD: MachineFence = { fence: 17, token: 'aa' };
const NEW: MachineFence = { fence: 23, token: 'bb' };

interface Result {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Runs what a machine would run, in the shell that a machine would use. */
function sh(command: string, shell = '/bin/sh'): Promise<Result> {
  return new Promise((resolve) => {
    const child = execFile(shell, ['-c', command], { timeout: 20_000 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : (child.exitCode ?? null), stdout, stderr });
    });
    // A refused command does not read its input.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end('input\n');
  });
}
const claim = (fence: MachineFence): Promise<Result> => sh(claimCommand(fence, file));
const own = (fence: MachineFence, body: string): Promise<Result> => sh(fencedCommand(body, fence, 'own', true, file));

describe.each(['/bin/sh', '/bin/bash'])('the fence of a machine, in %s', (shell) => {
  const run = (command: string): Promise<Result> => sh(command, shell);

  it('is taken by a higher one, kept by its own execution, and refused to everybody else', async () => {
    expect(await run(claimCommand(OLD, file))).toMatchObject({ code: 0 });
    expect(readFileSync(file, 'utf8')).toBe('17 aa\n');
    expect(await run(claimCommand(OLD, file))).toMatchObject({ code: 0 });
    const twin = await run(claimCommand({ ...OLD, token: 'cc' }, file));
    expect(refusedBy(twin)).toBe(17);
    expect(await run(claimCommand(NEW, file))).toMatchObject({ code: 0 });
    const late = await run(claimCommand(OLD, file));
    expect(late.code).toBe(FENCE_REFUSED);
    expect(refusedBy(late)).toBe(23);
    expect(readFileSync(file, 'utf8')).toBe('23 bb\n');
  });

  it('is not claimed when it cannot be read', async () => {
    expect(await run(claimCommand(NEW, file))).toMatchObject({ code: 0 });
    writeFileSync(join(folder, 'head'), '#!/bin/sh\necho "head: Input/output error" >&2\nexit 1\n', { mode: 0o755 });
    const failing = `PATH=${folder}:$PATH\n${claimCommand(OLD, file)}`;
    expect(await run(failing)).toMatchObject({ code: 1, stderr: 'head: Input/output error\n' });
    expect(readFileSync(file, 'utf8')).toBe('23 bb\n');
  });

  it('lets commands of its attempt through with their input, and refuses those of any other one', async () => {
    const mark = join(folder, 'mark');
    const body = script('grub-install', {}, `cat > ${mark}; echo done`);
    const before = await run(fencedCommand(body, OLD, 'own', true, file));
    expect(refusedBy(before)).toBe(0);
    await run(claimCommand(OLD, file));
    expect(await run(fencedCommand(body, OLD, 'own', true, file))).toMatchObject({ code: 0, stdout: 'done\n' });
    expect(readFileSync(mark, 'utf8')).toBe('input\n');
    rmSync(mark);
    await run(claimCommand(NEW, file));
    expect(refusedBy(await run(fencedCommand(body, OLD, 'own', true, file)))).toBe(23);
    expect(existsSync(mark)).toBe(false);
  });

  it('keeps from restoring only who has the lower one', async () => {
    const restore = (fence: MachineFence): Promise<Result> =>
      run(fencedCommand(script('clean', {}, 'echo clean'), fence, 'not-higher', true, file));
    expect(await restore(OLD)).toMatchObject({ code: 0, stdout: 'clean\n' });
    await run(claimCommand(NEW, file));
    expect(refusedBy(await restore(OLD))).toBe(23);
    expect(await restore({ ...NEW, token: 'after a restart of the agent' })).toMatchObject({ code: 0 });
    expect(await restore({ fence: 24, token: 'x' })).toMatchObject({ code: 0 });
  });

  it.each([
    ['a number of a million digits', '9'.repeat(1_000_000)],
    ['a number of 16 digits', '1000000000000000 x'],
    ['a number below zero', '-5 x'],
    ['bytes that are no text', Buffer.from([0, 255, 0, 10, 0])],
    ['a line of a megabyte', `23${'x'.repeat(1_000_000)}`],
  ])('that is %s counts as none: it is taken, and keeps no one from restoring', async (_, content) => {
    writeFileSync(file, content);
    expect(refusedBy(await run(fencedCommand('true', OLD, 'own', true, file)))).toBe(0);
    expect(await run(fencedCommand('echo clean', OLD, 'not-higher', true, file))).toMatchObject({ stdout: 'clean\n' });
    expect(await run(claimCommand(OLD, file))).toMatchObject({ code: 0, stderr: '' });
    expect(readFileSync(file, 'utf8')).toBe('17 aa\n');
    expect(await run(fencedCommand('echo own', OLD, 'own', true, file))).toMatchObject({ stdout: 'own\n' });
  });

  it('is taken where there is a folder or a pipe instead of the file', async () => {
    for (const path of [file, `${file}.new`, `${file}.lock`]) {
      for (const make of [
        () => mkdirSync(path),
        () => execFileSync('mkfifo', [path]),
        () => symlinkSync('no/x', path),
      ]) {
        rmSync(path, { recursive: true, force: true });
        make();
        expect(await run(claimCommand(OLD, file))).toMatchObject({ code: 0 });
        expect(await run(fencedCommand('echo own', OLD, 'own', true, file))).toMatchObject({ stdout: 'own\n' });
      }
    }
  });

  it('that the controller calls forged counts as none, for this one fence', async () => {
    writeFileSync(file, '9999 ff\n');
    const told = { ...OLD, forged: 9999 };
    expect(refusedBy(await run(claimCommand({ ...OLD, forged: 9998 }, file)))).toBe(9999);
    expect(refusedBy(await run(fencedCommand('true', OLD, 'not-higher', true, file)))).toBe(9999);
    expect(await run(fencedCommand('echo clean', told, 'not-higher', true, file))).toMatchObject({ stdout: 'clean\n' });
    expect(refusedBy(await run(fencedCommand('true', told, 'own', true, file)))).toBe(0);
    expect(await run(claimCommand(told, file))).toMatchObject({ code: 0 });
    expect(readFileSync(file, 'utf8')).toBe('17 aa\n');
    expect(fenceOf(fencedCommand('true', told, 'own', true, file))).toEqual({ ...told, mode: 'own' });
  });

  it('is no obstacle to restoring where it can be neither locked nor read', async () => {
    const nowhere = join(folder, 'missing', 'peerlab.fence');
    const result = await run(fencedCommand('echo clean', OLD, 'not-higher', true, nowhere));
    expect(result).toMatchObject({ code: 0, stdout: 'clean\n' });
    writeFileSync(file, 'what a broken disk\nleft\n');
    expect(await run(fencedCommand('echo clean', OLD, 'not-higher', true, file))).toMatchObject({ code: 0 });
    expect(refusedBy(await run(fencedCommand('true', OLD, 'own', true, file)))).toBe(0);
  });
});

describe('a fence that changes hands', () => {
  it('waits for the command that is under way', async () => {
    await claim(OLD);
    const go = join(folder, 'go');
    const body = script('clean', {}, `touch ${folder}/begun; until [ -e ${go} ]; do sleep 0.02; done; echo end`);
    const running = own(OLD, body);
    await eventually('the command', () => existsSync(join(folder, 'begun')));
    let claimed = false;
    const claiming = claim(NEW).then((result) => {
      claimed = true;
      return result;
    });
    // The claim waits in the kernel for the lock: /proc/locks shows a blocked one.
    const blocked = (): true | undefined => (/->.*FLOCK/.test(readFileSync('/proc/locks', 'utf8')) ? true : undefined);
    await eventually('the claim to wait', blocked);
    expect(claimed).toBe(false);
    expect(readFileSync(file, 'utf8')).toBe('17 aa\n');
    writeFileSync(go, '');
    expect(await running).toMatchObject({ code: 0, stdout: 'end\n' });
    expect(await claiming).toMatchObject({ code: 0 });
    expect(refusedBy(await own(OLD, 'true'))).toBe(23);
  });

  it('of twenty attempts at once exactly the highest has it in the end, and nobody else acts after that', async () => {
    const all = Array.from({ length: 20 }, (_, i) => ({ fence: i + 1, token: `t${i}` }));
    const results = await Promise.all(all.map(claim));
    expect(results.at(-1)?.code).toBe(0);
    expect(readFileSync(file, 'utf8')).toBe('20 t19\n');
    const acted = await Promise.all(all.map((fence) => own(fence, 'true')));
    expect(acted.map(({ code }) => code)).toEqual([...Array.from({ length: 19 }, () => FENCE_REFUSED), 0]);
  });

  it('holds no lock while a command runs that reads or that takes long', async () => {
    await claim(OLD);
    const long = spawn('/bin/sh', ['-c', fencedCommand('echo up; exec sleep 60', OLD, 'own', false, file)]);
    await new Promise((resolve) => long.stdout.once('data', resolve));
    expect(await claim(NEW)).toMatchObject({ code: 0 });
    long.kill();
    expect(fencedCommand(script('identify', {}, 'true'), OLD, 'own', true, file)).not.toContain('flock');
  });
});

it('what a command compares with can be read from it, behind what it is for', () => {
  const command = fencedCommand(script('reboot', {}, 'reboot'), OLD, 'own', true);
  expect(command.split('\n')[0]).toBe('# peerlab reboot {}');
  expect(fenceOf(command)).toEqual({ ...OLD, mode: 'own' });
  expect(fenceOf('reboot')).toBeNull();
});
