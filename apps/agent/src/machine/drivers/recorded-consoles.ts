import { join } from 'node:path';
import { z } from 'zod';
import { Host, type IpmiBmc } from '../bmc.js';
import { netconsoleSource } from '../console/netconsole-source.js';
import { netconsoleStarter } from '../console/netconsole-starter.js';
import { programSource } from '../console/program-source.js';
import { ConsoleRecorder } from '../console/recorder.js';
import type { ConsoleSource } from '../console/source.js';
import { tcpSource } from '../console/tcp-source.js';
import { defineDriver, type DriverContext } from '../driver.js';
import type { Console } from '../protocols.js';
import { createLogFileConsole } from './console-log-file.js';
import { cipherSuitesFor, ipmitoolArguments } from './ipmitool.js';

/** Not an option of the program that gets it. */
const ConsoleName = z.string().regex(/^[a-zA-Z0-9_.@][a-zA-Z0-9_.@-]{0,63}$/, 'expected a name');

/** A console of a conserver server, by its client, which only looks on: others keep the right to type. */
export function conserverSource({ host, port, console, user }: ConserverSettings): ConsoleSource {
  return programSource({
    name: `console ${console} of conserver ${host}`,
    program: 'console',
    args: ['-M', host, '-p', String(port), '-l', user, '-s', console],
    // Without one it keeps what it prints until it has much of it.
    terminal: true,
    openMark: '[spying]',
  });
}

interface ConserverSettings {
  host: string;
  port: number;
  console: string;
  user: string;
}

/** The console that a source gives: recorded for the agent's life, followed by attempts. */
function recorded(source: ConsoleSource, context: DriverContext): Console {
  const file = join(context.stateDir, 'consoles', `${context.machine}.log`);
  const recorder = new ConsoleRecorder({ machine: context.machine, source, file });
  context.runInBackground((signal) => recorder.run(signal));
  return { ...createLogFileConsole({ logFile: file }), problem: () => recorder.problem };
}

/** Serial over LAN of a BMC. A BMC has one session: while another client has it, the record has a gap. */
export function solSource(bmc: IpmiBmc): ConsoleSource {
  const name = `serial over LAN of BMC ${bmc.host}`;
  return {
    name,
    async read(handlers, signal) {
      let why = '';
      for (const cipherSuite of cipherSuitesFor(bmc)) {
        let wasOpen = false;
        why = await programSource({
          name,
          program: 'ipmitool',
          args: [...ipmitoolArguments(bmc, cipherSuite), 'sol', 'activate'],
          terminal: true,
          openMark: 'SOL Session operational',
          // Its own escape, which it does not hand on: otherwise the BMC keeps the session until that times out, after a minute.
          farewell: '~.',
        }).read(
          {
            ...handlers,
            onOpen: () => {
              wasOpen = true;
              handlers.onOpen();
            },
          },
          signal,
        );
        // Only a session that never opened may be due to the cipher suite.
        if (wasOpen || signal.aborted) break;
      }
      return why;
    },
  };
}

export const solConsole = defineDriver({
  schema: z.strictObject({ driver: z.literal('sol'), bmc: z.string().min(1) }),
  paths: [],
  create: ({ bmc }, context) => recorded(solSource(context.bmc(bmc) as IpmiBmc), context),
});

export const tcpConsole = defineDriver({
  schema: z.strictObject({
    driver: z.literal('tcp'),
    host: z.string().min(1).max(253),
    port: z.number().int().min(1).max(65535),
  }),
  paths: [],
  create: ({ host, port }, context) => recorded(tcpSource({ host, port }), context),
});

const NETCONSOLE_CAVEAT =
  'netconsole shows nothing before SSH answers, unless netconsole and the driver of the network card are built in: a kernel under test that ' +
  'fails before cannot be told from one that was not loaded';

export const netconsole = defineDriver({
  schema: z.strictObject({
    driver: z.literal('netconsole'),
    host: z.string().min(1).max(253).describe('address of the agent’s computer that it listens on'),
    port: z.number().int().min(1).max(65535).default(6666),
    from: z.union([z.ipv4(), z.ipv6()]).describe('the machine’s address'),
    argument: z
      .string()
      .max(500)
      .regex(/^netconsole=[\x21-\x7e]+$/, 'expected netconsole=PORT@ADDRESS/INTERFACE,PORT@ADDRESS/MAC')
      .optional()
      .describe('what kernels are told; without it the agent finds out'),
  }),
  paths: [],
  create: ({ host, port, from, argument }, context) => ({
    ...recorded(netconsoleSource({ host, port, from }), context),
    starter: netconsoleStarter({ port, from, argument: argument ?? null }),
    caveat: NETCONSOLE_CAVEAT,
  }),
});

export const conserverConsole = defineDriver({
  schema: z.strictObject({
    driver: z.literal('conserver'),
    host: Host,
    port: z.number().int().min(1).max(65535).default(782),
    console: ConsoleName,
    user: ConsoleName.default('peerlab'),
  }),
  paths: [],
  create: (settings, context) => recorded(conserverSource(settings), context),
});

export const commandConsole = defineDriver({
  schema: z.strictObject({
    driver: z.literal('command'),
    command: z.array(z.string().min(1).max(1000)).min(1).max(64).describe('prints the console; run without a shell'),
    terminal: z.boolean().default(false).describe('it wants a terminal'),
  }),
  paths: [],
  create: ({ command: [program = '', ...args], terminal }, context) =>
    recorded(programSource({ name: program, program, args, terminal, openMark: null }), context),
});
