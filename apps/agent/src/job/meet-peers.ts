import { cutText, FARM_SUITE, MEETING_WAIT_MAX_SECONDS } from '@peerlab/contracts';
import { output, quote, script } from '../machine/command.js';
import type { PeerLink } from '../machine/protocols.js';
import { JobFailure } from './failure.js';
import type { AttemptContext } from './attempt-context.js';
import { MeetingMissed } from './meetings.js';
import { PeerFacts } from './peer-facts.js';

/** What names the network device: a MAC address stays what it is when kernels call devices by other names. */
function findLink({ device, mac }: PeerLink): string {
  if (device !== undefined) return `link=${quote(device)}; what=${quote(`network device ${device}`)}`;
  const wanted = quote((mac ?? '').toLowerCase());
  // Devices on top of another one have its address.
  return `link=; what=${quote(`network device with the address ${mac ?? ''}`)}
for each in /sys/class/net/*; do
  [ ! -e "$each/device" ] || [ "$(cat "$each/address")" != ${wanted} ] || { link=\${each##*/}; break; }
done`;
}

/** All that a machine is asked for; a link that is not there is an error, and says so. */
export const peerFactsScript = (link: PeerLink | null): string => `
uname -r
${
  link === null
    ? ''
    : `${findLink(link)}
[ -n "$link" ] && [ -e "/sys/class/net/$link" ] || { echo "this machine has no $what under this kernel; correct link in the agent config, or the kernel's drivers" >&2; exit 1; }
echo "link $link"
ip -o -4 addr show dev "$link" 2>/dev/null | awk 'NR == 1 { print "address " $4 }'
for port in /sys/class/infiniband/*/ports/1; do
  [ "$(cat "$port/gid_attrs/ndevs/0" 2>/dev/null)" = "$link" ] || continue
  device=\${port%/ports/1}; echo "rdma \${device##*/}"
  for gid in "$port"/gids/*; do
    number=\${gid##*/}
    [ "$(cat "$port/gid_attrs/types/$number" 2>/dev/null)" = "RoCE v2" ] || continue
    value=$(cat "$gid"); case $value in 0000:0000:0000:0000:0000:ffff:*) echo "gid $value"; break ;; esac
  done
  break
done`
}
exit 0`;

/** Where the participants meet before the suites; no suite of that name is run. */
const BEFORE_SUITES = { suite: FARM_SUITE, test: 0, step: 0 };
/** How often the other side may boot, at most, before it is there. */
const BOOTS = 4;
const READ_MS = 30_000;

/**
 * Waits until all participants have booted their kernels, and takes what they say of their machines. Nothing is done where
 * there is one participant.
 */
export async function meetPeers(context: AttemptContext): Promise<void> {
  const { meetings, assignment, work, signal } = context;
  if (meetings === null || assignment.peers.length === 0) return;
  const own = await readOwn(context);
  const waitSeconds = Math.min(MEETING_WAIT_MAX_SECONDS, BOOTS * work.timeouts.bootSeconds);
  context.note(`test: waiting for ${assignment.peers.map(({ role, machine }) => `${role} on ${machine}`).join(', ')}`);
  try {
    const peers = await meetings.meet(BEFORE_SUITES, JSON.stringify(own), { waitSeconds, signal });
    context.facts = new Map([
      [assignment.role, own],
      ...peers.map(({ role, value }): [string, PeerFacts] => [role, readFacts(role, value)]),
    ]);
  } catch (error) {
    if (!(error instanceof MeetingMissed)) throw error;
    throw new JobFailure(error.why === 'late' ? 'infrastructure' : 'peer', error.message);
  }
  for (const [role, facts] of context.facts) context.note(`test: ${role} is ${describe(facts)}`);
}

async function readOwn({ machine, connection, signal }: AttemptContext): Promise<PeerFacts> {
  const { link } = machine;
  const command = script('peer-facts', { link: link?.device ?? link?.mac ?? '' }, peerFactsScript(link));
  const text = await output(connection.require(), command, { timeoutMs: READ_MS, maxBytes: 16_384, signal });
  const [kernel = '', ...lines] = text.split('\n').map((line) => line.trim());
  const word = (name: string): string | null =>
    lines.find((line) => line.startsWith(`${name} `))?.slice(name.length + 1) ?? null;
  const parsed = PeerFacts.safeParse({
    kernel,
    link: word('link'),
    // The config's own address is given to the device by the suite that uses it.
    address: link?.address ?? word('address'),
    rdmaDevice: word('rdma'),
    gid: word('gid'),
  });
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new JobFailure(
    'harness',
    `${machine.name} says of itself what is no ${String(issue?.path[0])}: ${cutText(text, 300)}`,
  );
}

function readFacts(role: string, value: string): PeerFacts {
  try {
    return PeerFacts.parse(JSON.parse(value));
  } catch {
    throw new JobFailure(
      'infrastructure',
      `participant ${role} says of its machine what cannot be read; the agents of both sides must have one version`,
    );
  }
}

const describe = ({ kernel, link, address, rdmaDevice, gid }: PeerFacts): string =>
  [kernel, link, address, rdmaDevice, gid].filter((word) => word !== null).join(', ');
