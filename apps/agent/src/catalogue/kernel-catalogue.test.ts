import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Catalogue, defaultSuites } from '@peerlab/contracts';
import { afterEach, describe, expect, it } from 'vitest';
import { makeToyKernel } from '../fake/toy-kernel.js';
import { readKernelCatalogue } from './kernel-catalogue.js';

const folder = mkdtempSync(join(tmpdir(), 'catalogue-'));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** What the manifest of a kernel will call this configuration, as the build script says. */
async function nameOfBuild({ kernelDir, cacheDir }: ReturnType<typeof makeToyKernel>, config: string): Promise<string> {
  const script = join(kernelDir, 'scripts/build-bundle.sh');
  const cache = join(cacheDir, 'builder');
  const base = join(cache, 'kernel', readdirSync(join(cache, 'kernel')).find((each) => each.startsWith('base-')) ?? '');
  const { stdout } = await promisify(execFile)(script, ['--cache', cache, '--base', base, '--key', '--config', config]);
  return /"config":\{"name":"([a-z0-9-]+)"/.exec(stdout)?.[1] ?? stdout;
}

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

  it('calls a configuration that stands for itself as the manifests of its kernels do, whoever it was made for', async () => {
    const kernel = makeToyKernel(folder);
    const config = join(kernel.kernelDir, 'config');
    const text = (name: string, about: string): string =>
      `# about: of a machine: ${name}${about}\n# whole: yes\n\n#\n# Of ${name}: \u00e9\n#\nCONFIG_PCI=y\n# CONFIG_USB is not set\n \t\r\nCONFIG_X="a"`;
    writeFileSync(join(config, 'epyc-1.config'), text('epyc-1', ', 2 modules'));
    writeFileSync(join(config, 'epyc-2.config'), text('epyc-2', ''));
    writeFileSync(join(config, 'xeon-1.config'), text('xeon-1', '').replace('PCI=y', 'PCI=n'));
    const { configs } = readKernelCatalogue(kernel.kernelDir);
    const builtAs = (name: string): string | undefined => configs.find((each) => each.name === name)?.builtAs;
    for (const name of ['epyc-1', 'xeon-1']) expect(builtAs(name)).toBe(await nameOfBuild(kernel, name));
    expect(builtAs('epyc-2')).toBe(builtAs('epyc-1'));
    expect(builtAs('xeon-1')).not.toBe(builtAs('epyc-1'));
    expect(builtAs('peerlab')).toBeUndefined();
    // Under another name than that of its machine; a run file means another thing by "machine".
    for (const name of ['named', 'machine'])
      writeFileSync(
        join(config, `${name}.config`),
        text('epyc-1', '').replace('# whole', '# machine: Epyc.1\n# whole'),
      );
    const again = readKernelCatalogue(kernel.kernelDir).configs;
    expect(again.find(({ name }) => name === 'named')).toMatchObject({ machine: 'Epyc.1', builtAs: builtAs('epyc-1') });
    expect(again.filter(({ machine, name }) => machine !== undefined || name === 'machine')).toHaveLength(1);
    expect(await nameOfBuild(kernel, 'peerlab')).toBe('peerlab');
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
