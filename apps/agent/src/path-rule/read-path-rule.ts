import { createHash } from 'node:crypto';
import { type ChangedPart, HOST_BRIDGES_MAX, type PathRule, type TrustedHostBridge } from '@peerlab/contracts';
import { bracketsOf, definitionsOf, SOURCE_MAX, tokensOf } from './c-tokens.js';

/** The files of a kernel's source that the rule is read from. */
export const RULE_FILE = 'drivers/pci/p2pdma.c';
export const IDS_FILE = 'include/linux/pci_ids.h';

const TABLE = 'pci_p2pdma_whitelist';
const ENTRY = 'pci_p2pdma_whitelist_entry';

/** A function of the rule, what it decides, and the digests of its tokens in sources whose meaning is that of `predictPath`. */
export interface KnownFunction {
  name: string;
  decides: ChangedPart;
  digests: readonly string[];
}

/** Of Linux 7.2.13 and 7.3.4, which differ in nothing but entries of the table. */
export const KNOWN_FUNCTIONS: readonly KnownFunction[] = [
  { name: 'calc_map_type_and_dist', decides: 'path', digests: ['e752b785dc3d9987'] },
  { name: 'pci_bridge_has_acs_redir', decides: 'path', digests: ['843fc55a0fe33235'] },
  { name: 'cpu_supports_p2pdma', decides: 'cpu', digests: ['b860af31a3d4d736'] },
  { name: 'pci_host_bridge_dev', decides: 'host-bridges', digests: ['0026b41ce06d95d4'] },
  { name: '__host_bridge_whitelist', decides: 'host-bridges', digests: ['ba3c17dd68f99da5'] },
  { name: 'host_bridge_whitelist', decides: 'host-bridges', digests: ['9b6bba0175e68d87'] },
];
/** Of the declaration in front of the table: what a field and a flag mean. */
export const KNOWN_ENTRIES: readonly string[] = ['e3dcd779e731569d'];

/** What names a text in the lists above: hex digits of its tokens' digest. */
export const digestOfTokens = (tokens: readonly string[]): string =>
  createHash('sha256').update(tokens.join(' ')).digest('hex').slice(0, 16);

/** A word or a name in a message; foreign text. */
const shown = (token: string | undefined): string => JSON.stringify((token ?? 'the end').slice(0, 60));

/** Thrown within this file: the table is not written as the farm knows it. */
class UnknownTable extends Error {}

/**
 * Reads the rule out of a kernel's source: plain text of strangers, in one pass over it, and nothing of it is run. Never
 * throws for what the text says: a part that is missing, there twice, or not as it is known is named as changed.
 * @param source drivers/pci/p2pdma.c with all patches; null = the file is gone
 * @param ids include/linux/pci_ids.h, which names vendors and devices; null = the file is gone
 */
export function readPathRule(
  source: string | null,
  ids: string | null,
  known: { functions: readonly KnownFunction[]; entries: readonly string[] } = {
    functions: KNOWN_FUNCTIONS,
    entries: KNOWN_ENTRIES,
  },
): PathRule {
  if (source === null) return { hostBridges: [], changed: [{ what: 'path', why: `there is no ${RULE_FILE}` }] };
  if (source.length > SOURCE_MAX) {
    const why = `${RULE_FILE} has more than ${SOURCE_MAX} characters`;
    return { hostBridges: [], changed: [{ what: 'path', why }] };
  }
  const tokens = tokensOf(source);
  const ends = bracketsOf(tokens);
  const changed: PathRule['changed'] = known.functions.flatMap(({ name, decides, digests }) => {
    const why = whyOther(definitionsOf(tokens, ends, name), digests);
    return why === null ? [] : [{ what: decides, why: `${name}() ${why}` }];
  });
  try {
    return { hostBridges: tableOf(tokens, ends, namesOf(tokens, ids), known.entries), changed };
  } catch (error) {
    if (!(error instanceof UnknownTable)) throw error;
    const why = `${TABLE} ${error.message}`.slice(0, 300);
    return { hostBridges: [], changed: [...changed, { what: 'host-bridges', why }] };
  }
}

function whyOther(definitions: readonly string[][], digests: readonly string[]): string | null {
  const [only, second] = definitions;
  if (only === undefined) return 'is missing';
  if (second !== undefined) return 'is there more than once';
  return digests.includes(digestOfTokens(only)) ? null : 'is not as the farm knows it';
}

/** Values of `#define NAME VALUE` by name; what the file itself defines goes first. */
function namesOf(tokens: readonly string[], ids: string | null): Map<string, string> {
  const names = new Map<string, string>();
  for (const token of [...tokensOf(ids ?? ''), ...tokens]) {
    if (!token.startsWith('#define ')) continue;
    const [, name = '', value = '', more] = token.split(' ', 4);
    if (more === undefined) names.set(name, value);
    // An expression: no number that can be told.
    else names.set(name, '');
  }
  return names;
}

function tableOf(
  tokens: readonly string[],
  ends: ReadonlyMap<number, number>,
  names: ReadonlyMap<string, string>,
  known: readonly string[],
): TrustedHostBridge[] {
  const at = tokens.findIndex(
    (token, index) =>
      token === TABLE && tokens[index + 1] === '[' && tokens[index + 2] === ']' && tokens[index + 3] === '=',
  );
  if (at === -1) throw new UnknownTable('is missing');
  checkEntry(tokens, ends, at, known);
  const open = at + 4;
  const end = ends.get(open);
  if (tokens[open] !== '{' || end === undefined) throw new UnknownTable('has no end');
  return entriesOf(tokens.slice(open + 1, end - 1), names);
}

/** The declaration of an entry ends where the name of the table stands. */
function checkEntry(
  tokens: readonly string[],
  ends: ReadonlyMap<number, number>,
  table: number,
  known: readonly string[],
): void {
  const from = tokens.lastIndexOf(ENTRY, table);
  const end = ends.get(from + 1);
  if (from === -1 || end !== table || !known.includes(digestOfTokens(tokens.slice(from, end)))) {
    throw new UnknownTable('has entries of a kind that the farm does not know');
  }
}

function entriesOf(tokens: readonly string[], names: ReadonlyMap<string, string>): TrustedHostBridge[] {
  const bridges: TrustedHostBridge[] = [];
  for (let at = 0; at < tokens.length; ) {
    if (tokens[at] !== '{') throw new UnknownTable(`has ${shown(tokens[at])} between its entries`);
    // The kernel looks no further than an entry without a vendor.
    if (tokens[at + 1] === '}' || (tokens[at + 1] === '0' && tokens[at + 2] === '}')) return bridges;
    const [vendor, comma, device, second, flags, close] = tokens.slice(at + 1, at + 7);
    if (comma !== ',' || second !== ',' || close !== '}') {
      throw new UnknownTable(`has an entry of another form, at ${shown(vendor)}`);
    }
    if (bridges.length >= HOST_BRIDGES_MAX) throw new UnknownTable(`has more than ${HOST_BRIDGES_MAX} entries`);
    bridges.push({
      vendor: idOf(vendor, names),
      device: device === 'PCI_ANY_ID' && !names.has('PCI_ANY_ID') ? null : idOf(device, names),
      sameOnly: flagOf(flags),
    });
    at += 7;
    if (tokens[at] === ',') at += 1;
  }
  throw new UnknownTable('has no entry that ends it');
}

function flagOf(token: string | undefined): boolean {
  if (token === '0') return false;
  if (token === 'REQ_SAME_HOST_BRIDGE') return true;
  throw new UnknownTable(`has the flag ${shown(token)}`);
}

/** A number of sixteen bits, or a name that stands for one. */
function idOf(token: string | undefined, names: ReadonlyMap<string, string>): string {
  const value = /^0x[0-9a-fA-F]{1,4}$/.exec(token ?? '') ?? /^0x[0-9a-fA-F]{1,4}$/.exec(names.get(token ?? '') ?? '');
  if (value === null) throw new UnknownTable(`names ${shown(token)}, which is no number`);
  return value[0].slice(2).toLowerCase().padStart(4, '0');
}
