import {
  cleanText,
  FIRMWARE_PARTS_MAX,
  FUNCTIONS_MAX,
  INVENTORY_WORD_MAX,
  type Inventory,
  MACHINE_UNITS_MAX,
  type PciFunction,
  RDMA_PORTS_MAX,
  RdmaPort,
  type Unit,
} from '@peerlab/contracts';
import { log } from '@peerlab/runtime';
import { messageOf } from '../error-message.js';
import { output } from '../machine/command.js';
import type { Session } from '../machine/protocols.js';
import { DETAILS_MAX_BYTES, detailsScript } from './details-script.js';
import type { UnitNames } from './units.js';

/** Each program has less; reading a device whose firmware hangs may take a minute. */
const READ_MS = 120_000;
/** Lines that are looked at, and characters of one. */
const LINES_MAX = FUNCTIONS_MAX * FIRMWARE_PARTS_MAX;
const LINE_MAX = 512;

const ADDRESS = /^[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$/;
/** As nvidia-smi writes an address: `00000000:3B:00.0`. */
const LONG_ADDRESS = /^0000([0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7])$/;

type Details = Pick<PciFunction, 'firmware' | 'driverVersion' | 'ownMemoryBytes' | 'units' | 'ports'>;

/**
 * What each function tells, by address; what has another form is left out. Takes time in proportion to the text.
 * @param names null = numbers of single specimens are left out
 */
export function parseDetails(text: string, names: UnitNames | null): Map<string, Details> {
  const found = new Map<string, Details>();
  const put = (address: string, more: Details, part?: { part: string; version: string }): void => {
    const old = found.get(address) ?? {};
    const known = old.firmware ?? [];
    const isNew = part !== undefined && known.every((each) => each.part !== part.part);
    const firmware = isNew && known.length < FIRMWARE_PARTS_MAX ? [...known, part] : known;
    found.set(address, { ...old, ...more, ...(firmware.length === 0 ? {} : { firmware }) });
  };
  const putNumber: PutNumber = (address, part, number) => {
    const units = found.get(address)?.units ?? [];
    if (names === null || units.length >= FIRMWARE_PARTS_MAX || units.some((each) => each.part === part)) return;
    put(address, { units: [...units, { part, digest: names.digestOf(number) }] });
  };
  let isNvidia = false;
  for (const whole of text.split('\n', LINES_MAX)) {
    const line = whole.slice(0, LINE_MAX);
    if (line === '@nvidia') isNvidia = true;
    else if (isNvidia) readNvidia(line, put, putNumber);
    else if (PORT.test(line)) readPort(line, found);
    else readSysfs(line, put, putNumber);
  }
  return found;
}

/** `ADDRESS|port-DEVICE/NUMBER|` */
const PORT = /^[^|]*\|port-[^|/]+\/\d{1,3}\|/;

function readPort(line: string, found: Map<string, Details>): void {
  const [address = '', name = '', ...words] = line.split('|');
  const [device = '', number] = name.slice('port-'.length).split('/');
  // `4: ACTIVE`
  const [state = '', physicalState = '', rate = '', linkLayer = ''] = words.map(
    (word) => valueOf(word.replace(/^\d+: /, '')) ?? '',
  );
  const old = found.get(address) ?? {};
  const port = RdmaPort.safeParse({
    device: cleanText(device, INVENTORY_WORD_MAX),
    port: Number(number),
    state,
    physicalState,
    rate,
    linkLayer,
  });
  if (!ADDRESS.test(address) || !port.success || (old.ports?.length ?? 0) >= RDMA_PORTS_MAX) return;
  found.set(address, { ...old, ports: [...(old.ports ?? []), port.data] });
}

/** What firmware says of a part without a serial number. */
const UNNUMBERED =
  /^(?:not specified|unknown|none|no dimm|n\/a|default string|to be filled by o\.?e\.?m\.?|system serial number|empty|0123456789|123456789)\b/i;
const MACHINE = 'machine|number-';

/** Board and memory modules: lines `machine|number-PART|NUMBER`. @param names null = numbers are left out */
export function parseMachineUnits(text: string, names: UnitNames | null): Unit[] {
  if (names === null) return [];
  const units = new Map<string, Unit>();
  for (const whole of text.split('\n', LINES_MAX)) {
    if (!whole.startsWith(MACHINE) || units.size >= MACHINE_UNITS_MAX) continue;
    const [part = '', ...rest] = whole.slice(MACHINE.length, LINE_MAX).split('|');
    const name = cleanText(part.trim(), INVENTORY_WORD_MAX);
    const number = valueOf(rest.join('|'));
    if (number === null || NO_NUMBER.test(number.split(' ', 1)[0] ?? '') || UNNUMBERED.test(number)) continue;
    // Two slots of one name: which is which is not known.
    if (!units.has(name)) units.set(name, { part: name, digest: names.digestOf(number) });
  }
  return [...units.values()];
}

type PutNumber = (address: string, part: string, number: string) => void;
type Put = (address: string, more: Details, part?: { part: string; version: string }) => void;

/** Null for what a program says instead of a value: `N/A`, `[N/A]`, `[Unknown Error]`. */
function valueOf(text: string | undefined): string | null {
  const value = cleanText(text?.trim() ?? '', INVENTORY_WORD_MAX);
  return value === '' || value === 'N/A' || value.startsWith('[') ? null : value;
}

/** What a device without a number says where it has one: zeros or ones. */
const NO_NUMBER = /^(?:0x)?[0:-]*$|^(?:0x)?[fF:-]*$/;
const NUMBER = 'number-';

function readSysfs(line: string, put: Put, putNumber: PutNumber): void {
  const [address = '', part = '', ...rest] = line.split('|');
  const value = valueOf(rest.join('|'));
  if (!ADDRESS.test(address) || value === null) return;
  if (part.startsWith(NUMBER)) {
    if (!NO_NUMBER.test(value)) putNumber(address, cleanText(part.slice(NUMBER.length), INVENTORY_WORD_MAX), value);
  } else if (part === 'memory') putMemory(address, value, 1, put);
  else put(address, {}, { part: cleanText(part, INVENTORY_WORD_MAX), version: value });
}

function readNvidia(line: string, put: Put, putNumber: PutNumber): void {
  const [bus = '', vbios, driver, memory, uuid] = line.split(',');
  const long = bus.trim().toLowerCase();
  const address = LONG_ADDRESS.exec(long)?.[1] ?? long;
  if (!ADDRESS.test(address)) return;
  const [version, driverVersion, mebibytes] = [valueOf(vbios), valueOf(driver), valueOf(memory)];
  if (version !== null) put(address, {}, { part: 'VBIOS', version });
  if (driverVersion !== null) put(address, { driverVersion });
  if (mebibytes !== null) putMemory(address, mebibytes, 1024 ** 2, put);
  const number = valueOf(uuid);
  if (number !== null) putNumber(address, 'GPU', number);
}

function putMemory(address: string, value: string, unitBytes: number, put: Put): void {
  if (/^\d{1,15}$/.test(value)) put(address, { ownMemoryBytes: Number(value) * unitBytes });
}

/**
 * The inventory with what its devices tell; unchanged where that cannot be read. Rejects when `signal` is aborted.
 * @param names null = without what tells specimens apart
 */
export async function withDetails(
  inventory: Inventory,
  session: Session,
  names: UnitNames | null,
  signal?: AbortSignal,
): Promise<Inventory> {
  try {
    const options = { timeoutMs: READ_MS, maxBytes: DETAILS_MAX_BYTES, ...(signal === undefined ? {} : { signal }) };
    const text = await output(session, detailsScript(), options);
    const details = parseDetails(text, names);
    const functions = inventory.functions.map((fn) => ({ ...fn, ...details.get(fn.address) }));
    const units = parseMachineUnits(text, names);
    return { ...inventory, functions, ...(units.length === 0 ? {} : { units }) };
  } catch (error) {
    signal?.throwIfAborted();
    log.warn({ problem: messageOf(error) }, 'inventory-details-not-read');
    return inventory;
  }
}
