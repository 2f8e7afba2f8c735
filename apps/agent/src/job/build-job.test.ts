import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Assignment, AttemptEvent, SeriesSource } from '@peerlab/contracts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeFakeBundle } from '../fake/fake-bundle.js';
import { AttemptSpool } from '../spool/attempt-spool.js';
import { until } from '../timing.js';
import type { Artifacts } from './artifacts.js';
import { type BuildSettings, type BuildWork, runBuildJob } from './build-job.js';
import { JobFailure } from './failure.js';

/** Stands in for the kernel's own script; speaks its protocol and does what the series says. */
const SCRIPT = `#!/bin/bash
set -eu
echo "$@" >> "$0.calls"
out= key=
while [ $# -gt 0 ]; do
  case $1 in
    --out) out=$2; shift ;;
    --key) key=1 ;;
    --series) series=$2; shift ;;
  esac
  shift
done
if [ -n "$key" ]; then echo "KEY_HERE"; exit 0; fi
case $series in
  *mutants/wont-apply.mbox) echo '@error {"class":"apply","patch":"0003-x.patch","file":"mm/hmm.c","hunk":2,"line":311,"detail":"context differs"}'; exit 10 ;;
  *mutants/fails.patch) echo '@error {"class":"compile","file":"mm/hmm.c","line":300,"detail":"error: boom"}'; exit 11 ;;
  *mutants/slow.patch) sleep 60 & echo $! > "$0.child"; echo "compiling" >&2; wait ;;
  *mutants/odd.patch) echo "configuration is odd" >&2; exit 2 ;;
esac
[ ! -f "$series" ] || cp "$series" "$0.series"
echo "@progress 10 CC mm/hmm.o"; echo "  CC mm/hmm.o" >&2; echo "@progress 100 done"
cp -r "BUNDLE_HERE" "$out"
echo "@bundle $out"
`;

let folder: string;
let settings: BuildSettings;
let spool: AttemptSpool;
let key: string;
let missing: string[];
let stored: boolean;
let uploads: { sha256: string; bytes: Buffer }[];
let script: string;
let stop: AbortController;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'build-'));
  const { manifest, sha256, sizeBytes } = await makeFakeBundle(folder, [{ name: 'p2p-functional' }]);
  key = manifest.key;
  stored = false;
  missing = [];
  uploads = [];
  stop = new AbortController();
  const kernelDir = join(folder, 'kernel');
  mkdirSync(join(kernelDir, 'scripts'), { recursive: true });
  mkdirSync(join(kernelDir, 'mutants'));
  for (const name of ['wont-apply.mbox', 'fails.patch', 'slow.patch', 'odd.patch']) {
    writeFileSync(join(kernelDir, 'mutants', name), '');
  }
  script = join(kernelDir, 'scripts', 'build-bundle.sh');
  writeFileSync(script, SCRIPT.replace('KEY_HERE', key).replace('BUNDLE_HERE', join(folder, 'bundle')));
  chmodSync(script, 0o755);
  const artifacts: Artifacts = {
    async download(digest, path) {
      writeFileSync(path, `series ${digest}`);
    },
    async upload(digest, path) {
      uploads.push({ sha256: digest, bytes: readFileSync(path) });
    },
    async findBundle() {
      return stored ? { manifest, bundle: { sha256, sizeBytes }, missingPatches: missing } : null;
    },
  };
  settings = { kernelDir, cacheDir: join(folder, 'cache'), artifacts };
});
afterEach(() => {
  spool.close();
  rmSync(folder, { recursive: true, force: true });
});

let attempts = 0;
async function build(...series: SeriesSource[]): Promise<AttemptEvent[]> {
  const work: BuildWork = { kind: 'build', buildName: 'patched', series, config: 'peerlab' };
  attempts += 1;
  const attemptId = `b2f5c1de-6c3f-4b5c-9c38-${String(attempts).padStart(12, '0')}`;
  const assignment: Assignment = { attemptId, runId: attemptId, fence: 1, work };
  spool = AttemptSpool.create(join(folder, 'spool'), assignment);
  await runBuildJob(settings, assignment, work, spool, stop.signal);
  return spool
    .file('events')
    .read(0, 1e6, 1e9)
    .flatMap((entry) => ('event' in entry ? [entry.event] : []));
}
const calls = (): string => readFileSync(`${script}.calls`, 'utf8');
const types = (events: AttemptEvent[]): string[] =>
  events.map((event) => (event.type === 'stage' ? `${event.stage} ${event.status}` : event.type));

describe('a build job', () => {
  it('asks for the key, builds, packs and uploads', async () => {
    const events = await build('bundled');
    expect(types(events)).toEqual([
      'fetch started',
      'fetch passed',
      'build started',
      'build-progress',
      'build-progress',
      'build passed',
      'upload started',
      'built',
      'upload passed',
      'finished',
    ]);
    expect(events.at(-1)).toMatchObject({ failure: null, restored: true, lineCounts: { build: 3 } });
    expect(calls()).toContain(
      `--cache ${settings.cacheDir} --config peerlab --out ${join(settings.cacheDir, 'bundles', key)} --series bundled`,
    );
    const built = events.find((event) => event.type === 'built');
    expect(built).toMatchObject({ manifest: { key }, cached: false, bundle: { sha256: uploads[0]?.sha256 } });
  });

  it('packs the same bundle into the same bytes, and builds it only once', async () => {
    await build('bundled');
    spool.close();
    const events = await build('bundled');
    expect(types(events)).toContain('build skipped');
    expect(uploads).toHaveLength(2);
    expect(uploads[0]?.sha256).toBe(uploads[1]?.sha256);
    expect(uploads[0]?.bytes.equals(uploads[1]?.bytes ?? Buffer.alloc(0))).toBe(true);
  });

  it('does nothing when the controller holds the bundle', async () => {
    stored = true;
    const events = await build();
    expect(types(events)).toEqual([
      'fetch started',
      'fetch passed',
      'built',
      'build skipped',
      'upload skipped',
      'finished',
    ]);
    expect(events[2]).toMatchObject({ cached: true });
    expect(calls()).toContain('--series none');
  });

  it('stores the text of patches that the controller lacks, and only of those', async () => {
    const splitter = new URL('../../../../kernel/scripts/split-series.pl', import.meta.url);
    copyFileSync(splitter, join(settings.kernelDir, 'scripts', 'split-series.pl'));
    const patch = (name: string): string =>
      `From x Mon Sep 17 00:00:00 2001\nSubject: ${name}\n\n---\n--- a/${name}\n+++ b/${name}\n@@ -1 +1 @@\n-a\n+b\n`;
    const digest = (text: string): string => createHash('sha256').update(text).digest('hex');
    stored = true;
    missing = [digest(patch('two')), 'f'.repeat(64)];
    const events = await build({ mbox: patch('one') + patch('two') });
    expect(uploads).toEqual([{ sha256: missing[0], bytes: Buffer.from(patch('two')) }]);
    expect(events.at(-1)).toMatchObject({ failure: null });
    spool.close();

    // Without a splitter the kernel is as good, and the log says what is missing.
    rmSync(join(settings.kernelDir, 'scripts', 'split-series.pl'));
    expect((await build({ mbox: patch('one') })).at(-1)).toMatchObject({ failure: null });
    const said = spool.file('agent').read(0, 1e6, 1e9);
    expect(JSON.stringify(said)).toContain('patches: their text was not stored');
  });

  it('hands over mbox text and uploaded series as files', async () => {
    await build({ mbox: 'From me\n' });
    expect(readFileSync(`${script}.series`, 'utf8')).toBe('From me\n');
  });

  it('a series that does not apply names patch, file and hunk', async () => {
    const events = await build('bundled', { mutant: 'wont-apply' });
    expect(events.find((event) => event.type === 'build-failed')).toMatchObject({ error: { class: 'apply', hunk: 2 } });
    expect(events.at(-1)).toMatchObject({
      failure: {
        class: 'build',
        stage: 'build',
        message: 'patch "0003-x.patch" does not apply: mm/hmm.c, hunk 2, line 311, context differs',
      },
    });
  });

  it('a compile error names file and line; a senseless request is no build failure', async () => {
    expect((await build({ mutant: 'fails' })).at(-1)).toMatchObject({
      failure: { class: 'build', message: 'the kernel does not build: mm/hmm.c:300: error: boom' },
    });
    spool.close();
    expect((await build({ mutant: 'odd' })).at(-1)).toMatchObject({
      failure: { class: 'request', message: expect.stringContaining('configuration is odd') },
    });
    spool.close();
    expect((await build({ mutant: 'unheard-of' })).at(-1)).toMatchObject({
      failure: { class: 'request', message: 'there is no mutant "unheard-of" in kernel/mutants' },
    });
  });

  it('cancel kills the whole process group', async () => {
    const running = build({ mutant: 'slow' });
    await until('the child', () => (existsSync(`${script}.child`) ? true : undefined), {
      everyMs: 10,
      timeoutMs: 5_000,
    });
    stop.abort(new JobFailure('canceled', 'never mind'));
    expect((await running).at(-1)).toMatchObject({ failure: { class: 'canceled', message: 'never mind' } });
    const child = Number(readFileSync(`${script}.child`, 'utf8'));
    await until('the child to be gone', () => (existsSync(`/proc/${child}`) && !isZombie(child) ? undefined : true), {
      everyMs: 10,
      timeoutMs: 3_000,
    });
  });
});

function isZombie(pid: number): boolean {
  try {
    return / Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return true;
  }
}
