import {
  type Inventory,
  LINUX_PATH_RULE,
  PARENTS_MAX,
  pairOf,
  type PciFunction,
  type PeerPath,
  predictPath,
} from '@peerlab/contracts';
import { acsControlOf } from '../inventory/parse.js';
import { output, quote, script } from '../machine/command.js';
import type { Session } from '../machine/protocols.js';

/** Two ends and the bridges above them, with 8 KiB of configuration space each in this form. */
const OUTPUT_MAX_BYTES = 4 * 1024 * 1024;
/** An emulated machine that hardly gets to run. */
const READ_MS = 120_000;
const LINE = /^([0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]) ([0-9a-f]{0,8192})$/;
const END = /^@end (\d) (.{0,64})$/;

/** Prints `@end N MODE` for each end, then a line for each function from the root down to it: its address and its configuration space. */
const READ = `number=0
for end in $ends; do
  cd -P "/sys/bus/pci/devices/$end" 2>/dev/null || { echo "there is no PCI function $end" >&2; exit 1; }
  mode=; [ ! -r iommu_group/type ] || read -r mode <iommu_group/type
  echo "@end $number $mode"
  number=$((number + 1))
  rest=\${PWD#/sys/devices/}/
  while [ -n "$rest" ]; do
    name=\${rest%%/*}; rest=\${rest#*/}
    [ -r "/sys/bus/pci/devices/$name/config" ] || continue
    bytes=$(od -An -v -tx1 "/sys/bus/pci/devices/$name/config") || { echo "the configuration of $name cannot be read" >&2; exit 1; }
    echo "$name $(echo "$bytes" | tr -d ' \\n')"
  done
done`;

/** What decides, beside host bridge and processor, how data travels between the devices of a pair at this moment. */
export interface Way {
  /** From the root down to the device itself: addresses, and control registers of those with ACS. */
  ends: readonly { functions: readonly { address: string; acsControl: number | null }[]; iommuMode: string | null }[];
}

/** Reads the way between the devices of a path on the running kernel. Rejects with a MachineError when one of them is gone. */
export async function readWay(session: Session, path: PeerPath, signal: AbortSignal): Promise<Way> {
  const { provider, client } = pairOf(path);
  const text = await output(
    session,
    script('way', { provider, client, kind: path.kind }, `ends=${quote(`${provider} ${client}`)}\n${READ}`),
    { timeoutMs: READ_MS, maxBytes: OUTPUT_MAX_BYTES, signal },
  );
  return parseWay(text);
}

/** What the machine printed; lines of another form are left out. */
export function parseWay(text: string): Way {
  const ends: { functions: { address: string; acsControl: number | null }[]; iommuMode: string | null }[] = [];
  for (const line of text.split('\n')) {
    const head = END.exec(line.slice(0, 100));
    if (head !== null && ends.length < 2)
      ends.push({ functions: [], iommuMode: head[2] === '' ? null : (head[2] ?? null) });
    const found = line.length > 8300 ? null : LINE.exec(line);
    const last = ends.at(-1);
    if (found === null || last === undefined || last.functions.length > PARENTS_MAX) continue;
    last.functions.push({ address: found[1] ?? '', acsControl: acsControlOf(Buffer.from(found[2] ?? '', 'hex')) });
  }
  return { ends };
}

/** For the log: what was read of each end. */
export function describeWay({ ends }: Way): string {
  return ends
    .map(({ functions, iommuMode }) => {
      const acs = functions.flatMap(({ address, acsControl }) =>
        acsControl === null ? [] : [`${address} 0x${acsControl.toString(16)}`],
      );
      const name = functions.at(-1)?.address ?? 'a device';
      return `${name}: ACS control ${acs.length === 0 ? 'nowhere' : acs.join(', ')}, IOMMU ${iommuMode ?? 'none'}`;
    })
    .join('; ');
}

/** As a combination has it; how late an IOMMU flushes (`DMA`, `DMA-FQ`) makes no other one. */
function iommuOf(mode: string | null): string {
  if (mode === null) return 'off';
  return mode === 'identity' ? 'passthrough' : 'translated';
}

/**
 * Why a candidate that runs now has other ways than the machine's own kernel had, which the path was planned on; null when it has
 * the same. A configuration without what a distribution sets (the IOMMU on by default) is enough for that, and without an IOMMU
 * the kernel does not touch ACS either: results would be kept for a combination that was not there.
 */
export function whyOtherUnderCandidate(before: Way, now: Way, path: PeerPath): string | null {
  const changed = before.ends.flatMap(({ functions, iommuMode }, index) => {
    const [was, is] = [iommuOf(iommuMode), iommuOf(now.ends[index]?.iommuMode ?? null)];
    return was === is ? [] : [`the IOMMU of ${functions.at(-1)?.address ?? 'a device'} is ${is}, not ${was}`];
  });
  return changed.length > 0 ? changed.join(', ') : whyOtherWay(now, path);
}

const NO_CPU: Inventory['cpu'] = { vendor: '', family: 0, model: 0, name: '', count: 1 };

/**
 * Why the path that was planned is not that of the machine any more; null when it is. Looks at what may change from boot to boot:
 * whether both are below one bridge, and whether one on the way redirects.
 */
export function whyOtherWay({ ends }: Way, path: PeerPath): string | null {
  const [provider, client] = ends.map(({ functions }) => functions);
  const pair = pairOf(path);
  if (provider?.at(-1)?.address !== pair.provider || client?.at(-1)?.address !== pair.client) {
    return 'the machine does not tell where its devices are';
  }
  const functions = [...provider, ...client].map((each) => functionAt(each, [provider, client]));
  const inventory = { cpu: NO_CPU, functions } as unknown as Inventory;
  const now = predictPath(inventory, pair, LINUX_PATH_RULE);
  if (now === null || (now.kind === 'BUS_ADDR') === (path.kind === 'BUS_ADDR')) return null;
  // Beyond "no common bridge" and "ACS redirect at …" nothing was looked at here.
  return now.kind === 'BUS_ADDR' ? now.reason : (now.reason.split(';')[0] ?? '');
}

function functionAt(
  { address, acsControl }: { address: string; acsControl: number | null },
  chains: readonly (readonly { address: string }[])[],
): Pick<PciFunction, 'address' | 'acsControl' | 'parents' | 'vendor' | 'device' | 'class'> {
  const chain = chains.find((each) => each.some((one) => one.address === address)) ?? [];
  const at = chain.findIndex((one) => one.address === address);
  const parents = chain.slice(0, at).map((one) => one.address);
  return { address, acsControl, parents, vendor: '', device: '', class: '' };
}
