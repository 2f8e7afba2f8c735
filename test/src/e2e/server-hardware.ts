import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { QmpConnection } from '@peerlab/runtime';
import type { BareSite } from './bare-site.js';

/** Faults of a virtual server's hardware. */

/** The BMC accepts every order to reset and does nothing, until the function that this resolves to is called. */
export async function deafenReset({ folder, machine }: BareSite): Promise<() => Promise<void>> {
  // What the BMC's simulator hands its orders to.
  const program = join(folder, 'lab', machine, 'bmc/chassis');
  const own = await readFile(program, 'utf8');
  const deaf = own.replace(/^else$/m, 'else\n  [ "$1" != reset ] || exit 0');
  if (deaf === own) throw new Error(`${program} is not the program that it was`);
  await writeFile(program, deaf);
  return () => writeFile(program, own);
}

/**
 * Takes the first device of a QEMU type that has no name out of its slot; the system is asked first, as by the button of a hot-plug
 * slot. It is back when the server was without power: the next QEMU has it.
 */
export async function unplug(site: BareSite, type: string): Promise<void> {
  const monitor = await QmpConnection.open(await monitorOf(site), () => undefined);
  try {
    const parent = '/machine/peripheral-anon';
    const children = (await monitor.command('qom-list', undefined, { path: parent })) as {
      name: string;
      type: string;
    }[];
    const child = children.find((one) => one.type === `child<${type}>`);
    if (child === undefined) throw new Error(`the server has no ${type}`);
    await monitor.command('device_del', undefined, { id: `${parent}/${child.name}` });
  } finally {
    monitor.close();
  }
}

/** The monitor of the server's QEMU that the lab leaves to others. */
async function monitorOf({ folder, machine }: BareSite): Promise<string> {
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const args = await readFile(`/proc/${pid}/cmdline`, 'utf8').then(
      (text) => text.split('\0'),
      (): string[] => [],
    );
    if (!args.some((arg) => arg.includes(join(folder, 'lab', machine)))) continue;
    const [, path] = /^unix:([^,]+),/.exec(args[args.indexOf('-qmp') + 1] ?? '') ?? [];
    if (path !== undefined) return path;
  }
  throw new Error(`no QEMU runs for ${folder}`);
}
