import type { ExpectedPath } from '../schema/paths.js';
import type { Proof } from '../schema/proof.js';

/**
 * What one counter or fact of a proof says about the claim that the data went from device to device: it `shows` it,
 * `contradicts` it, is `missing` although it could be there, or is `beside` the question.
 */
export interface EvidenceItem {
  name: string;
  says: 'shows' | 'contradicts' | 'missing' | 'beside';
  text: string;
}

/** Whether a proof shows that the data took the predicted peer path. */
export interface Attestation {
  isProven: boolean;
  /** Why not; null when it is. */
  reason: string | null;
  items: EvidenceItem[];
}

type Detail = Proof['detail'][string];

interface EvidenceKind {
  name: string;
  /** Whether a claim without it is not believed. */
  isRequired: boolean;
  /** What a proof says by having it; `null` when it says nothing. */
  read: (value: Detail, proof: Proof) => Omit<EvidenceItem, 'name'>;
}

/** A counter that is above zero when the data went that way. */
const moving =
  (what: string): EvidenceKind['read'] =>
  (value) =>
    Number(value) > 0
      ? { says: 'shows', text: `${what}: ${String(value)}` }
      : { says: 'contradicts', text: `${what}: none` };

/** A counter that says nothing about the way, but belongs to the picture. */
const beside =
  (what: string): EvidenceKind['read'] =>
  (value) => ({ says: 'beside', text: `${what}: ${String(value)}` });

const isOn = (value: Detail): boolean => value === true || value === 'on' || (typeof value === 'number' && value > 0);

/** The one table of what a proof may count, in the order of the pages. Counters with other names are shown and judge nothing. */
const KINDS: readonly EvidenceKind[] = [
  { name: 'alias pages', isRequired: true, read: moving('pages that were mapped at their address on the bus') },
  { name: 'dma_alias calls', isRequired: false, read: beside('times the provider was asked for such an address') },
  { name: 'RAM pages', isRequired: false, read: beside('pages that were mapped in RAM') },
  { name: 'pages migrated back', isRequired: false, read: beside('pages that came back to RAM') },
  { name: 'ODP page faults', isRequired: false, read: moving('pages that the NIC faulted in itself') },
  { name: 'NIC bytes', isRequired: false, read: moving('bytes that the NIC counted') },
  { name: 'peer NIC bytes', isRequired: false, read: moving('bytes that the NIC of the other machine counted') },
  { name: 'PCIe bytes', isRequired: false, read: moving('bytes that the link of the device counted') },
  {
    name: 'ACS redirect',
    isRequired: false,
    read: (value, { taken }) =>
      isOn(value) && taken === 'BUS_ADDR'
        ? { says: 'contradicts', text: 'a bridge between the devices sends their traffic up to the root' }
        : { says: 'beside', text: isOn(value) ? 'traffic is sent up to the root' : 'no bridge redirects' },
  },
  { name: 'IOMMU', isRequired: false, read: beside('the IOMMU under this kernel') },
  {
    name: 'bytes compared',
    isRequired: false,
    read: (value) =>
      Number(value) > 0
        ? { says: 'shows', text: `bytes of data that were compared: ${String(value)}` }
        : { says: 'missing', text: 'no data was compared: this test looks at the mapping alone' },
  },
  {
    name: 'oracle reads',
    isRequired: false,
    read: (value) =>
      Number(value) > 0
        ? { says: 'shows', text: `looks of the host at the memory of the device: ${Number(value)}` }
        : { says: 'missing', text: 'the host did not look at the memory of the device' },
  },
];
/** Kinds whose absence is worth a line; others are absent wherever there is no such device. */
const EXPECTED_KINDS: ReadonlySet<string> = new Set(['alias pages', 'bytes compared', 'oracle reads']);

/** What stands where a path would be predicted. */
export const NO_PATH = 'the source of this kernel changes the rule, so no path is predicted';

const wayOf = (taken: string): string => (taken === 'ram' ? 'RAM' : taken);

/** What the data was expected to do: as the controller said with the proof, else the path of the combination. */
export const expectedPath = (proof: Pick<Proof, 'predicted'>, ofCombination: ExpectedPath): ExpectedPath =>
  proof.predicted ?? ofCombination;

/**
 * Looks at a proof of a test that asks for the peer path. The path is proven when the driver mapped it as predicted, the
 * counters that must be there are, and none contradicts: right data alone is no proof, as data that bounced through RAM is
 * right too. Where no path is predicted the counters decide alone whether it went from device to device.
 */
export function attestPath(proof: Proof, pathKind: ExpectedPath): Attestation {
  const items: EvidenceItem[] = [mapType(proof, pathKind)];
  let absent: string | null = null;
  for (const { name, isRequired, read } of KINDS) {
    const value = Object.hasOwn(proof.detail, name) ? proof.detail[name] : undefined;
    if (value !== undefined) items.push({ name, ...read(value, proof) });
    else if (EXPECTED_KINDS.has(name)) items.push({ name, says: 'missing', text: 'not counted' });
    if (value === undefined && isRequired) absent ??= name;
  }
  const against = items.find(({ says }) => says === 'contradicts');
  const reason =
    against !== undefined
      ? `${against.name}: ${against.text}`
      : absent === null
        ? null
        : `nothing shows that it took ${proof.taken}: ${absent} missing`;
  return { isProven: reason === null, reason, items };
}

function mapType({ taken }: Proof, pathKind: ExpectedPath): EvidenceItem {
  const name = 'map type';
  if (pathKind === 'unknown') return { name, says: 'beside', text: `${wayOf(taken)}; ${NO_PATH}` };
  if (taken === pathKind) return { name, says: 'shows', text: `${taken}, as the topology predicts` };
  return { name, says: 'contradicts', text: `${wayOf(taken)}; the topology predicts ${pathKind}` };
}
