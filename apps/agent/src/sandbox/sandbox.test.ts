import { spawn } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '@peerlab/controller/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type BuildAccount, buildAccount } from './account.js';
import { remedyFor, whyNoSandbox } from './probe.js';
import { type Sandbox, sandboxCommand } from './sandbox.js';
import { seccompFilter } from './seccomp.js';
import { descendantsOf, killSandbox } from './watch.js';

/** `nobody` on Debian: an agent without any right, as that of the systemd unit. */
const NOBODY = 65_534;
const isRoot = process.getuid?.() === 0;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sandbox-'));
  chmodSync(folder, 0o755);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface Mode {
  name: string;
  account: BuildAccount | null;
  /** Owner of what the sandbox may write. */
  owner: number;
  /** Becomes the agent that starts the sandbox. */
  prefix: string[];
}
const MODES: Mode[] = isRoot
  ? [
      { name: 'of a root agent', account: buildAccount(), owner: buildAccount()?.uid ?? 0, prefix: [] },
      {
        name: 'of an agent without rights',
        account: null,
        owner: NOBODY,
        // As systemd does for NoNewPrivileges= and CapabilityBoundingSet=.
        prefix:
          `setpriv --reuid=${NOBODY} --regid=${NOBODY} --clear-groups --inh-caps=-all --bounding-set=-all --no-new-privs`.split(
            ' ',
          ),
      },
    ]
  : [{ name: 'of an agent without rights', account: null, owner: process.getuid?.() ?? 0, prefix: [] }];

const LIMITS = {
  memoryBytes: 2 * 1024 ** 3,
  processes: 100,
  diskBytes: 1024 ** 3,
  files: 1000,
  cpuSeconds: 60,
  fileBytes: 1024 ** 2,
};

function owned(name: string, { owner }: Mode): string {
  const path = join(folder, name);
  mkdirSync(path);
  if (isRoot) chownSync(path, owner, owner);
  return path;
}

/** The shared folder `lower` with a file, as an overlay at /shared; /out is writable. */
function sandboxOf(script: string, mode: Mode, more: Partial<Sandbox> = {}): Sandbox {
  const lower = owned('lower', mode);
  writeFileSync(join(lower, 'file'), 'pristine\n');
  if (isRoot) chownSync(join(lower, 'file'), mode.owner, mode.owner);
  const seccompFile = join(folder, 'seccomp');
  writeFileSync(seccompFile, seccompFilter());
  return {
    command: ['bash', '-c', script],
    cwd: '/out',
    environment: { GIVEN: 'yes' },
    readOnly: [],
    writable: [{ from: owned('out', mode), to: '/out' }],
    overlays: [{ from: lower, to: '/shared', changes: owned('changes', mode), scratch: owned('scratch', mode) }],
    lock: null,
    limits: LIMITS,
    seccompFile,
    ...more,
  };
}

function start(sandbox: Sandbox, mode: Mode) {
  const [program = '', ...args] = [...mode.prefix, ...sandboxCommand(sandbox, mode.account)];
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
  }
  const ended = new Promise<{ code: number | null; output: string }>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, output }));
  });
  return { child, ended, output: () => output };
}
const run = (sandbox: Sandbox, mode: Mode) => start(sandbox, mode).ended;

describe.each(MODES)('the sandbox $name', (mode) => {
  it('shows /usr and what is shared, keeps changes apart, and gives the exit code', async () => {
    const { code, output } = await run(
      sandboxOf('id; ls /; env | sort; echo mine >/shared/file; cat /shared/file; cp /shared/file /out/; exit 7', mode),
      mode,
    );
    expect(code, output).toBe(7);
    expect(output).toContain('uid=1000 gid=1000');
    expect(output).toMatch(/^bin\ndev\netc\nlib\n(?:lib32\n)?lib64\n(?:libx32\n)?out\nproc\nsbin\nshared\nusr$/m);
    expect(output).toMatch(/^GIVEN=yes$/m);
    expect(output).not.toMatch(/npm_|VITEST|^USER=/m);
    expect(readFileSync(join(folder, 'lower/file'), 'utf8')).toBe('pristine\n');
    expect(readFileSync(join(folder, 'out/file'), 'utf8')).toBe('mine\n');
  });

  it('writes as an account of its own, and to nothing that is not shared', async () => {
    const places = '/ /usr /etc /dev /proc/sys/kernel /proc/self/oom_score_adj/..';
    const { output } = await run(
      sandboxOf(
        `for p in ${places}; do (: >$p/new) 2>/dev/null && echo "WROTE $p"; done; : >/out/mine; stat -c %u /usr/bin`,
        mode,
      ),
      mode,
    );
    expect(output).not.toContain('WROTE');
    // Root's files are nobody's inside.
    expect(output.trim()).toBe(String(NOBODY));
    expect(existsSync(join(folder, 'out/mine'))).toBe(true);
  });

  it('keeps each process within its limits', async () => {
    const { output } = await run(
      sandboxOf(
        `ulimit -a | grep -E 'file size|processes|open files|virtual|core|cpu'
head -c 2000000 /dev/zero >/out/large || echo "file: refused"
perl -e '$x = "x" x (3 << 30)' || echo "memory: refused"`,
        mode,
      ),
      mode,
    );
    expect(output).toMatch(/max user processes\s+\(-u\) 100$/m);
    expect(output).toMatch(/core file size\s.*\) 0$/m);
    expect(output).toMatch(/file: refused/);
    expect(output).toMatch(/memory: refused/);
  });

  it('ends in its own way on SIGTERM to the group, and wholly on SIGKILL', async () => {
    const polite = start(
      sandboxOf(`trap 'echo stopping; exit 3' TERM; echo ready; while :; do sleep 0.05; done`, mode),
      mode,
    );
    await eventually('its start', () => polite.output().includes('ready'));
    process.kill(-(polite.child.pid ?? 0), 'SIGTERM');
    expect(await polite.ended).toMatchObject({ code: 3, output: expect.stringContaining('stopping') });

    for (const name of ['lower', 'out', 'changes', 'scratch'])
      rmSync(join(folder, name), { recursive: true, force: true });
    const stubborn = start(sandboxOf(`trap '' TERM; setsid sleep 600 & echo ready; wait`, mode), mode);
    await eventually('its start', () => stubborn.output().includes('ready'));
    const pids = descendantsOf(stubborn.child.pid ?? 0);
    expect(pids.length).toBeGreaterThanOrEqual(4);
    process.kill(-(stubborn.child.pid ?? 0), 'SIGKILL');
    await stubborn.ended;
    await eventually('the end of all', () => !pids.some((pid) => existsSync(`/proc/${pid}`)));
  });

  it('ends when the process that started it is killed', async () => {
    const inside = sandboxOf('setsid sleep 600 </dev/null >/dev/null 2>&1 & echo ready; exec sleep 600', mode);
    const command = [...mode.prefix, ...sandboxCommand(inside, mode.account)];
    const starter = spawn('sh', ['-c', '"$@" & wait', 'sh', ...command], { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    starter.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
    await eventually('its start', () => output.includes('ready'));
    const pids = descendantsOf(starter.pid ?? 0);
    expect(pids.length).toBeGreaterThanOrEqual(5);
    starter.kill('SIGKILL');
    await eventually('the end of all', () => !pids.some((pid) => existsSync(`/proc/${pid}`)));
  });

  it('is killed so that its outermost process ends last', async () => {
    const sandbox = start(sandboxOf(`trap '' TERM; setsid sleep 600 & echo ready; wait`, mode), mode);
    await eventually('its start', () => sandbox.output().includes('ready'));
    const [outermost = 0, ...others] = descendantsOf(sandbox.child.pid ?? 0);
    killSandbox(outermost);
    await new Promise((resolve) => sandbox.child.on('exit', resolve));
    expect(others.filter((pid) => existsSync(`/proc/${pid}`))).toEqual([]);
  });

  it('shares its lock with readers, and waits for a writer', async () => {
    const locks = owned('locks', mode);
    const lock = (exclusive: boolean) => ({ gate: join(locks, 'gate'), file: join(locks, 'lock'), exclusive });
    const waiting = 'until [ -e /out/go ]; do sleep 0.05; done; echo over';
    const reader = start(sandboxOf(`echo in; ${waiting}`, mode, { lock: lock(false) }), mode);
    const shared = { overlays: [], lock: lock(false), writable: [] };
    const others = (exclusive: boolean) =>
      start({ ...sandboxBase(), ...shared, cwd: '/', command: ['echo', 'in'], lock: lock(exclusive) }, mode);
    function sandboxBase(): Sandbox {
      return {
        command: [],
        cwd: '/',
        environment: {},
        readOnly: [],
        writable: [],
        overlays: [],
        lock: null,
        limits: LIMITS,
        seccompFile: join(folder, 'seccomp'),
      };
    }
    await eventually('the first reader', () => reader.output().includes('in'));
    expect(await others(false).ended).toMatchObject({ code: 0, output: 'in\n' });
    const writer = others(true);
    await eventually('the writer', () => writer.output().includes('waiting'));
    // It waits for its turn, so that readers without end do not keep it out.
    const late = others(false);
    await eventually('the late reader', () => late.output().includes('waiting'));
    expect(writer.output()).not.toMatch(/^in$/m);
    writeFileSync(join(folder, 'out/go'), '');
    expect(await reader.ended).toMatchObject({ code: 0 });
    expect(await writer.ended).toMatchObject({ code: 0, output: expect.stringMatching(/^in$/m) });
    expect(await late.ended).toMatchObject({ code: 0, output: expect.stringMatching(/^in$/m) });
  });
});

it('says what to do where it does not work', async () => {
  expect(await whyNoSandbox(folder)).toBeNull();
  expect(remedyFor('unshare: unshare failed: Operation not permitted', null)).toMatch(
    /kernel\.unprivileged_userns_clone=1.*systemd unit/,
  );
  expect(remedyFor('sh: 1: bwrap: not found', null)).toMatch(/apt-get install bubblewrap/);
  expect(remedyFor('mount: /mnt/0: wrong fs type, bad option, bad superblock on overlay', null)).toMatch(
    /ext4, xfs, btrfs/,
  );
});

it('drops to an account of its own as root, and to none else', () => {
  expect(buildAccount(1000, '')).toBeNull();
  expect(buildAccount(0, 'root:x:0:0::/root:/bin/sh\n')).toMatchObject({ uid: expect.any(Number) });
  expect(buildAccount(0, 'peerlab-build:x:990:991::/:/bin/false\n')).toEqual({ uid: 990, gid: 991 });
  expect(() => buildAccount(0, 'peerlab-build:x:0:0::/:/bin/false\n')).toThrow('above 0');
});

it('refuses a path that an overlay would misread', () => {
  const overlay = { from: '/a:b', to: '/x', changes: '/c', scratch: '/d' };
  const sandbox = {
    command: [],
    cwd: '/',
    environment: {},
    readOnly: [],
    writable: [],
    lock: null,
    limits: LIMITS,
    seccompFile: '/s',
  };
  expect(() => sandboxCommand({ ...sandbox, overlays: [overlay] }, null)).toThrow('/a:b');
});
