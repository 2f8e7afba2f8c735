import { readFileSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import {
  DriverName,
  DRIVERS_MAX,
  Labels,
  Name,
  PATH_ENDS_MAX,
  type ProblemItem,
  problemItems,
  REPOSITORIES_MAX,
  RepositoryUrl,
} from '@peerlab/contracts';
import { parseDocument } from 'yaml';
import { z } from 'zod';
import { BuildLimits } from '../job/build-limits.js';
import { type Bmc, BmcConfig } from '../machine/bmc.js';
import type { DriverSettings } from '../machine/driver.js';
import {
  BOOT,
  CONSOLE,
  DEVICE_MEMORY,
  DISK,
  INITRAMFS,
  POWER,
  SHELL,
  WATCHDOG,
  withPaths,
} from '../machine/registry.js';
import type { SigningSettings } from '../signing/index.js';
import { SPOOL_HOLD_SECONDS, SPOOL_MAX_BYTES } from '../spool/spool-disk.js';

/** Room for the reserves and newest segments of a few attempts. */
const SPOOL_LEAST_BYTES = 16 * 1024 * 1024;

/** A BMC, an outlet, and one more: each costs the restore of a machine that is dead two more boots. */
export const POWER_WAYS_MAX = 3;

/** Files are relative to the config file. */
const FilePath = z.string().min(1);

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
  shell: SHELL,
  /** Without it a machine that hangs waits for a person. A list: the ways to its power, in the order in which they are tried. */
  power: z.union([POWER, z.array(POWER).min(1).max(POWER_WAYS_MAX)]).optional(),
  /** Armed for the boot of a candidate. */
  watchdog: WATCHDOG.optional(),
  /** Without it the machine keeps what a candidate writes, and is compared with its fingerprint. */
  disk: DISK.optional(),
  /** Without it crashes have no text. */
  console: CONSOLE.optional(),
  boot: BOOT.default({ driver: 'grub' }),
  /** The machine's tool that makes an initramfs; without it candidates boot without one, from a plain partition. */
  initramfs: INITRAMFS.optional(),
  /** Out-of-tree drivers of kernel/drivers on the builders that it needs, in the order in which they are loaded. */
  drivers: z
    .array(DriverName)
    .max(DRIVERS_MAX)
    .refine((names) => new Set(names).size === names.length, 'a driver is named twice')
    .default([]),
  /** The host's own view of each provider's memory, in the order of their PCI addresses; one alone is the first one's. */
  deviceMemory: z
    .union([DEVICE_MEMORY.transform((memory) => [memory]), z.array(DEVICE_MEMORY).max(PATH_ENDS_MAX)])
    .default([]),
  /** The network to the other machines of an attempt: suites with two ends use it. */
  link: z
    .strictObject({
      device: z
        .string()
        .regex(/^[0-9A-Za-z._-]{1,15}$/, 'expected the name of a network device, such as enp65s0f0np0')
        .optional(),
      mac: z
        .string()
        .regex(/^([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}$/, 'expected a MAC address, such as 52:54:00:70:00:01')
        .optional(),
      /** Suites give it to the device; without it the machine sets one itself. */
      address: z.cidrv4({ error: 'expected an IPv4 address with its prefix, such as 10.77.0.1/24' }).optional(),
    })
    .refine(
      ({ device, mac }) => (device === undefined) !== (mac === undefined),
      'name the device or its mac, one of them',
    )
    .optional(),
});
export type MachineConfig = z.infer<typeof MachineConfig>;

/** A URL, or a URL with the file of a credential that is sent to it alone, and never in the clear over a network. */
const Repository = z.union([
  RepositoryUrl.transform((url) => ({ url, credentialFile: null })),
  z
    .strictObject({ url: RepositoryUrl, credentialFile: FilePath })
    .refine(({ url }) => /^https:\/\/|^http:\/\/(?:127\.0\.0\.1|\[::1\])[:/]/.test(url), {
      path: ['url'],
      error: 'a credential is sent over https alone',
    }),
]);

/** An RSA key in a file that only the agent's account reads, and its certificate, as they are enrolled on machines. */
const Signing = z.strictObject({ keyFile: FilePath, certificateFile: FilePath });

const AgentFile = z.strictObject({
  controller: z.url({ protocol: /^(https?|wss?)$/, error: 'expected an http, https, ws or wss URL' }),
  tokenFile: FilePath,
  name: Name,
  site: Name.default('lab'),
  stateDir: FilePath,
  cacheDir: FilePath,
  /** The repository's kernel/ folder; needed with the capability `build`. */
  kernelDir: FilePath.optional(),
  /** A folder with suites of this lab, one in each NAME.yaml. */
  suitesDir: FilePath.optional(),
  capabilities: z
    .array(z.enum(['test', 'build']))
    .min(1)
    .default(['test']),
  buildSlots: z.number().int().min(0).max(64).default(1),
  /** What one build may use. */
  buildLimits: BuildLimits.prefault({}),
  /** Git repositories that builds may name, exactly so; without any only the farm's base and tarballs are built. */
  repositories: z.array(Repository).max(REPOSITORIES_MAX).default([]),
  /** What the fetch from one of them may use. */
  fetchLimits: z
    .strictObject({
      /** Mirror of one repository, in MiB; a tree of Linux takes 250, and what changes less. */
      mirrorMiB: z
        .number()
        .int()
        .min(512)
        .default(8 * 1024),
      seconds: z.number().int().min(10).max(7200).default(1800),
    })
    .prefault({}),
  /** Test jobs at the same time; without it only the number of machines limits them. */
  testSlots: z.number().int().min(1).max(2000).optional(),
  /** Bytes of the spool of all attempts together; above it producers are held back, then lines left out. */
  spoolMaxBytes: z.number().int().min(SPOOL_LEAST_BYTES, 'expected 16 MiB or more').default(SPOOL_MAX_BYTES),
  /** How long a suite, a build or a console is held back before lines are left out. */
  spoolHoldSeconds: z.number().min(0).max(3600).default(SPOOL_HOLD_SECONDS),
  /** What kernels are signed with for machines that have Secure Boot on. */
  signing: Signing.optional(),
  /** Service processors by name, for drivers to refer to. */
  bmcs: z.record(Name, BmcConfig).default({}),
  machinesFile: FilePath.optional(),
  machines: z.array(MachineConfig).optional(),
});

/** A file of machines, with what they refer to. One without any of that may be only the list. */
const MachinesFile = z.strictObject({
  signing: Signing.optional(),
  bmcs: z.record(Name, BmcConfig).default({}),
  machines: z.array(MachineConfig),
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

/** The value of a YAML file; throws ConfigError. */
export function readYaml(file: string, field: string, remedy: string): unknown {
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

/** Fields of a machine that name a driver. */
const DRIVER_FIELDS = ['shell', 'power', 'watchdog', 'disk', 'console', 'boot', 'initramfs'] as const;

function absolute(machine: MachineConfig, folder: string): MachineConfig {
  const from = (path: string): string => resolve(folder, path);
  const made = DRIVER_FIELDS.flatMap((field) => {
    const settings = machine[field];
    if (settings === undefined) return [];
    const isList = Array.isArray(settings);
    const each = [settings].flat().map((one) => withPaths(field, one, from));
    return [[field, isList ? each : each[0]]];
  });
  const deviceMemory = machine.deviceMemory.map((memory) => withPaths('deviceMemory', memory, from));
  return { ...machine, ...(Object.fromEntries(made) as Partial<MachineConfig>), deviceMemory };
}

/** What a driver needs its BMC to speak. */
const BMC_PROTOCOL: Readonly<Record<string, Bmc['protocol']>> = { ipmi: 'ipmi', sol: 'ipmi', redfish: 'redfish' };

/** References to BMCs that are not there, or speak another protocol. */
function wrongBmcs(machines: readonly MachineConfig[], bmcs: Readonly<Record<string, Bmc>>): ProblemItem[] {
  return machines.flatMap((machine) =>
    DRIVER_FIELDS.flatMap((field): ProblemItem[] => {
      const settings = machine[field];
      if (settings === undefined) return [];
      const place = `machines ${machine.name}: ${field}`;
      if (!Array.isArray(settings)) return wrongBmc(settings, place, bmcs);
      return settings.flatMap((one, index) => wrongBmc(one, `${place}.${index}`, bmcs));
    }),
  );
}

/** A reference to a BMC that is not there, or speaks another protocol. @param place the path of the driver's settings */
export function wrongBmc(settings: DriverSettings, place: string, bmcs: Readonly<Record<string, Bmc>>): ProblemItem[] {
  if (!('bmc' in settings) || typeof settings.bmc !== 'string') return [];
  const path = `${place}.bmc`;
  const wanted = BMC_PROTOCOL[settings.driver];
  const found = Object.hasOwn(bmcs, settings.bmc) ? bmcs[settings.bmc] : undefined;
  if (found === undefined) {
    const names = Object.keys(bmcs);
    const remedy = names.length === 0 ? 'describe it under bmcs:' : `bmcs are ${names.slice(0, 20).join(', ')}`;
    return [{ path, message: `there is no BMC "${settings.bmc}"`, remedy }];
  }
  if (found.protocol === wanted) return [];
  const message = `"${settings.bmc}" speaks ${found.protocol}, the driver ${settings.driver} needs ${wanted ?? 'none'}`;
  return [{ path, message, remedy: 'name another BMC, or another driver' }];
}

/** BMCs with the paths of their passwords made absolute. */
const bmcsFrom = (bmcs: Readonly<Record<string, Bmc>>, folder: string): Record<string, Bmc> =>
  Object.fromEntries(
    Object.entries(bmcs).map(([name, bmc]) => [name, { ...bmc, passwordFile: resolve(folder, bmc.passwordFile) }]),
  );

const signingFrom = ({ keyFile, certificateFile }: SigningSettings, folder: string): SigningSettings => ({
  keyFile: resolve(folder, keyFile),
  certificateFile: resolve(folder, certificateFile),
});

const isBelow = (file: string, folder: string): boolean => !relative(folder, file).startsWith('..');

/**
 * Reads and checks a config file; throws ConfigError with every problem and its remedy.
 * @param needsMachine false = it may name none yet
 */
export function loadConfig(path: string, needsMachine = true): AgentConfig {
  const file = resolve(path);
  const folder = dirname(file);
  const parsed = AgentFile.safeParse(readYaml(file, '', 'give the path of the agent config with --config'));
  if (!parsed.success) throw new ConfigError(file, problemItems(parsed.error));
  const { machines: inline, machinesFile, ...rest } = parsed.data;
  const machines = (inline ?? []).map((machine) => absolute(machine, folder));
  const bmcs = bmcsFrom(rest.bmcs, folder);
  let signing = rest.signing === undefined ? undefined : signingFrom(rest.signing, folder);
  if (machinesFile !== undefined) {
    const from = resolve(folder, machinesFile);
    const remedy = 'start the lab, which writes it, or correct machinesFile';
    const value = readYaml(from, 'machinesFile', remedy);
    const found = MachinesFile.safeParse(Array.isArray(value) ? { machines: value } : value);
    if (!found.success) throw new ConfigError(from, problemItems(found.error));
    machines.push(...found.data.machines.map((machine) => absolute(machine, dirname(from))));
    const shared = Object.keys(found.data.bmcs).find((name) => Object.hasOwn(bmcs, name));
    if (shared !== undefined) {
      throw single(from, 'bmcs', `the name "${shared}" is used in ${file}, too`, 'give every BMC its own name');
    }
    Object.assign(bmcs, bmcsFrom(found.data.bmcs, dirname(from)));
    if (found.data.signing !== undefined) {
      if (rest.signing !== undefined) {
        throw single(from, 'signing', `${file} has it, too`, 'keep one of the two: a site has one key');
      }
      signing = signingFrom(found.data.signing, dirname(from));
    }
  }
  const twice = machines.find((machine, index) => machines.findIndex((other) => other.name === machine.name) !== index);
  if (twice !== undefined) {
    throw single(file, 'machines', `the name "${twice.name}" is used twice`, 'give every machine its own name');
  }
  if (needsMachine && rest.capabilities.includes('test') && machines.length === 0) {
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
  const wrong = wrongBmcs(machines, bmcs);
  if (wrong.length > 0) throw new ConfigError(file, wrong);
  const { kernelDir, suitesDir, signing: _, ...others } = rest;
  // Builds see all of that folder; the key would be in sight of what it signs.
  if (signing !== undefined && kernelDir !== undefined && isBelow(signing.keyFile, resolve(folder, kernelDir))) {
    throw single(file, 'signing.keyFile', 'lies in kernelDir, which builds can read', 'put it elsewhere');
  }
  return {
    ...others,
    bmcs,
    tokenFile: resolve(folder, rest.tokenFile),
    stateDir: resolve(folder, rest.stateDir),
    cacheDir: resolve(folder, rest.cacheDir),
    repositories: rest.repositories.map(({ url, credentialFile }) => ({
      url,
      credentialFile: credentialFile === null ? null : resolve(folder, credentialFile),
    })),
    ...(kernelDir === undefined ? {} : { kernelDir: resolve(folder, kernelDir) }),
    ...(signing === undefined ? {} : { signing }),
    ...(suitesDir === undefined ? {} : { suitesDir: resolve(folder, suitesDir) }),
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
