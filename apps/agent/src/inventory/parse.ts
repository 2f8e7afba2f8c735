import {
  cleanText,
  COMMAND_LINE_MAX,
  FUNCTIONS_MAX,
  Inventory,
  INVENTORY_TEXT_MAX,
  INVENTORY_WORD_MAX,
  PARENTS_MAX,
  type PciFunction,
  RDMA_DEVICES_MAX,
} from '@peerlab/contracts';
import { buildIdOfNotes } from '../job/kernel-identity.js';

const ACS_CAPABILITY = 0x000d;
const EXTENDED_START = 0x100;
/** Bytes of a function's configuration space. */
const CONFIG_BYTES = 4096;
/** Characters of a line that are looked at: configuration space takes 12 KiB, a path in sysfs at most 4096. */
const LINE_MAX = 16 * 1024;

const PCI_ADDRESS = /^[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$/;

const word = (value: string): string => cleanText(value, INVENTORY_WORD_MAX);
const text = (value: string | undefined): string => cleanText(value ?? '', INVENTORY_TEXT_MAX);
const smallNumber = (value: string): number | null => (/^\d{1,6}$/.test(value) ? Number(value) : null);

/** Lines of one processor in /proc/cpuinfo; about thirty. */
const CPU_LINES_MAX = 200;

/** Splits the script's output at its `@name` lines. */
function sectionsOf(output: string): Map<string, string[]> {
  const sections = new Map<string, string[]>();
  let lines: string[] = [];
  for (const whole of output.split('\n')) {
    const line = whole.slice(0, LINE_MAX);
    const name = /^@([a-z]{1,20})$/.exec(line)?.[1];
    if (name === undefined) lines.push(line);
    else sections.set(name, (lines = []));
  }
  return sections;
}

/** Configuration space by address, from lines of an address and bytes in hex; lines of another form are left out. */
export function parseConfigSpace(lines: readonly string[]): Map<string, Buffer> {
  return new Map(
    lines.flatMap((line): [string, Buffer][] => {
      const [address = ''] = line.split(' ', 1);
      const bytes = line.slice(address.length).replaceAll(' ', '');
      const isWhole = bytes.length <= 2 * CONFIG_BYTES && bytes.length % 2 === 0 && /^[0-9a-f]*$/.test(bytes);
      return isWhole && PCI_ADDRESS.test(address) ? [[address, Buffer.from(bytes, 'hex')]] : [];
    }),
  );
}

/** Names by address, from `lspci -D -mm`: an address, then class, vendor and device in quotes. It calls what it does not know by its id. */
export function parseNames(lines: readonly string[]): Map<string, NonNullable<PciFunction['names']>> {
  return new Map(
    lines.flatMap((line): [string, NonNullable<PciFunction['names']>][] => {
      const [address = '', , , vendor = '', , device = ''] = line.split('"', 7);
      if (!PCI_ADDRESS.test(address.trim()) || vendor === '' || /^Vendor [0-9a-f]{4}$/.test(vendor)) return [];
      const isNamed = device !== '' && !/^Device [0-9a-f]{4}$/.test(device);
      return [[address.trim(), { vendor: word(vendor), device: isNamed ? word(device) : null }]];
    }),
  );
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

/** Offset of the first capability, and where the capabilities of a device lie. */
const CAPABILITY_POINTER = 0x34;
const CAPABILITIES_FROM = 0x40;
const PCIE_CAPABILITY = 0x10;
/** Device/port types of PCIe r6 7.5.3.2. */
const PCIE_TYPES: Readonly<Record<number, PciFunction['pcieType']>> = {
  0: 'endpoint',
  1: 'endpoint',
  4: 'root-port',
  5: 'upstream',
  6: 'downstream',
};

/** The kind of a PCIe device; null without that capability, undefined when the space was not read. */
export function pcieTypeOf(config: Buffer | undefined): PciFunction['pcieType'] {
  if (config === undefined || config.length <= CAPABILITY_POINTER) return undefined;
  const seen = new Set<number>();
  for (let at = (config[CAPABILITY_POINTER] ?? 0) & 0xfc; at >= CAPABILITIES_FROM && at + 4 <= config.length; ) {
    if (seen.has(at) || at > 0xfc) return null;
    seen.add(at);
    if (config[at] === PCIE_CAPABILITY) return PCIE_TYPES[(config.readUInt16LE(at + 2) >> 4) & 0xf] ?? 'other';
    at = (config[at + 1] ?? 0) & 0xfc;
  }
  return null;
}

const hex = (value: string, digits: number): string => value.replace(/^0x/, '').toLowerCase().padStart(digits, '0');

const BAR = /^(0x[0-9a-f]{1,16})-(0x[0-9a-f]{1,16})$/i;

function barSizes(field: string): number[] {
  return field
    .trim()
    .split(' ')
    .filter((range) => range !== '')
    .slice(0, 6)
    .map((range) => {
      const match = BAR.exec(range);
      const [start, end] = [BigInt(match?.[1] ?? 0), BigInt(match?.[2] ?? 0)];
      return end === 0n || end < start ? 0 : Number(end - start + 1n);
    });
}

function parseFunction(line: string, config: Map<string, Buffer>): PciFunction {
  const [path = '', vendor = '', device = '', subVendor = '', subDevice = '', classCode = '', revision = '', ...rest] =
    line.split('|');
  const [driver = '', speed = '', width = '', numa = '', group = '', bars = ''] = rest;
  const [maxSpeed, rdma, physical, management, iommuMode] = rest.slice(6);
  const chain = path.split('/').filter((part) => /^[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$/.test(part));
  const address = chain.at(-1) ?? '';
  const lanes = smallNumber(width);
  const subsystem = `${hex(subVendor, 4)}:${hex(subDevice, 4)}`;
  return {
    address,
    vendor: hex(vendor, 4),
    device: hex(device, 4),
    subsystem: subsystem === '0000:0000' ? null : subsystem,
    class: hex(classCode, 6),
    revision: hex(revision, 2),
    parents: chain.slice(0, -1).slice(-PARENTS_MAX),
    driver: driver === '' ? null : word(driver),
    link:
      lanes === null || lanes === 0
        ? null
        : { speed: word(speed), width: lanes, ...(maxSpeed === undefined ? {} : { maxSpeed: word(maxSpeed) }) },
    numaNode: smallNumber(numa),
    acsControl: acsControlOf(config.get(address)),
    iommuGroup: group === '' ? null : word(group),
    barSizesBytes: barSizes(bars),
    ...(iommuMode === undefined ? {} : { iommuMode: iommuMode.trim() === '' ? null : word(iommuMode.trim()) }),
    ...extras({ rdma, physical, management }, pcieTypeOf(config.get(address))),
  };
}

function named(fn: PciFunction, names: ReturnType<typeof parseNames>): PciFunction {
  const found = names.get(fn.address);
  return found === undefined ? fn : { ...fn, names: found };
}

/** What older agents do not read: absent where the line has none of it. */
function extras(
  { rdma, physical, management }: Record<'rdma' | 'physical' | 'management', string | undefined>,
  pcieType: PciFunction['pcieType'],
): Partial<PciFunction> {
  const names = rdma?.split(' ').filter((name) => name !== '') ?? null;
  return {
    ...(pcieType === undefined ? {} : { pcieType }),
    ...(names === null ? {} : { rdmaDevices: names.slice(0, RDMA_DEVICES_MAX).map(word) }),
    ...(physical === undefined || !PCI_ADDRESS.test(physical) ? {} : { physicalFunction: physical }),
    ...(management === 'management' ? { management: true } : {}),
  };
}

function iommuMode(type: string): Inventory['iommu'] {
  if (type === '') return 'none';
  return type === 'identity' ? 'passthrough' : 'translated';
}

/** The two sides of the first `separator`, without blanks around it. */
function pairOf(line: string, separator: string): [string, string] {
  const at = line.indexOf(separator);
  return at === -1 ? [line.trim(), ''] : [line.slice(0, at).trim(), line.slice(at + 1).trim()];
}

/**
 * Reads the inventory script's output; throws naming the field when something is missing. Strings are cleaned and
 * cut to what an inventory may carry. Functions are not cut: without one of them the predicted paths would be wrong.
 */
export function parseInventory(output: string): Inventory {
  const sections = sectionsOf(output);
  const section = (name: string): string[] => sections.get(name) ?? [];
  const [release = '', commandLine = '', notes = ''] = section('kernel');
  const [cpuCount = '', ...cpuLines] = section('cpu');
  const cpu = new Map(cpuLines.slice(0, CPU_LINES_MAX).map((line) => pairOf(line, ':')));
  const system = new Map(section('system').map((line) => pairOf(line, '=')));
  const functions = section('functions').filter((line) => line.startsWith('/'));
  if (functions.length > FUNCTIONS_MAX) {
    throw new Error(`the machine shows ${functions.length} PCI functions, an inventory holds ${FUNCTIONS_MAX}`);
  }
  const config = parseConfigSpace(section('config'));
  const names = parseNames(section('names').slice(0, FUNCTIONS_MAX));
  const read = Inventory.safeParse({
    cpu: {
      vendor: text(cpu.get('vendor_id')),
      family: Number(cpu.get('cpu family')),
      model: Number(cpu.get('model')),
      name: text(cpu.get('model name')),
      count: Number(cpuCount),
    },
    memoryBytes: Number(/(?<!\d)(\d{1,12}) kB/.exec(section('memory')[0]?.slice(0, 256) ?? '')?.[1]) * 1024,
    system: {
      vendor: text(system.get('sys_vendor')),
      product: text(system.get('product_name')),
      board: text(system.get('board_name')),
      firmware: text(system.get('bios_version')),
    },
    iommu: iommuMode(section('iommu')[0]?.trim() ?? ''),
    kernel: {
      release: word(release),
      buildId: buildIdOfNotes(notes),
      commandLine: cleanText(commandLine, COMMAND_LINE_MAX),
    },
    functions: functions.map((line) => named(parseFunction(line, config), names)),
  });
  if (read.success) return read.data;
  const problems = read.error.issues.slice(0, 3).map((issue) => `${issue.path.join('.')}: ${issue.message}`);
  throw new Error(`the machine's inventory is not whole: ${problems.join('; ')}`);
}
