import { z } from 'zod';
import { output, quote, script } from '../command.js';
import { defineDriver } from '../driver.js';
import type { BootEntry, BootSelect } from '../protocols.js';
import { FAIL, runBootScript } from './boot-script.js';

const PREFLIGHT = `${FAIL}
command -v kexec >/dev/null || fail "kexec is missing|install kexec-tools"
[ "$(cat /proc/sys/kernel/kexec_load_disabled 2>/dev/null || echo 1)" = 0 ] ||
  fail "the default kernel does not load others (kexec_load_disabled)|use the boot loader of this machine"
exit 0`;

/**
 * The running kernel starts the candidate: neither firmware nor boot loader take part, and devices keep the state in which
 * the kernel before left them. A smoke test, and no proof that the candidate boots this machine.
 */
export function createKexecSelect(): BootSelect {
  let entry: BootEntry | null = null;
  return {
    loader: 'kexec',
    trusts: 'kernel',
    caveat: 'kexec is a smoke test only: no firmware and no boot loader take part, devices are not reset',
    reboot: 'kexec -e',
    readLine: () => null,

    async preflight(session) {
      await runBootScript(session, 'kexec-preflight', PREFLIGHT);
    },

    install: (_session, installed) => {
      entry = installed;
      return Promise.resolve();
    },

    async selectOnce(session) {
      if (entry === null) throw new Error('selected before it was installed');
      const { kernelPath, initrdPath, commandLine } = entry;
      const initrd = initrdPath === undefined ? '' : ` --initrd=${quote(initrdPath)}`;
      const body = `kexec --load ${quote(kernelPath)}${initrd} --command-line="$(cat)"`;
      await output(session, script('kexec-load', {}, body), { stdin: commandLine });
    },

    async pending(session) {
      const text = await output(session, script('kexec-pending', {}, 'cat /sys/kernel/kexec_loaded'));
      return text.trim() === '1' ? 'a kernel loaded by kexec' : null;
    },

    async remove(session) {
      await output(session, script('kexec-remove', {}, '[ "$(cat /sys/kernel/kexec_loaded)" != 1 ] || kexec --unload'));
    },
  };
}

export const kexec = defineDriver({
  schema: z.strictObject({ driver: z.literal('kexec') }),
  paths: [],
  create: () => createKexecSelect(),
});
