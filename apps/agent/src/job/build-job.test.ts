import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AttemptEvent } from '@peerlab/contracts';
import { eventually } from '@peerlab/controller/testing';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { toyMakefilePatch, toyPatch, toySourcePatch } from '../fake/toy-kernel.js';
import { JobFailure } from './failure.js';
import { BUILDS_MS, sleepers, ToyBuilder } from '../testing/toy-builder.js';

/** Real builds in the sandbox. */
vi.setConfig({ testTimeout: BUILDS_MS, hookTimeout: BUILDS_MS });

let toy: ToyBuilder;
beforeEach(() => {
  toy = new ToyBuilder();
});
afterEach(() => toy.remove());

const types = (events: AttemptEvent[]): string[] =>
  events.map((event) => (event.type === 'stage' ? `${event.stage} ${event.status}` : event.type));
const digest = (text: string): string => createHash('sha256').update(text).digest('hex');
const built = (events: AttemptEvent[]): Extract<AttemptEvent, { type: 'built' }> => {
  const event = events.find((each) => each.type === 'built');
  if (event === undefined) throw new Error(`nothing was built: ${JSON.stringify(events.at(-1))}`);
  return event;
};

describe('a build job', () => {
  it('asks for the key, builds, packs and uploads', async () => {
    const build = await toy.build([{ mbox: toySourcePatch('more', 2) }]);
    const { events } = build;
    expect(types(events).filter((type) => type !== 'build-progress')).toEqual([
      'fetch started',
      'fetch passed',
      'build started',
      'build passed',
      'upload started',
      'built',
      'upload passed',
      'finished',
    ]);
    expect(events.at(-1)).toMatchObject({ failure: null, restored: true });
    const { manifest, bundle, cached } = built(events);
    expect(manifest).toMatchObject({
      release: `7.3.99-peerlab-${manifest.key.slice(0, 8)}`,
      base: { version: '7.3.99' },
    });
    expect(manifest.series).toMatchObject([{ subject: 'more' }]);
    expect(cached).toBe(false);
    expect(toy.uploads.get(bundle.sha256)?.length).toBe(bundle.sizeBytes);
    expect(build.log('build')).toContain('CC      mm/hmm.o');
    // Nothing of an attempt stays but the bundle.
    expect(readdirSync(join(toy.settings.cacheDir, 'agent', 'builds'))).toEqual([]);
  });

  it('starts from the configuration that was submitted, and says which of its lines is none', async () => {
    const build = (configFile: string, text: string) => {
      toy.downloads.set(configFile, text);
      return toy.build([], { configFile });
    };
    const theirs = '# Linux/x86 6.1\nCONFIG_E1000E=m\nCONFIG_SYSTEM_TRUSTED_KEYS="debian/certs/key.pem"\n';
    const { manifest, bundle } = built((await build(digest('theirs'), theirs)).events);
    expect(manifest.config.name).toMatch(/^whole-[0-9a-f]{16}$/);
    const tar = join(toy.folder, 'theirs.tar');
    writeFileSync(tar, toy.uploads.get(bundle.sha256) ?? '');
    const config = execFileSync('tar', ['-xOf', tar, 'config'], { encoding: 'utf8' });
    expect(config).toContain('CONFIG_E1000E=m\n');
    expect(config).toContain('CONFIG_TOY=y\n');
    expect(config).not.toContain('debian/certs');
    const wrong = await build(digest('wrong'), 'CONFIG_PCI=y\nCONFIG_X=$(shell id)\n');
    expect(wrong.events.at(-1)).toMatchObject({
      failure: { class: 'build', message: expect.stringContaining('line 2 of the configuration is no setting') },
    });
  });

  it('brings the selftests that are asked for, without those that do not build', async () => {
    const build = await toy.build([], { kselftests: ['toy', 'broken', 'absent'] });
    const { manifest } = built(build.events);
    expect(manifest.kselftests?.map(({ target }) => target)).toEqual(['toy']);
    expect(manifest.files[manifest.kselftests?.[0]?.file ?? '']?.sizeBytes).toBeGreaterThan(0);
    expect(manifest.unbuilt).toEqual([
      { target: 'absent', error: 'there is no tools/testing/selftests/absent' },
      { target: 'broken', error: 'broken/broken.c:1: no/such.h: No such file or directory' },
    ]);
    expect(build.log('build')).toContain('the selftests broken do not build, and are left out');
    const { manifest: without } = built((await toy.build([])).events);
    expect([without.kselftests, without.unbuilt, without.key === manifest.key]).toEqual([[], [], false]);
  });

  it('packs the same bundle into the same bytes, and builds it only once', async () => {
    const first = built((await toy.build([])).events);
    const { events } = await toy.build([]);
    expect(types(events)).toContain('build skipped');
    expect(built(events).bundle).toEqual(first.bundle);
  });

  it('does nothing when the controller holds the bundle', async () => {
    const { manifest, bundle } = built((await toy.build([])).events);
    toy.stored = { manifest, bundle, missingPatches: [] };
    toy.uploads.clear();
    const { events } = await toy.build([]);
    expect(types(events)).toEqual([
      'fetch started',
      'fetch passed',
      'built',
      'build skipped',
      'upload skipped',
      'finished',
    ]);
    expect(events[2]).toMatchObject({ cached: true });
    expect(toy.uploads.size).toBe(0);
  });

  it('stores the text of patches that the controller lacks, and only of those', async () => {
    const [one, two] = [toySourcePatch('one', 2), toyPatch('two', 'mm/two.c', null, 'int two;\n')];
    const { manifest, bundle } = built((await toy.build([{ mbox: one + two }])).events);
    const [, second] = manifest.series;
    expect(second?.subject).toBe('two');
    toy.stored = { manifest, bundle, missingPatches: [second?.sha256 ?? '', 'f'.repeat(64)] };
    toy.uploads.clear();
    const { events } = await toy.build([{ mbox: one + two }]);
    expect([...toy.uploads.keys()]).toEqual([second?.sha256]);
    expect(digest(toy.uploads.get(second?.sha256 ?? '')?.toString() ?? '')).toBe(second?.sha256);
    expect(events.at(-1)).toMatchObject({ failure: null });
  });

  it('a series that does not apply names patch, file and hunk', async () => {
    const { events } = await toy.build([{ mbox: toyPatch('wrong', 'mm/hmm.c', 'no such line\n', 'x\n') }]);
    expect(events.find((event) => event.type === 'build-failed')).toMatchObject({ error: { class: 'apply', hunk: 1 } });
    expect(events.at(-1)).toMatchObject({
      failure: { class: 'build', stage: 'build', message: expect.stringMatching(/does not apply: mm\/hmm\.c, hunk 1/) },
    });
  });

  it('a compile error names file and line; a senseless request is no build failure', async () => {
    const broken = await toy.build([
      { mbox: toyPatch('broken', 'include/linux/memremap.h', '#define PAGES 1\n', '#define PAGES )\n') },
    ]);
    expect(broken.events.at(-1)).toMatchObject({
      failure: {
        class: 'build',
        message: expect.stringMatching(/^the kernel does not build: \S+:\d+: expected/),
      },
    });
    expect((await toy.build([], { config: 'unheard-of' })).events.at(-1)).toMatchObject({
      failure: { class: 'request', message: expect.stringContaining('there is no unheard-of.config') },
    });
    expect((await toy.build([{ mutant: 'unheard-of' }])).events.at(-1)).toMatchObject({
      failure: { class: 'request', message: 'there is no mutant "unheard-of" in kernel/mutants' },
    });
  });

  it('cancel ends every process of the build, also one that left its group', async () => {
    const minutes = '7283.25';
    const mbox = toyMakefilePatch('slow', `x := $(shell setsid sleep ${minutes} >/dev/null 2>&1 & sleep ${minutes})`);
    const running = toy.build([{ mbox }]);
    // As long as a build may take beside others.
    await eventually('the processes', () => sleepers(minutes) === 2, Boolean, { limitMs: BUILDS_MS / 2 });
    toy.stop.abort(new JobFailure('canceled', 'never mind'));
    expect((await running).events.at(-1)).toMatchObject({ failure: { class: 'canceled', message: 'never mind' } });
    await eventually('their end', () => sleepers(minutes) === 0);
  });
});
