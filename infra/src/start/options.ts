import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { cacheFolder, stateFolder } from '@peerlab/runtime';

export interface StartOptions {
  once: boolean;
  /** Where the final grid goes as JSON; null = nowhere. */
  jsonFile: string | null;
  /** Run file to submit; null = only serve. */
  runFile: string | null;
  port: number;
  /** First SSH port of the virtual machines; one port a machine. */
  labPortBase: number;
  /** Names of the virtual machines to bring up; empty = the default set, `all` = every one. */
  machines: string[];
  /** Git repositories that builds may name. */
  repositories: string[];
  /** Agents that share the machines, in turn. */
  agents: number;
  /** Test jobs at the same time, of each agent. */
  testSlots: number;
  stateDir: string;
  cacheDir: string;
  root: string;
}

export const HELP = `npm start -- [options]

  --once              exit with the verdict (0 as expected, 1 findings, 2 infrastructure) instead of serving
  --json FILE         write the final grid as JSON
  --run FILE          run file to submit (default: infra/runs/example.yaml); a bare NAME means infra/runs/NAME.yaml
  --no-run            submit nothing, only serve
  --machines A,B      bring up these virtual machines instead of the three of the default set; "all" for every one
  --agents N          agents that share the machines in turn (default 1); with two, the machines of a pair have one each
  --test-slots N      machines under test at the same time, of each agent (PEERLAB_TEST_SLOTS, default: cores + 1)
  --repositories A,B  git repositories that run files may build from, as URLs (none unless given)
  --port N            port of web UI and API            (PEERLAB_PORT, default 7470)
  --lab-port-base N   first SSH port of the machines    (PEERLAB_LAB_PORT_BASE, default 22101)

  PEERLAB_CACHE   downloads, images, kernels (default: the XDG cache folder)
  PEERLAB_STATE   database, disks, logs, tokens (default: /var/lib/peerlab for root, else the XDG state folder)
  DATABASE_URL    a Postgres of your own instead of the embedded one
`;

/** A wrong option: its message names the option and what it takes. */
export class UsageError extends Error {}

function port(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1024 || value > 65_000)
    throw new UsageError(`${name} ${text}: expected a port from 1024 to 65000`);
  return value;
}

function count(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 2000)
    throw new UsageError(`${name} ${text}: expected a number from 1 to 2000`);
  return value;
}

/** @param root the checkout */
export function readOptions(argv: string[], env: NodeJS.ProcessEnv, root: string): StartOptions | 'help' {
  let values;
  try {
    ({ values } = parseArgs({
      args: argv,
      options: {
        once: { type: 'boolean', default: false },
        json: { type: 'string' },
        run: { type: 'string', default: 'example' },
        'no-run': { type: 'boolean', default: false },
        machines: { type: 'string', default: '' },
        repositories: { type: 'string', default: '' },
        agents: { type: 'string', default: '1' },
        // An emulated machine keeps one core busy, but waits often: for its timers, for SSH, for its reboots.
        'test-slots': { type: 'string', default: env['PEERLAB_TEST_SLOTS'] ?? String(availableParallelism() + 1) },
        port: { type: 'string', default: env['PEERLAB_PORT'] ?? '7470' },
        'lab-port-base': { type: 'string', default: env['PEERLAB_LAB_PORT_BASE'] ?? '22101' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }));
  } catch (error) {
    throw new UsageError(`${(error as Error).message.split('. ')[0]}\n\n${HELP}`);
  }
  if (values.help) return 'help';
  const named = values.run.includes('/') || values.run.endsWith('.yaml') || values.run.endsWith('.yml');
  return {
    once: values.once,
    jsonFile: values.json === undefined ? null : resolve(env['INIT_CWD'] ?? '.', values.json),
    runFile: values['no-run']
      ? null
      : named
        ? resolve(env['INIT_CWD'] ?? '.', values.run)
        : join(root, 'infra/runs', `${values.run}.yaml`),
    port: port('--port', values.port),
    labPortBase: port('--lab-port-base', values['lab-port-base']),
    machines: values.machines.split(',').filter((name) => name !== ''),
    repositories: values.repositories.split(',').filter((url) => url !== ''),
    agents: count('--agents', values.agents),
    testSlots: count('--test-slots', values['test-slots']),
    stateDir: stateFolder(env),
    cacheDir: cacheFolder(env),
    root,
  };
}
