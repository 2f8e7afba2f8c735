import { cleanText } from '@peerlab/contracts';
import { script } from '../machine/command.js';
import type { Session } from '../machine/protocols.js';

/** The latest kernel package that was installed, by dpkg's or rpm's own record. */
const READ = `grep -hE ' (install|upgrade) linux-image' /var/log/dpkg.log 2>/dev/null | tail -n 1 | head -c 300
rpm -q --last kernel-core kernel kernel-default 2>/dev/null | grep -v 'not installed' | head -n 1 | head -c 300`;
const LINE_MAX = 300;

/** Words about a kernel package that may have replaced the default kernel; empty when the machine knows of none. */
export async function kernelPackageNote(session: Session, signal: AbortSignal): Promise<string> {
  const result = await session
    .exec(script('package-log', {}, READ), { signal, maxBytes: 4096, timeoutMs: 30_000 })
    .catch(() => null);
  const line = result?.stdout.trim().split('\n')[0]?.trim() ?? '';
  if (line === '') return '';
  return `; a package upgrade may have replaced it, the machine's latest is: ${cleanText(line, LINE_MAX)}; hold kernel packages on test machines`;
}
