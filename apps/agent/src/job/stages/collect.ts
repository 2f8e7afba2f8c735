import { output, script } from '../../machine/command.js';
import type { AttemptContext } from '../attempt-context.js';
import { describeErrors, readDeviceErrors } from '../device-errors.js';
import { storeLineCounts } from '../line-counts.js';

/** Small things that tell how the kernel fared; large ones are streams. */
const COLLECT_MAX_BYTES = 64 * 1024;
const COLLECT_MAX_LINES = 2000;
const COLLECT = `
{
echo "uptime: $(cat /proc/uptime)"
echo "tainted: $(cat /proc/sys/kernel/tainted)"
cat /proc/modules
grep -E '^(hmm|pgmigrate|thp_migration|numa_hint|oom_kill)' /proc/vmstat
for file in /sys/kernel/debug/peerlab*/* /sys/class/misc/peerlab*/counters /sys/class/peerlab/*/counters; do
  [ -f "$file" ] && { echo "$file:"; cat "$file"; }
done
} | head -c ${COLLECT_MAX_BYTES}
exit 0`;

/** Brings in what the machine still has to tell before it reboots. */
export async function collect(context: AttemptContext): Promise<string> {
  const session = context.connection.session;
  if (session === null || context.candidate === null) return 'the candidate does not run any more; nothing to collect';
  const { kernel } = await context.connection.reach(0, context.signal);
  if (kernel.bootId !== context.candidate.bootId) return 'the default kernel runs already; nothing to collect';
  const isWhole = await context.kernelLog.catchUp(session, context.signal);
  if (context.deviceErrors !== null) {
    const counted = describeErrors(context.deviceErrors, await readDeviceErrors(session, context.signal));
    context.note(`collect: errors that devices counted during the tests: ${counted ?? 'none'}`);
  }
  const text = await output(session, script('collect', {}, COLLECT), {
    maxBytes: 2 * COLLECT_MAX_BYTES,
    signal: context.signal,
  });
  for (const line of text.trim().split('\n', COLLECT_MAX_LINES)) context.note(`collect: ${line}`);
  await storeLineCounts(context, session);
  return isWhole ? 'kernel log complete' : 'the kernel log may lack its end';
}
