import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { AttemptDetail, RunDetail, RunSpec } from '@peerlab/contracts';
import { expect } from 'vitest';
import { parse } from 'yaml';
import { BareSite, type Ended } from './bare-site.js';
import { attemptsOf, wholeLog } from './started-farm.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '../../..');
export const SERVER = 's-uefi';
/** A disk image, and four boots of a distribution's own kernel under emulation beside other work. */
export const ENROL_MS = 60 * 60_000;
/** Of OVMF on a busy computer; it takes seconds. */
const FIRMWARE_SECONDS = 60;
/** A kernel of a distribution's configuration, and a test on the server. */
export const RUN_MS = 120 * 60_000;

/** What enrolment has to find out about a server: its root, and the drivers that its entry in the config needs. */
export interface Expected {
  name: string;
  set: string;
  /** As the check of the root says it. */
  root: RegExp;
  drivers: Readonly<Record<string, { driver: string }>>;
}

const UEFI: Expected = {
  name: SERVER,
  set: 'server',
  root: /pass root .* ext4 on \/dev\/mapper\/server-root; initramfs-tools makes/,
  drivers: { initramfs: { driver: 'initramfs-tools' } },
};

/** How `peerlab machine add` ends that is told of the server's BMC alone. */
export function enrolOn(site: BareSite, { name, set }: Expected): Promise<Ended> {
  return site.enrol('--bmc', name, '--console', 'sol', '--labels', `set=${set}`, '--act', '--confirm', name);
}

/** The virtual server `s-uefi`, and how its enrolment ended. */
export async function enrolServer(): Promise<{ site: BareSite; enrolled: Ended }> {
  const site = await BareSite.start(SERVER);
  return { site, enrolled: await enrolOn(site, UEFI) };
}

/** Every check passed, and the config has the server with the drivers that it needs. */
export async function expectEnrolled(site: BareSite, enrolled: Ended, expected = UEFI): Promise<void> {
  expect(enrolled.code, enrolled.stdout + enrolled.stderr).toBe(0);
  expect(enrolled.stdout).not.toMatch(/^. (?:fail|warn) /m);
  expect(enrolled.stdout).toMatch(expected.root);
  expect(enrolled.stdout).toMatch(/pass console-echo .* was on the console after/);
  expect(enrolled.stdout).toMatch(/pass power-cycle .* after a power cycle, with all its devices/);
  expect(enrolled.stdout).toMatch(/pass fallback .* after a crash the default kernel came back by itself/);
  const config = parse(await readFile(site.configFile, 'utf8')) as { machines: unknown };
  const { name, set, drivers } = expected;
  expect(config.machines).toMatchObject([
    { name, labels: { set }, power: { driver: 'ipmi', bmc: name }, console: { driver: 'sol', bmc: name }, ...drivers },
  ]);
}

/** Runs on the server, with kernels of its own configuration. */
export class ServerRuns {
  constructor(readonly site: BareSite) {}

  /**
   * Makes the configuration out of that of the server's own kernel, and starts the agent.
   * @throws where the command fails
   */
  async start(): Promise<void> {
    const made = await this.site.configureKernel(SERVER);
    expect(made.code, made.stderr).toBe(0);
    // Of an unknown one it is waited for a quarter of an hour longer.
    await this.site.setFirmwareSeconds(FIRMWARE_SECONDS);
    await this.site.startAgent();
  }

  /** `infra/runs/servers.yaml` with that configuration. @param mutant what is put on top of the series */
  async spec(mutant?: string): Promise<RunSpec> {
    const { builds, ...rest } = parse(await readFile(join(root, 'infra/runs/servers.yaml'), 'utf8')) as RunSpec;
    const series = mutant === undefined ? {} : { name: mutant, series: ['bundled' as const, { mutant }] };
    return { ...rest, builds: builds.map((build) => ({ ...build, config: SERVER, ...series })) };
  }

  /** @param spec as the run file of a person, which may have a suite in it */
  async submit(spec: RunSpec | string): Promise<string> {
    const yaml = typeof spec === 'string' ? spec : JSON.stringify(spec);
    return (await this.site.client.call('submitRun', { body: { yaml } })).id;
  }

  get(run: string): Promise<RunDetail> {
    return this.site.client.call('getRun', { params: { run } });
  }

  /** The attempts on the server, the newest last. */
  async testsOf(run: RunDetail): Promise<AttemptDetail[]> {
    return (await attemptsOf(this.site.client, run)).filter(({ kind }) => kind === 'test');
  }

  async lastTestOf(run: RunDetail): Promise<AttemptDetail> {
    const last = (await this.testsOf(run)).at(-1);
    if (last === undefined) throw new Error(`the server was not tested: ${JSON.stringify(run.jobViews, null, 1)}`);
    return last;
  }

  /** The first attempt on the server, as soon as `fits`. */
  firstAttempt(run: string, what: string, fits: (attempt: AttemptDetail) => Promise<boolean>): Promise<AttemptDetail> {
    return this.site.until(what, RUN_MS, async () => {
      const [first] = await this.testsOf(await this.get(run));
      return first !== undefined && (await fits(first)) ? first : null;
    });
  }

  /** Lines of the agent's own log. */
  async said(attempt: AttemptDetail, pattern: RegExp): Promise<string[]> {
    const lines = await wholeLog(this.site.client, attempt.id, 'agent');
    return lines.map(({ text }) => text).filter((text) => pattern.test(text));
  }

  /** The server runs its own kernel, with every device, and nothing else lies on it. */
  async expectRestored(attempt: AttemptDetail): Promise<void> {
    expect(attempt.restored).toBe(true);
    const of = (phase: string) => attempt.kernels.find((kernel) => kernel.phase === phase);
    expect(of('default-after')?.buildId).toBe(of('default-before')?.buildId);
    expect(of('default-after')?.bootId).not.toBe(of('default-before')?.bootId);
    expect(await this.said(attempt, /^restore: all \d+ PCI functions of before are there$/)).not.toEqual([]);
    expect(await this.said(attempt, /^restore: fingerprint [0-9a-f]{12}… as pinned/)).toHaveLength(1);
    const left = await this.site.shell('ls /boot /lib/modules; cat /boot/grub/custom.cfg; grub-editenv - list; true');
    expect(left).not.toMatch(/peerlab-[0-9a-f]{8}|next_entry=./);
  }
}
