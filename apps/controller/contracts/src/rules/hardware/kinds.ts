import type { HardwareAlarmKind, HardwareAlarmSeverity } from '../../schema/hardware-alarms.js';

/** What a line told, before it is cut to its maxima. */
export interface ToldAlarm {
  severity: HardwareAlarmSeverity;
  title: string;
  device: string | null;
  /** The page frame of failed memory, as the kernel writes it. */
  page?: string;
}

/** One dialect: a text that stands in the line, and the form of the message. Every part of a form has a maximum. */
export interface AlarmForm {
  kind: HardwareAlarmKind;
  has: string;
  form: RegExp;
  tell: (found: RegExpExecArray) => ToldAlarm | null;
}

const PCI = String.raw`([0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}(?:\.[0-7])?)`;

/**
 * Xids after which data or the GPU itself were lost, by NVIDIA's list of Xid messages. Others may be caused by a program
 * (13, 31, 43, 45, 68, 69), were mended (63, 92), or say nothing that is known here.
 */
const LOST_XIDS: ReadonlySet<number> = new Set([
  48, 54, 56, 57, 58, 61, 62, 64, 74, 79, 80, 81, 94, 95, 109, 110, 119, 120, 121, 123, 136, 140, 143, 144, 145, 146,
  147, 148, 149, 150,
]);
const MENDED_XIDS: ReadonlySet<number> = new Set([63, 92, 160]);

/** What the most frequent ones say; the words in the line itself differ from one to the next. */
const XID_WORDS: ReadonlyMap<number, string> = new Map([
  [13, 'exception of the graphics engine'],
  [31, 'page fault of the GPU'],
  [43, 'a channel was stopped'],
  [45, 'a channel was cleaned up'],
  [48, 'double-bit ECC error'],
  [63, 'row remapping recorded'],
  [64, 'row remapping failed'],
  [74, 'NVLink error'],
  [79, 'GPU has fallen off the bus'],
  [92, 'many single-bit ECC errors'],
  [94, 'contained ECC error'],
  [95, 'uncontained ECC error'],
  [119, 'the firmware (GSP) does not answer'],
  [120, 'error of the firmware (GSP)'],
]);

function xid(code: string): HardwareAlarmSeverity {
  const number = Number(code);
  if (LOST_XIDS.has(number)) return 'uncorrected';
  return MENDED_XIDS.has(number) ? 'corrected' : 'notice';
}

/** Severity as PCIe words it: `Corrected`, `Correctable`, `Uncorrected (Fatal)`, `Uncorrectable (Non-Fatal)`. */
const pcie = (word: string): HardwareAlarmSeverity => (word.startsWith('Correct') ? 'corrected' : 'uncorrected');

/** Bit 61 of a bank's status (UC): the error was not corrected. The 16 hex digits are those of 64 bits. */
const isUncorrectedBank = (status: string): boolean =>
  (Number.parseInt(status.padStart(16, '0').slice(0, 1), 16) & 2) !== 0;

/** Levels that mlx5 gives its health by: 0 to 3 are errors, 4 warns. */
const mlx5 = (level: string): HardwareAlarmSeverity => (Number(level) <= 3 ? 'uncorrected' : 'notice');

const always =
  (severity: HardwareAlarmSeverity, title: string) =>
  ([, device = '']: RegExpExecArray): ToldAlarm => ({ severity, title, device: device === '' ? null : device });

/**
 * How drivers and the kernel word trouble with hardware, as in Linux 7.3 and in distributions since 5.10. Sources:
 * drivers/pci/pcie/aer.c and dpc.c, arch/x86/kernel/cpu/mce, drivers/acpi/apei/ghes.c, drivers/edac, mm/memory-failure.c,
 * drivers/net/ethernet/mellanox/mlx5/core/health.c and events.c, drivers/gpu/drm/amd/amdgpu, drivers/nvme/host/pci.c; for
 * Xids the lines that NVIDIA documents. At one place of a line the first form counts.
 */
export const ALARM_FORMS: readonly AlarmForm[] = [
  {
    kind: 'gpu-xid',
    has: 'NVRM: Xid',
    form: new RegExp(String.raw`^NVRM: Xid \(PCI:${PCI}\): (\d{1,4})\b`),
    tell: ([, device = '', code = '']) => {
      const what = XID_WORDS.get(Number(code));
      return { severity: xid(code), title: what === undefined ? `Xid ${code}` : `Xid ${code}: ${what}`, device };
    },
  },
  {
    kind: 'gpu-xid',
    has: 'SXid (PCI:',
    form: new RegExp(String.raw`SXid \(PCI:${PCI}\): (\d{1,6}), (Fatal|Non-fatal)`),
    tell: ([, device = '', code = '', how]) => ({
      severity: how === 'Fatal' ? 'uncorrected' : 'notice',
      title: `SXid ${code} (${how})`,
      device,
    }),
  },
  {
    kind: 'gpu-xid',
    has: 'GPU has fallen off the bus',
    form: new RegExp(String.raw`^NVRM: .{0,40}?${PCI}.{0,40}?GPU has fallen off the bus`),
    tell: always('uncorrected', 'GPU has fallen off the bus'),
  },
  {
    kind: 'gpu-ras',
    has: 'correctable hardware errors detected',
    form: new RegExp(
      String.raw`^amdgpu ${PCI}: .{0,40}?\b(un|)correctable hardware errors detected.{0,40}? in (\w{1,24}) block`,
    ),
    tell: ([, device = '', un, block = '']) => ({
      severity: un === 'un' ? 'uncorrected' : 'corrected',
      title: `RAS: ${un}correctable errors in ${block}`,
      device,
    }),
  },
  {
    kind: 'gpu-ras',
    has: 'RAS poison',
    form: new RegExp(String.raw`^amdgpu ${PCI}: .{0,40}?RAS poison`),
    tell: always('uncorrected', 'RAS: poisoned data was consumed'),
  },
  {
    kind: 'nic-health',
    has: 'Health issue observed',
    form: new RegExp(String.raw`^mlx5_core ${PCI}: .{0,80}?Health issue observed, ([^,]{1,100}), severity\((\d)\)`),
    tell: ([, device = '', what = '', level = '']) => ({
      severity: mlx5(level),
      title: `mlx5 health: ${what}`,
      device,
    }),
  },
  {
    kind: 'nic-health',
    has: "device's health compromised",
    form: new RegExp(String.raw`^mlx5_core ${PCI}: .{0,80}?device's health compromised`),
    tell: always('uncorrected', 'mlx5 health: the firmware does not answer'),
  },
  {
    kind: 'nic-health',
    has: 'Port module event[error]',
    form: new RegExp(
      String.raw`^mlx5_core ${PCI}: .{0,80}?Port module event\[error\]: module (\d{1,3}), Cable error, ([A-Za-z /]{1,60})`,
    ),
    tell: ([, device = '', module = '', what = '']) => ({
      severity: 'notice',
      title: `cable of module ${module}: ${what.trim()}`,
      device,
    }),
  },
  {
    kind: 'thermal',
    has: 'Detected insufficient power',
    form: new RegExp(String.raw`^mlx5_core ${PCI}: .{0,80}?Detected insufficient power on the PCIe slot`),
    tell: always('notice', 'too little power on the PCIe slot'),
  },
  {
    kind: 'machine-check',
    has: 'Machine Check',
    form: /^mce: \[Hardware Error\]: CPU (\d{1,5}): Machine Check(?: Exception)?: [0-9a-f]{1,8} Bank (\d{1,3}): ([0-9a-f]{1,16})/,
    tell: ([, cpu = '', bank = '', status = '']) => ({
      severity: isUncorrectedBank(status) ? 'uncorrected' : 'corrected',
      title: `machine check in bank ${bank}`,
      device: `CPU ${cpu}`,
    }),
  },
  {
    kind: 'machine-check',
    has: '[Hardware Error]: ',
    form: /^(?:mce: )?\[Hardware Error\]: (Uncorrected, software (?:restartable|containable) error|System Fatal error|Deferred error|Corrected error)[,.]/,
    tell: ([, what = '']) => ({
      severity: what.startsWith('Corrected') ? 'corrected' : 'uncorrected',
      title: `machine check: ${what}`,
      device: null,
    }),
  },
  {
    kind: 'machine-check',
    has: '[Hardware Error]: event severity: ',
    form: /^\{\d{1,10}\}\[Hardware Error\]: event severity: (info|corrected|recoverable|fatal)/,
    tell: ([, how = '']) => ({
      severity: how === 'info' ? 'notice' : how === 'corrected' ? 'corrected' : 'uncorrected',
      title: `the firmware reports a ${how} error (APEI)`,
      device: null,
    }),
  },
  {
    kind: 'machine-check',
    has: 'Kernel panic - not syncing: ',
    form: /^Kernel panic - not syncing: (?:Fatal (?:local )?machine check|Timeout: Not all CPUs entered broadcast exception handler|Machine check)/,
    tell: always('uncorrected', 'fatal machine check'),
  },
  {
    kind: 'memory',
    has: 'EDAC ',
    form: /^EDAC (?:\w{1,24} )?(MC\d{1,3}): (\d{1,10}) (CE|UE) /,
    tell: ([, controller = '', , how]) => ({
      severity: how === 'UE' ? 'uncorrected' : 'corrected',
      title: how === 'UE' ? 'uncorrectable memory errors' : 'correctable memory errors',
      device: controller,
    }),
  },
  {
    kind: 'memory',
    has: 'Memory failure: ',
    form: /^Memory failure: (0x[0-9a-f]{1,16}): recovery action for ([A-Za-z -]{1,60}): (Recovered|Delayed|Ignored|Failed)/,
    tell: ([, page = '', what = '', how = '']) => ({
      severity: 'uncorrected',
      title: `memory failure in a ${what.trim()}: ${how.toLowerCase()}`,
      device: null,
      page,
    }),
  },
  {
    kind: 'pcie-aer',
    has: 'AER: ',
    form: new RegExp(
      String.raw`^(?:pcieport ${PCI}: )?AER: (?:Multiple )?((?:Correct|Uncorrect)(?:ed|able)(?: \((?:Fatal|Non-Fatal)\))?) error (?:message )?received(?: from|:)? ?(?:${PCI})?`,
    ),
    tell: ([, port, word = '', source]) => ({
      severity: pcie(word),
      title: `AER: ${normal(word)} error`,
      device: source ?? port ?? null,
    }),
  },
  {
    kind: 'pcie-aer',
    has: 'PCIe Bus Error: ',
    form: new RegExp(
      String.raw`^(?:[\w-]{1,32} ${PCI}: )?(?:AER: )?PCIe Bus Error: severity=((?:Correct|Uncorrect)(?:ed|able)(?: \((?:Fatal|Non-Fatal)\))?)`,
    ),
    tell: ([, device, word = '']) => ({
      severity: pcie(word),
      title: `AER: ${normal(word)} error`,
      device: device ?? null,
    }),
  },
  {
    kind: 'pcie-dpc',
    has: 'DPC: containment event',
    form: new RegExp(String.raw`^(?:pcieport ${PCI}: )?DPC: containment event`),
    tell: always('uncorrected', 'DPC: containment event'),
  },
  {
    kind: 'nvme',
    has: 'controller is down',
    form: /^nvme (nvme\d{1,5}): controller is down; will reset/,
    tell: always('uncorrected', 'NVMe controller is down'),
  },
  {
    kind: 'thermal',
    has: 'temperature above threshold',
    form: /^(?:mce: )?(CPU ?\d{1,5}): (?:Core|Package) temperature above threshold/,
    tell: ([, cpu = '']) => ({
      severity: 'notice',
      title: 'temperature above threshold',
      device: `CPU ${cpu.replace(/\D/g, '')}`,
    }),
  },
];

/** Old and new kernels say `Corrected` and `Correctable` of the same. */
const normal = (word: string): string =>
  word.replace('Correctable', 'Corrected').replace('Uncorrectable', 'Uncorrected');
