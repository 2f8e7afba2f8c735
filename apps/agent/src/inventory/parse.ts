import { Inventory, type PciFunction } from '@peerlab/contracts';
import { buildIdOfNotes } from '../job/kernel-identity.js';

const ACS_CAPABILITY = 0x000d;
const EXTENDED_START = 0x100;

/** Splits the script's output at its `@name` lines. */
function sectionsOf(text: string): Map<string, string[]> {
  const sections = new Map<string, string[]>();
  let lines: string[] = [];
  for (const line of text.split('\n')) {
    const name = /^@([a-z]+)$/.exec(line)?.[1];
    if (name === undefined) lines.push(line);
    else sections.set(name, (lines = []));
  }
  return sections;
}

/** Configuration space by address, from `lspci -D -xxxx`. */
export function parseConfigSpace(lines: readonly string[]): Map<string, Buffer> {
  const spaces = new Map<string, Buffer>();
  let address = '';
  let bytes: number[] = [];
  const close = (): void => {
    if (address !== '') spaces.set(address, Buffer.from(bytes));
  };
  for (const line of lines) {
    const head = /^([0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]) /.exec(line);
    const data = /^[0-9a-f]{2,3}: ((?:[0-9a-f]{2} ?)+)$/.exec(line);
    if (head !== null) {
      close();
      address = head[1] ?? '';
      bytes = [];
    } else if (data !== null) {
      for (const byte of (data[1] ?? '').trim().split(' ')) bytes.push(Number.parseInt(byte, 16));
    }
  }
  close();
  return spaces;
}

/** The ACS control register, or null for a function without that capability. */
export function acsControlOf(config: Buffer | undefined): number | null {
  if (config === undefined) return null;
  const seen = new Set<number>();
  for (let at = EXTENDED_START; at >= EXTENDED_START && at + 8 <= config.length && !seen.has(at); ) {
    seen.add(at);
    const header = config.readUInt32LE(at);
    if (header === 0 || header === 0xffffffff) return null;
    if ((header & 0xffff) === ACS_CAPABILITY) return config.readUInt16LE(at + 6);
    at = header >>> 20;
  }
  return null;
}

const hex = (value: string, digits: number): string => value.replace(/^0x/, '').toLowerCase().padStart(digits, '0');

function barSizes(field: string): number[] {
  return field
    .trim()
    .split(' ')
    .filter((range) => range !== '')
    .slice(0, 6)
    .map((range) => {
      const [start = '0', end = '0'] = range.split('-');
      const size = BigInt(end) - BigInt(start) + 1n;
      return BigInt(end) === 0n ? 0 : Number(size);
    });
}

function parseFunction(line: string, config: Map<string, Buffer>): PciFunction {
  const [path = '', vendor = '', device = '', subVendor = '', subDevice = '', classCode = '', revision = '', ...rest] =
    line.split('|');
  const [driver = '', speed = '', width = '', numa = '', group = '', bars = ''] = rest;
  const chain = path.split('/').filter((part) => /^[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$/.test(part));
  const address = chain.at(-1) ?? '';
  const subsystem = `${hex(subVendor, 4)}:${hex(subDevice, 4)}`;
  return {
    address,
    vendor: hex(vendor, 4),
    device: hex(device, 4),
    subsystem: subsystem === '0000:0000' ? null : subsystem,
    class: hex(classCode, 6),
    revision: hex(revision, 2),
    parents: chain.slice(0, -1),
    driver: driver === '' ? null : driver,
    link: /^\d+$/.test(width) && Number(width) > 0 ? { speed, width: Number(width) } : null,
    numaNode: /^\d+$/.test(numa) ? Number(numa) : null,
    acsControl: acsControlOf(config.get(address)),
    iommuGroup: group === '' ? null : group,
    barSizesBytes: barSizes(bars),
  };
}

function iommuMode(type: string): Inventory['iommu'] {
  if (type === '') return 'none';
  return type === 'identity' ? 'passthrough' : 'translated';
}

/** Reads the inventory script's output; throws naming the field when something is missing. */
export function parseInventory(text: string): Inventory {
  const sections = sectionsOf(text);
  const section = (name: string): string[] => sections.get(name) ?? [];
  const [release = '', commandLine = '', notes = ''] = section('kernel');
  const [cpuCount = '', ...cpuLines] = section('cpu');
  const cpu = new Map(cpuLines.map((line) => line.split(/\s*:\s*/, 2) as [string, string]));
  const system = new Map(section('system').map((line) => line.split(/=(.*)/s, 2) as [string, string]));
  const config = parseConfigSpace(section('config'));
  return Inventory.parse({
    cpu: {
      vendor: cpu.get('vendor_id') ?? '',
      family: Number(cpu.get('cpu family')),
      model: Number(cpu.get('model')),
      name: cpu.get('model name') ?? '',
      count: Number(cpuCount),
    },
    memoryBytes: Number(/(\d+) kB/.exec(section('memory')[0] ?? '')?.[1]) * 1024,
    system: {
      vendor: system.get('sys_vendor') ?? '',
      product: system.get('product_name') ?? '',
      board: system.get('board_name') ?? '',
      firmware: system.get('bios_version') ?? '',
    },
    iommu: iommuMode(section('iommu')[0]?.trim() ?? ''),
    kernel: { release, buildId: buildIdOfNotes(notes), commandLine },
    functions: section('functions')
      .filter((line) => line.startsWith('/'))
      .map((line) => parseFunction(line, config)),
  });
}
