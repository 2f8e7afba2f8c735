import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AttemptEvent } from '@peerlab/contracts';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { addToyBase, toyCodePatch } from '../fake/toy-kernel.js';
import { BUILDS_MS, type ToyBuild, ToyBuilder } from '../testing/toy-builder.js';

/** Real builds in the sandbox. */
vi.setConfig({ testTimeout: BUILDS_MS, hookTimeout: BUILDS_MS });

const OWN = 'int hmm(void)\n{\n\treturn PAGES + 1;\n}\n';
const PATCHED = 'int hmm(void)\n{\n\treturn PAGES + 2;\n}\n';
const INCLUDE = '#include <linux/memremap.h>\n';
const PATCH = '1-toy/0001-mm-two';

let toy: ToyBuilder;
beforeEach(() => {
  toy = new ToyBuilder();
  const mail = toyCodePatch('mm: two', PATCHED).replace('--- a/', 'diff --git a/mm/hmm.c b/mm/hmm.c\n--- a/');
  mkdirSync(join(toy.settings.kernelDir, 'patches', '1-toy'));
  writeFileSync(join(toy.settings.kernelDir, 'patches', `${PATCH}.patch`), mail);
});
afterEach(() => toy.remove());

/** The other base has code of its own above what the bundled series changes. */
const moved = (): void =>
  addToyBase(toy.settings, '7.2', '7.2.5', `${INCLUDE}int older;\nint more;\nint of;\nint it;\n${OWN}`);
const build = (series: 'bundled'[], base = '7.2') => toy.build(series, { source: { base } });
const failureOf = ({ events }: ToyBuild) => {
  const end = events.at(-1);
  return end?.type === 'finished' ? end.failure : null;
};
function builtOf(one: ToyBuild): Extract<AttemptEvent, { type: 'built' }> {
  const event = one.events.find((each) => each.type === 'built');
  if (event === undefined)
    throw new Error(`nothing was built: ${JSON.stringify(one.events.at(-1))}\n${one.log('build')}`);
  return event;
}

describe('another base of base.json', () => {
  it('is built as it is, and with the bundled series carried over to it', async () => {
    moved();
    const untouched = builtOf(await build([]));
    expect(untouched.manifest).toMatchObject({ base: { version: '7.2.5' }, series: [] });
    const one = await build(['bundled']);
    const { manifest } = builtOf(one);
    expect(manifest).toMatchObject({ base: { version: '7.2.5' }, series: [{ subject: 'mm: two' }] });
    expect(one.log('build')).toContain(`| ${PATCH} | merged |`);
    // The farm's own base gets the series as it lies there.
    const own = builtOf(await toy.build(['bundled'])).manifest;
    expect(own.base.version).toBe('7.3.99');
    expect(own.series[0]?.sha256).not.toBe(manifest.series[0]?.sha256);
    // The same kernel again.
    const again = builtOf(await build(['bundled']));
    expect([again.manifest.key, again.cached]).toEqual([manifest.key, true]);
  });

  it('that the series conflicts with fails as a patch that does not apply, and is not tried again', async () => {
    addToyBase(toy.settings, '7.2', '7.2.5', `${INCLUDE}int hmm(void)\n{\n\treturn PAGES + 7;\n}\n`);
    const one = await build(['bundled']);
    expect(failureOf(one)).toMatchObject({ class: 'build' });
    expect(one.events.find(({ type }) => type === 'build-failed')).toMatchObject({
      error: {
        class: 'apply',
        patch: PATCH,
        detail: 'conflict in mm/hmm.c, on base 7.2; resolve it in kernel/rebased/7.2',
      },
    });
  });

  it('that there is not is refused with the names of those that there are', async () => {
    moved();
    const failure = failureOf(await build([], '6.1'));
    expect(failure).toMatchObject({ class: 'request', message: expect.stringContaining('base.json knows 7.2') });
  });
});
