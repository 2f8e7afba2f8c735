import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { Labels, Name, PATH_ENDS_MAX, type ProblemItem, problemItems } from '@peerlab/contracts';
import { parseDocument } from 'yaml';
import { z } from 'zod';
import { BuildLimits } from '../job/build-limits.js';
import { SPOOL_HOLD_SECONDS, SPOOL_MAX_BYTES } from '../spool/spool-disk.js';

/** Room for the reserves and newest segments of a few attempts. */
const SPOOL_LEAST_BYTES = 16 * 1024 * 1024;

/** Files are relative to the config file. */
const FilePath = z.string().min(1);

const ShellConfig = z.discriminatedUnion('driver', [
  z.strictObject({
    driver: z.literal('ssh'),
    host: z.string().min(1),
    port: z.number().int().min(1).max(65535).default(22),
    user: z.string().min(1).default('root'),
    privateKeyFile: FilePath,
    hostKey: z
      .string()
      .regex(/^(ssh|ecdsa)-[a-z0-9-]+ [A-Za-z0-9+/=]+/, 'expected a public key in OpenSSH form: "ssh-ed25519 AAAA…"'),
  }),
]);
const PowerConfig = z.discriminatedUnion('driver', [
  z.strictObject({ driver: z.literal('qemu'), qmpSocket: FilePath }),
]);
const ConsoleConfig = z.discriminatedUnion('driver', [
  z.strictObject({ driver: z.literal('qemu'), logFile: FilePath }),
  z.strictObject({ driver: z.literal('file'), logFile: FilePath }),
]);
const DiskConfig = z.discriminatedUnion('driver', [
  z.strictObject({ driver: z.literal('qemu'), qmpSocket: FilePath, stateFile: FilePath }),
]);
const BootConfig = z.discriminatedUnion('driver', [z.strictObject({ driver: z.literal('grub') })]);
const DeviceMemoryConfig = z.discriminatedUnion('driver', [
  z.strictObject({ driver: z.literal('file'), path: FilePath }),
]);

export const MachineConfig = z.strictObject({
  name: Name,
  description: z.string().max(500).default(''),
  labels: Labels.default({}),
  /** What every kernel needs on this machine; the candidate gets those that the default kernel has not. */
  kernelArguments: z
    .array(
      z
        .string()
        .regex(/^[\x21-\x7e]+$/)
        .regex(/^[^'"\\]+$/, 'GRUB cannot pass on quotes and backslashes'),
    )
    .max(32)
    .default([]),
  /** From a reboot command to the boot loader; learnt after a few boots. 15 minutes when not given. */
  firmwareSeconds: z.number().int().min(1).max(3600).optional(),
  shell: ShellConfig,
  /** Without it a machine that hangs waits for a person. */
  power: PowerConfig.optional(),
  /** Without it the machine keeps what a candidate writes, and is compared with its fingerprint. */
  disk: DiskConfig.optional(),
  /** Without it crashes have no text. */
  console: ConsoleConfig.optional(),
  boot: BootConfig.default({ driver: 'grub' }),
  /** The host's own view of each provider's memory, in the order of their PCI addresses; one alone is the first one's. */
  deviceMemory: z
    .union([DeviceMemoryConfig.transform((memory) => [memory]), z.array(DeviceMemoryConfig).max(PATH_ENDS_MAX)])
    .default([]),
});
export type MachineConfig = z.infer<typeof MachineConfig>;

const AgentFile = z.strictObject({
  controller: z.url({ protocol: /^(https?|wss?)$/, error: 'expected an http, https, ws or wss URL' }),
  tokenFile: FilePath,
  name: Name,
  site: Name.default('lab'),
  stateDir: FilePath,
  cacheDir: FilePath,
  /** The repository's kernel/ folder; needed with the capability `build`. */
  kernelDir: FilePath.optional(),
  capabilities: z
    .array(z.enum(['test', 'build']))
    .min(1)
    .default(['test']),
  buildSlots: z.number().int().min(0).max(64).default(1),
  /** What one build may use. */
  buildLimits: BuildLimits.prefault({}),
  /** Test jobs at the same time; without it only the number of machines limits them. */
  testSlots: z.number().int().min(1).max(2000).optional(),
  /** Bytes of the spool of all attempts together; above it producers are held back, then lines left out. */
  spoolMaxBytes: z.number().int().min(SPOOL_LEAST_BYTES, 'expected 16 MiB or more').default(SPOOL_MAX_BYTES),
  /** How long a suite, a build or a console is held back before lines are left out. */
  spoolHoldSeconds: z.number().min(0).max(3600).default(SPOOL_HOLD_SECONDS),
  machinesFile: FilePath.optional(),
  machines: z.array(MachineConfig).optional(),
});

export interface AgentConfig extends Omit<z.infer<typeof AgentFile>, 'machines' | 'machinesFile'> {
  machines: MachineConfig[];
}

/** Everything that is wrong with a config, field by field. */
export class ConfigError extends Error {
  constructor(
    readonly file: string,
    readonly items: ProblemItem[],
  ) {
    super(
      items
        .map(
          (item) =>
            `${file}: ${item.path === '' ? '' : `${item.path}: `}${item.message}${item.remedy === undefined ? '' : `; ${item.remedy}`}`,
        )
        .join('\n'),
    );
    this.name = 'ConfigError';
  }
}

const single = (file: string, path: string, message: string, remedy: string): ConfigError =>
  new ConfigError(file, [{ path, message, remedy }]);

function readText(file: string, field: string, remedy: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw single(file, field, `cannot be read (${(error as NodeJS.ErrnoException).code ?? String(error)})`, remedy);
  }
}

function readYaml(file: string, field: string, remedy: string): unknown {
  const document = parseDocument(readText(file, field, remedy), { prettyErrors: true });
  const [problem] = document.errors;
  if (problem !== undefined) {
    const [place] = problem.linePos ?? [];
    throw new ConfigError(file, [
      {
        path: place === undefined ? '' : `line ${place.line}, column ${place.col}`,
        message: problem.message.split('\n')[0] ?? 'not YAML',
        remedy: 'correct the YAML',
      },
    ]);
  }
  return document.toJS() as unknown;
}

function absolute(machine: MachineConfig, folder: string): MachineConfig {
  return {
    ...machine,
    shell: { ...machine.shell, privateKeyFile: resolve(folder, machine.shell.privateKeyFile) },
    ...(machine.power && { power: { ...machine.power, qmpSocket: resolve(folder, machine.power.qmpSocket) } }),
    ...(machine.disk && {
      disk: {
        ...machine.disk,
        qmpSocket: resolve(folder, machine.disk.qmpSocket),
        stateFile: resolve(folder, machine.disk.stateFile),
      },
    }),
    ...(machine.console && { console: { ...machine.console, logFile: resolve(folder, machine.console.logFile) } }),
    deviceMemory: machine.deviceMemory.map((memory) => ({ ...memory, path: resolve(folder, memory.path) })),
  };
}

/** Reads and checks a config file; throws ConfigError with every problem and its remedy. */
export function loadConfig(path: string): AgentConfig {
  const file = resolve(path);
  const folder = dirname(file);
  const parsed = AgentFile.safeParse(readYaml(file, '', 'give the path of the agent config with --config'));
  if (!parsed.success) throw new ConfigError(file, problemItems(parsed.error));
  const { machines: inline, machinesFile, ...rest } = parsed.data;
  const machines = (inline ?? []).map((machine) => absolute(machine, folder));
  if (machinesFile !== undefined) {
    const from = resolve(folder, machinesFile);
    const remedy = 'start the lab, which writes it, or correct machinesFile';
    const list = z.array(MachineConfig).safeParse(readYaml(from, 'machinesFile', remedy));
    if (!list.success) throw new ConfigError(from, problemItems(list.error));
    machines.push(...list.data.map((machine) => absolute(machine, dirname(from))));
  }
  const twice = machines.find((machine, index) => machines.findIndex((other) => other.name === machine.name) !== index);
  if (twice !== undefined) {
    throw single(file, 'machines', `the name "${twice.name}" is used twice`, 'give every machine its own name');
  }
  if (rest.capabilities.includes('test') && machines.length === 0) {
    throw single(
      file,
      'machines',
      'no machine is configured',
      'set machinesFile or machines, or leave out the capability test',
    );
  }
  if (rest.capabilities.includes('build') && rest.kernelDir === undefined) {
    throw single(file, 'kernelDir', 'is missing', 'the capability build needs the path of the kernel/ folder');
  }
  const { kernelDir, ...others } = rest;
  return {
    ...others,
    tokenFile: resolve(folder, rest.tokenFile),
    stateDir: resolve(folder, rest.stateDir),
    cacheDir: resolve(folder, rest.cacheDir),
    ...(kernelDir === undefined ? {} : { kernelDir: resolve(folder, kernelDir) }),
    machines,
  };
}

/** The agent's token; throws ConfigError when the file is missing or empty. */
export function readToken(tokenFile: string): string {
  const remedy = 'write the token that `token create --kind agent` printed into it';
  const token = readText(tokenFile, 'tokenFile', remedy).trim();
  if (token === '') throw single(tokenFile, 'tokenFile', 'is empty', remedy);
  return token;
}
