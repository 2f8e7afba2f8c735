/** Which program of perftest printed something, from the title of its test. */
export interface PerftestProgram {
  /** `ib_write_bw`, `ib_read_lat` … */
  name: string;
  isBidirectional: boolean;
}

const VERBS: ReadonlyMap<string, string> = new Map([
  ['RDMA_Write', 'write'],
  ['RDMA_Read', 'read'],
  ['Send', 'send'],
  ['Atomic', 'atomic'],
]);

/** A title has six words at most: `RDMA_Write Bidirectional Post List BW Test`. */
const TITLE_MAX = 100;

/** Reads `RDMA_Write Bidirectional BW Test`, and the same with underscores, as in the JSON form; null for any other text. */
export function parseTitle(text: string): PerftestProgram | null {
  if (text.length > TITLE_MAX) return null;
  const words = text
    .replaceAll('_', ' ')
    .split(' ')
    .filter((word) => word !== '');
  const kind = words.at(-2);
  if (words.at(-1) !== 'Test' || (kind !== 'BW' && kind !== 'Latency')) return null;
  const verb = VERBS.get(words[0] === 'RDMA' ? `RDMA_${words[1] ?? ''}` : (words[0] ?? ''));
  if (verb === undefined) return null;
  return { name: `ib_${verb}_${kind === 'BW' ? 'bw' : 'lat'}`, isBidirectional: words.includes('Bidirectional') };
}
