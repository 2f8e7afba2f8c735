import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { endChild } from '@peerlab/runtime';

/** A BMC of OpenIPMI's simulator on loopback: power, and a serial console that it takes from a TCP port. */
export interface IpmiSim {
  port: number;
  passwordFile: string;
  /** An administrator. */
  user: string;
  /** A user with the same password that may do what an operator may. */
  operator: string;
  power(): string;
  setPower(state: '0' | '1'): void;
  /** Orders that it was given, for example `power 0`. */
  orders(): string[];
  stop(): Promise<void>;
}

const PASSWORD = 'a-password';

/** Starts it in `folder`; `consolePort` is where its serial-over-LAN connects to. Debian packages: openipmi, ipmitool. */
export async function startIpmiSim(folder: string, consolePort = 9): Promise<IpmiSim> {
  const port = await freePort();
  const machinePort = await freePort();
  const [powerFile, ordersFile] = [join(folder, 'power'), join(folder, 'orders')];
  writeFileSync(powerFile, '1');
  writeFileSync(ordersFile, '');
  const chassis = join(folder, 'chassis');
  writeFileSync(
    chassis,
    `#!/bin/sh
shift; operation=$1; shift
if [ "$operation" = get ]; then
  for field in "$@"; do
    case $field in power) echo "power:$(cat ${powerFile})" ;; boot) echo "boot:default" ;; *) echo "$field:0" ;; esac
  done
else
  while [ $# -gt 0 ]; do
    echo "$1 $2" >> ${ordersFile}
    [ "$1" != power ] || echo "$2" > ${powerFile}
    shift 2
  done
fi
`,
    { mode: 0o755 },
  );
  const passwordFile = join(folder, 'bmc-password');
  writeFileSync(passwordFile, PASSWORD, { mode: 0o600 });
  writeFileSync(
    join(folder, 'lan.conf'),
    `name "sim"
set_working_mc 0x20
  startlan 1
    addr 127.0.0.1 ${port}
    priv_limit admin
    allowed_auths_callback none md2 md5 straight
    allowed_auths_user none md2 md5 straight
    allowed_auths_operator none md2 md5 straight
    allowed_auths_admin none md2 md5 straight
    guid a123456789abcdefa123456789abcdef
  endlan
  serial 15 127.0.0.1 ${machinePort} codec VM
  chassis_control "${chassis} 0x20"
  sol "tcp:localhost:${consolePort}" 115200
  user 2 true "lab" "${PASSWORD}" admin 10 none md2 md5 straight
  user 3 true "night" "${PASSWORD}" operator 10 none md2 md5 straight
`,
  );
  writeFileSync(
    join(folder, 'sim.emu'),
    'mc_setbmc 0x20\nmc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr\nsel_enable 0x20 1000 0x0a\nmc_enable 0x20\n',
  );
  const child: ChildProcess = spawn(
    'ipmi_sim',
    ['-n', '-c', join(folder, 'lan.conf'), '-f', join(folder, 'sim.emu'), '-s', join(folder, 'sim-state')],
    { stdio: ['ignore', 'ignore', 'ignore'], detached: true },
  );
  const ended = new Promise<void>((resolve, reject) => {
    child.once('error', (error) =>
      reject(new Error(`ipmi_sim cannot be started (package openipmi): ${error.message}`)),
    );
    child.once('close', () => resolve());
  });
  ended.catch(() => undefined);
  await Promise.race([new Promise((resolve) => child.once('spawn', resolve)), ended]);
  const machine = await connectMachine(machinePort);
  return {
    port,
    passwordFile,
    user: 'lab',
    operator: 'night',
    power: () => readFileSync(powerFile, 'utf8').trim(),
    setPower: (state) => writeFileSync(powerFile, state),
    orders: () => readFileSync(ordersFile, 'utf8').trim().split('\n'),
    stop: async () => {
      machine.close();
      endChild(child);
      await ended;
    },
  };
}

/** What a machine says of itself on the line to its BMC, as QEMU's ipmi-bmc-extern does: it can be reset and switched off. */
const HELLO = Buffer.from([0xff, 0x01, 0xa1, 0x08, 0x3f, 0xa1]);

async function connectMachine(port: number): Promise<{ close(): void }> {
  const deadline = Date.now() + 10_000;
  for (;;) {
    const socket = connect(port, '127.0.0.1');
    const isOpen = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
    });
    if (!isOpen) {
      if (Date.now() > deadline) throw new Error(`ipmi_sim does not listen on port ${port}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
      continue;
    }
    socket.on('error', () => undefined);
    socket.write(HELLO);
    return { close: () => socket.destroy() };
  }
}

/** IPMI is UDP; a TCP port that is free is taken for one that is free for UDP, too. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
