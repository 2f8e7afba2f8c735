import { readFileSync } from 'node:fs';
import { parseInventory } from '../inventory/parse.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseBootPolicy } from '../job/boot-policy.js';
import { parseFacts } from './facts.js';
import { GOOD_FACTS } from '../fake/good-facts.js';
import { judge, type LookedAt } from './judge.js';

const inventory = parseInventory(readFileSync(new URL('../inventory/samples/v-switch.txt', import.meta.url), 'utf8'));
const MACHINE = {
  name: 'epyc-1',
  kernelArguments: [],
  initramfs: null,
  drivers: [],
  boot: { loader: 'GRUB', trusts: 'firmware-and-shim' },
  signer: null,
} as const;
const seen = (text: string, change: Partial<LookedAt> = {}): LookedAt => ({
  facts: parseFacts(text),
  inventory,
  bootPolicy: parseBootPolicy(''),
  loaderProblem: null,
  machine: MACHINE,
  console: { problem: null },
  consoleCaveat: null,
  power: [{ name: null, said: { state: 'on' } }],
  watchdog: null,
  asked: { fromSeconds: 1_700_000_000.4, toSeconds: 1_700_000_001 },
  ...change,
});

const verdictOf = (text: string, name: string, change: Partial<LookedAt> = {}): string => {
  const found = judge(seen(text, change)).find((check) => check.name === name);
  return found === undefined
    ? 'absent'
    : `${found.verdict}: ${found.detail}${found.remedy === null ? '' : ` → ${found.remedy}`}`;
};
const changed = (from: string, to: string): string => {
  expect(GOOD_FACTS).toContain(from);
  return GOOD_FACTS.replace(from, to);
};

describe('a machine that lacks nothing', () => {
  it('passes every check, each once', () => {
    const checks = judge(seen(GOOD_FACTS));
    expect(checks.filter(({ verdict }) => verdict !== 'pass')).toEqual([]);
    expect(new Set(checks.map(({ name }) => name)).size).toBe(checks.length);
    expect(checks.map(({ name }) => name)).toEqual(expect.arrayContaining(['root', 'devices', 'iommu', 'paths']));
  });
});

describe('what is wrong is named with its remedy', () => {
  it.each([
    [
      'account',
      changed('@account\n0\nroot', '@account\n1000\nadmin'),
      'fail: commands run as admin, who may not install kernels',
    ],
    ['space', changed('900000 10% /boot', '50000 95% /boot'), 'fail: 48.8 MiB free in /boot'],
    ['space', changed('900000 10% /boot', '300000 70% /boot'), 'warn: 293.0 MiB free in /boot'],
    ['mounts', changed('/boot ext4 rw', '/boot ext4 ro'), 'fail: /boot mounted read-only'],
    ['mounts', changed('/var/lib ext4 rw', '/var/lib ext4 rw,noexec'), 'fail: /var/lib is mounted noexec'],
    ['tools', changed('@tools', '@tools\nmissing flock'), 'fail: flock missing → install util-linux'],
    [
      'upgrades',
      changed('upgrades.service disabled', 'upgrades.service enabled'),
      'warn: unattended-upgrades.service may replace',
    ],
    ['kdump', changed('loaded 0', 'loaded 1'), 'warn: a crash kernel is loaded'],
    ['watchdog', changed('inactive', 'active'), 'warn: watchdog0 iTCO_wdt is fed by another program'],
    ['watchdog', changed('systemd|0', 'systemd|30s'), 'warn: a watchdog is fed by systemd (every 30s)'],
    ['drivers', changed('@modules', '@modules\nnvidia POE'), 'warn: loaded from outside the kernel: nvidia (POE)'],
    [
      'drivers',
      changed('@modules', '@modules\nmlx_compat OE\nmlx_compat loaded'),
      'fail: the RDMA drivers are those of OFED',
    ],
    ['clock', changed('1700000000', '1700003600'), 'warn: its clock differs from that of the agent by 3599 s'],
  ])('%s', (name, facts, expected) => {
    expect(verdictOf(facts, name)).toContain(expected);
  });

  it('of drivers from outside of the kernel: those of the config are built with each kernel', () => {
    const facts = changed('@modules', '@modules\nnvidia POE');
    expect(verdictOf(facts, 'drivers', { machine: { ...MACHINE, drivers: ['nvidia-open'] } })).toContain(
      'pass: loaded from outside the kernel: nvidia (POE); kernels under test get nvidia-open',
    );
  });

  it.each([
    ['that took long to answer agrees', 1_699_999_960, 1_700_000_020, 'pass'],
    ['that is behind', 1_700_000_100, 1_700_000_120, 'warn: its clock differs from that of the agent by -99 s'],
    ['that is ahead', 1_699_999_900, 1_699_999_940, 'warn: its clock differs from that of the agent by 60 s'],
  ])('of a clock: one %s', (_, fromSeconds, toSeconds, expected) => {
    expect(verdictOf(GOOD_FACTS, 'clock', { asked: { fromSeconds, toSeconds } })).toContain(expected);
  });

  it('of what the drivers, the loader and the firmware say', () => {
    expect(verdictOf(GOOD_FACTS, 'boot-loader', { loaderProblem: 'no custom.cfg; run update-grub' })).toBe(
      'fail: no custom.cfg → run update-grub',
    );
    const secure = (text: string): string =>
      verdictOf(GOOD_FACTS, 'secure-boot', { bootPolicy: parseBootPolicy(text) });
    expect(secure('firmware uefi\nsecure-boot 1')).toMatch(/^fail: Secure Boot is on, .* → configure signing:/);
    expect(secure('firmware uefi\nsecure-boot 0')).toBe('pass: Secure Boot is off');
    expect(secure('firmware uefi')).toMatch(/^warn: whether Secure Boot is on could not be read.* → mount efivarfs/);
    expect(verdictOf(GOOD_FACTS, 'console', { console: null })).toContain('warn: none is configured');
    expect(verdictOf(GOOD_FACTS, 'console', { console: { problem: 'refused' } })).toContain(
      'fail: it is not recorded: refused',
    );
    const consoleCaveat = 'it shows nothing of a boot';
    expect(verdictOf(GOOD_FACTS, 'console', { consoleCaveat })).toMatch(
      /^warn: it is recorded; it shows nothing of a boot → .*serial port/,
    );
    expect(verdictOf(GOOD_FACTS, 'console', { console: 'not-looked-at', consoleCaveat })).toMatch(/^warn: /);
    expect(verdictOf(GOOD_FACTS, 'power', { power: [] })).toContain('warn: none is configured');
    const power = (said: LookedAt['power'][number]['said']): Partial<LookedAt> => ({ power: [{ name: null, said }] });
    expect(verdictOf(GOOD_FACTS, 'power', power({ state: 'off' }))).toContain('fail: its power driver says "off"');
    expect(verdictOf(GOOD_FACTS, 'power', power({ problem: 'no route; check bmcs:' }))).toBe(
      'fail: no route → check bmcs:',
    );
    const ways: Partial<LookedAt> = {
      power: [
        { name: 'BMC 10.0.0.7', said: { problem: 'no session; check bmcs:' } },
        { name: 'the outlet', said: { state: 'on' } },
      ],
    };
    expect(verdictOf(GOOD_FACTS, 'power-1', ways)).toBe('fail: no session → check bmcs:');
    expect(verdictOf(GOOD_FACTS, 'power-2', ways)).toBe('pass: the outlet sees it switched on');
    expect(verdictOf(GOOD_FACTS, 'power', ways)).toBe('absent');
    const machine = { ...MACHINE, kernelArguments: ['iommu=pt'] };
    expect(verdictOf(GOOD_FACTS, 'kernel-arguments', { machine })).toContain(
      'fail: the default kernel of epyc-1 runs without iommu=pt',
    );
  });

  it('of the watchdog that the config names', () => {
    const of = (said: NonNullable<LookedAt['watchdog']>['said'] | null): string => {
      const watchdog = said === null ? null : { name: 'watchdog of BMC 10.0.0.7', said };
      return verdictOf(GOOD_FACTS, 'watchdog-driver', { watchdog });
    };
    expect(of(null)).toBe('absent');
    expect(of({ user: null })).toBe('pass: watchdog of BMC 10.0.0.7 is there, and nothing else uses it');
    expect(of({ user: 'it runs for SMS/OS' })).toMatch(
      /^fail: watchdog of BMC 10\.0\.0\.7 is used by something else: it runs for SMS\/OS → stop that/,
    );
    expect(of({ problem: 'no session; check the BMC' })).toBe(
      'fail: watchdog of BMC 10.0.0.7: no session → check the BMC',
    );
  });

  it('of a root that needs an initramfs', () => {
    const lvm = changed('@root\n/dev/vda1 ext4', '@root\n/dev/mapper/vg-root ext4');
    const mapped = { ...inventory, kernel: { ...inventory.kernel, commandLine: 'root=/dev/mapper/vg-root ro' } };
    const ofRoot = (facts: string, tool: string | null): string =>
      verdictOf(facts, 'root', {
        inventory: mapped,
        machine: { ...MACHINE, initramfs: tool === null ? null : { tool } },
      });
    expect(ofRoot(lvm, 'initramfs-tools')).toMatch(/^pass: .*; initramfs-tools makes the initramfs of candidates$/);
    expect(ofRoot(lvm, null)).toContain('→ write initramfs: {driver: initramfs-tools} into the config');
    expect(ofRoot(lvm, 'dracut')).toContain('names dracut for its initramfs, which is not installed');
    const without = lvm.replace('initramfs update-initramfs\n', '');
    expect(ofRoot(without, null)).toContain('→ install initramfs-tools, dracut or mkinitcpio');
  });

  it('of a machine without a pair', () => {
    const bare = { ...inventory, functions: [] };
    expect(verdictOf(GOOD_FACTS, 'devices', { inventory: bare })).toContain('warn: providers: none; clients: none');
    expect(verdictOf(GOOD_FACTS, 'paths', { inventory: bare })).toBe('absent');
  });
});

describe('the machine’s words', () => {
  it('are read whatever they are, and every text fits', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.constantFrom(...GOOD_FACTS.split('\n'), '@', '@root', '@space', '|||', 'a'.repeat(9000), '\u001b[2J'),
        ),
        (lines) => {
          for (const { detail, remedy } of judge(seen(lines.join('\n')))) {
            expect(detail.length).toBeLessThanOrEqual(600);
            expect((remedy ?? '').length).toBeLessThanOrEqual(600);
            expect(detail).not.toContain('\u001b');
          }
        },
      ),
    );
  });
});
