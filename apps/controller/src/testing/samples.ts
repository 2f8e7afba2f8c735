import { createHash } from 'node:crypto';
import type { BundleManifest, Catalogue, Inventory, PathKind, PciFunction, TestResult } from '@peerlab/contracts';

const sha = (text: string): string => createHash('sha256').update(text).digest('hex');

function pciFunction(address: string, ids: string, cls: string, parents: string[]): PciFunction {
  const [vendor = '', device = ''] = ids.split(':');
  return {
    address,
    vendor,
    device,
    subsystem: null,
    class: cls,
    revision: '00',
    parents,
    driver: null,
    link: null,
    numaNode: null,
    acsControl: null,
    iommuGroup: null,
    barSizesBytes: [],
  };
}

/** Inventory of a machine of the virtual lab with one pair of the given path kind. */
export function sampleInventory(kind: PathKind): Inventory {
  const below =
    kind === 'BUS_ADDR'
      ? [
          ['0000:00:01.0', '0000:01:00.0'],
          ['0000:00:01.0', '0000:01:00.0'],
        ]
      : [['0000:00:01.0'], ['0000:00:02.0']];
  const intel = kind === 'NOT_SUPPORTED';
  return {
    cpu: {
      vendor: intel ? 'GenuineIntel' : 'AuthenticAMD',
      family: intel ? 6 : 0x17,
      model: 1,
      name: 'sample',
      count: 2,
    },
    memoryBytes: 2 ** 30,
    system: { vendor: 'QEMU', product: 'Standard PC (Q35 + ICH9, 2009)', board: '', firmware: '1.16' },
    iommu: 'none',
    kernel: { release: '6.1.0-cloud', buildId: 'aa'.repeat(20), commandLine: 'quiet' },
    functions: [
      pciFunction('0000:00:00.0', '8086:29c0', '060000', []),
      pciFunction('0000:00:01.0', '1b36:000c', '060400', []),
      pciFunction('0000:00:02.0', '1b36:000c', '060400', []),
      pciFunction('0000:01:00.0', '104c:8232', '060400', ['0000:00:01.0']),
      pciFunction('0000:03:00.0', '1af4:1110', '050000', below[0] ?? []),
      pciFunction('0000:04:00.0', '1234:11e8', '00ff00', below[1] ?? []),
    ],
  };
}

/** As v-mixed of the virtual lab: a provider below the client's switch, and a second one on an Intel root port. */
export function mixedInventory(): Inventory {
  const { cpu } = sampleInventory('NOT_SUPPORTED');
  const near = sampleInventory('BUS_ADDR');
  return { ...near, cpu, functions: [...near.functions, pciFunction('0000:05:00.0', '1af4:1110', '050000', [])] };
}

/** A bundle with a functional suite of three tests and a performance suite. */
export function sampleManifest(name: string, dmaAlias = true): BundleManifest {
  const suite = (suiteName: string, kind: 'functional' | 'performance', tests: string[]) => ({
    name: suiteName,
    kind,
    command: [`suites/${suiteName}`],
    timeoutSeconds: 300,
    testTimeoutSeconds: 60,
    tests,
  });
  return {
    schema: 1,
    key: sha(`key ${name}`),
    release: `7.3.4-${name}`,
    buildId: sha(`build ${name}`).slice(0, 40),
    base: { version: '7.3.4', sha256: sha('base') },
    series: [],
    config: { name: 'peerlab', sha256: sha('config') },
    toolchain: 'gcc 12',
    features: dmaAlias ? ['dma_alias'] : [],
    modules: ['p2pvram'],
    binds: { p2pvram: 'provider' },
    suites: [suite('p2p-functional', 'functional', ['F01', 'F02', 'F03']), suite('p2p-perf', 'performance', ['P01'])],
    files: {},
  };
}

/** A passed test without a claim about the path. */
export function sampleResult(suite: string, test: string, more: Partial<TestResult> = {}): TestResult {
  return {
    suite,
    test,
    status: 'pass',
    reason: null,
    durationMs: 12.5,
    proof: null,
    warnings: [],
    signature: null,
    log: null,
    ...more,
  };
}

/** YAML of a run with one build made from the bundled series. */
export const SAMPLE_RUN = `name: sample
builds:
  - name: patched
    series: [bundled]
`;

/** What a builder of kernel/ tells. */
export const SAMPLE_CATALOGUE: Catalogue = {
  suites: (
    [
      ['p2p-functional', true],
      ['p2p-perf', true],
      ['p2p-soak', false],
      ['p2p-rdma', false],
      ['hmm-tests', false],
      ['kunit', false],
    ] as const
  ).map(([name, isDefault]) => ({
    name,
    about: `about ${name}`,
    kind: name === 'p2p-perf' ? 'performance' : 'functional',
    isDefault,
  })),
  configs: [
    { name: 'peerlab', about: 'the fast one', bootFactor: 1 },
    { name: 'debug', about: 'the slow one', bootFactor: 3 },
  ],
};
