import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Catalogue, defaultSuites } from '@peerlab/contracts';
import { afterEach, describe, expect, it } from 'vitest';
import { makeToyKernel } from '../fake/toy-kernel.js';
import { readKernelCatalogue } from './kernel-catalogue.js';

const folder = mkdtempSync(join(tmpdir(), 'catalogue-'));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('the catalogue of a kernel folder', () => {
  it('names the suites and configurations of this repository', () => {
    const catalogue = readKernelCatalogue(fileURLToPath(new URL('../../../../kernel', import.meta.url)));
    expect(Catalogue.parse(catalogue)).toEqual(catalogue);
    expect(defaultSuites(catalogue)).toEqual(['p2p-functional', 'p2p-perf']);
    expect(catalogue.suites.map(({ name }) => name)).toEqual(expect.arrayContaining(['hmm-tests-coherent', 'kunit']));
    expect(catalogue.configs).toEqual([
      { name: 'coverage', about: expect.any(String), bootFactor: 1 },
      { name: 'debug', about: expect.stringMatching(/slower/), bootFactor: 3 },
      { name: 'kcsan', about: expect.stringMatching(/slower/), bootFactor: 3 },
      { name: 'lab-server', about: expect.any(String), bootFactor: 2 },
      { name: 'peerlab', about: expect.any(String), bootFactor: 1 },
      { name: 'server', about: expect.any(String), bootFactor: 2 },
    ]);
    expect(catalogue.bases).toEqual(['7.2']);
  });

  it('takes a configuration without a header, or with one that makes no sense, for a fast one', () => {
    const { kernelDir } = makeToyKernel(folder);
    writeFileSync(join(kernelDir, 'config', 'odd.config'), `# about: ${'x'.repeat(500)}\n# boot factor: -3\n`);
    writeFileSync(join(kernelDir, 'config', 'README'), 'no configuration');
    const { configs } = readKernelCatalogue(kernelDir);
    expect(configs).toEqual([
      { name: 'coverage', about: '', bootFactor: 1 },
      { name: 'odd', about: `${'x'.repeat(199)}…`, bootFactor: 1 },
      { name: 'peerlab', about: '', bootFactor: 1 },
    ]);
  });

  it('refuses a list of suites that the build script could not read', () => {
    mkdirSync(join(folder, 'config'), { recursive: true });
    mkdirSync(join(folder, 'selftests'), { recursive: true });
    writeFileSync(join(folder, 'base.json'), '{}');
    const suite = { name: 'a', about: '', kind: 'functional', default: true, seconds: 1, testSeconds: 1, options: [] };
    const read = (more: object) => {
      writeFileSync(
        join(folder, 'selftests', 'suites.json'),
        JSON.stringify({ suites: [{ ...suite, program: 'a', ...more }] }),
      );
      return () => readKernelCatalogue(folder);
    };
    expect(read({})().suites).toHaveLength(1);
    expect(read({ program: '../a' })).toThrow();
    expect(read({ options: ['a b'] })).toThrow();
  });
});
