import { readFile, stat } from 'node:fs/promises';
import { cleanText, INVENTORY_WORD_MAX, type Inventory, type PciFunction } from '@peerlab/contracts';
import { log } from '@peerlab/runtime';

/** Where the packages `pci.ids` (Debian) and `hwdata` (others) put their list of names. */
const FILES = ['/usr/share/misc/pci.ids', '/usr/share/hwdata/pci.ids'] as const;
/** The list has 1.4 MB; something much larger is not that list. */
const FILE_MAX_BYTES = 16 * 1024 * 1024;
const LINE_MAX = 1024;

/** Names by `vendor` and by `vendor:device`, four hex digits each. */
export type PciNames = ReadonlyMap<string, string>;

/**
 * The names that a pci.ids file gives to these functions. Its lines are `VENDOR  NAME`, and below it
 * `TAB DEVICE  NAME`; classes come last. Takes time in proportion to the text.
 */
export function parsePciIds(text: string, functions: readonly Pick<PciFunction, 'vendor' | 'device'>[]): PciNames {
  const wanted = new Set(functions.flatMap(({ vendor, device }) => [vendor, `${vendor}:${device}`]));
  const names = new Map<string, string>();
  let vendor = '';
  for (const whole of text.split('\n')) {
    const line = whole.slice(0, LINE_MAX);
    if (line.startsWith('C ')) break;
    const [, tab = '', id = '', name = ''] = /^(\t?)([0-9a-f]{4}) {2}(.+)$/.exec(line) ?? [];
    if (id === '') continue;
    if (tab === '') vendor = id;
    const key = tab === '' ? id : `${vendor}:${id}`;
    if (wanted.has(key)) names.set(key, cleanText(name.trim(), INVENTORY_WORD_MAX));
  }
  return names;
}

/** The inventory with the names of its functions, for people; what the list does not name keeps the name that the machine gives it, if any. */
export function withNames(inventory: Inventory, names: PciNames): Inventory {
  const functions = inventory.functions.map((fn) => {
    const vendor = names.get(fn.vendor);
    const device = names.get(`${fn.vendor}:${fn.device}`) ?? null;
    return vendor === undefined ? fn : { ...fn, names: { vendor, device: device ?? fn.names?.device ?? null } };
  });
  return { ...inventory, functions };
}

/** Adds names from the list of this agent's machine; without that list the inventory is returned unchanged. */
export async function namedByThisMachine(inventory: Inventory, files: readonly string[] = FILES): Promise<Inventory> {
  for (const file of files) {
    try {
      if ((await stat(file)).size > FILE_MAX_BYTES) continue;
      return withNames(inventory, parsePciIds(await readFile(file, 'utf8'), inventory.functions));
    } catch (err) {
      log.debug({ file, err }, 'pci-ids-not-read');
    }
  }
  return inventory;
}
