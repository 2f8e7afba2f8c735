import { z } from 'zod';
import { Sequence } from './ids.js';
import { LogStream } from './logs.js';
import { Role } from './participants.js';
import { Time } from './time.js';

/** What told of trouble with the hardware, each with what it is about. */
export const HARDWARE_ALARM_KINDS = [
  /** Xid and SXid of NVIDIA's driver. */
  'gpu-xid',
  /** RAS of amdgpu. */
  'gpu-ras',
  /** Health of the firmware and the ports of mlx5. */
  'nic-health',
  /** Machine check of a processor, and what the firmware reports of one (APEI). */
  'machine-check',
  /** Memory errors: EDAC, and pages that the kernel took out of use. */
  'memory',
  /** PCIe advanced error reporting. */
  'pcie-aer',
  /** PCIe downstream port containment: a link was stopped. */
  'pcie-dpc',
  /** An NVMe controller that does not answer. */
  'nvme',
  /** Too hot, or too little power. */
  'thermal',
] as const;
export type HardwareAlarmKind = (typeof HARDWARE_ALARM_KINDS)[number];

/**
 * `uncorrected`: data or the device were lost; the machine is taken out of service. `corrected`: the hardware mended it. `notice`: says
 * nothing by itself, such as an Xid that a program can cause.
 */
export const HARDWARE_ALARM_SEVERITIES = ['uncorrected', 'corrected', 'notice'] as const;
export type HardwareAlarmSeverity = (typeof HARDWARE_ALARM_SEVERITIES)[number];

/** Alarms of one participant that are kept: one for each kind, severity, device and code. */
export const HARDWARE_ALARMS_MAX = 100;
/** Longest title and device of an alarm, in characters. */
export const ALARM_TITLE_MAX = 200;
export const ALARM_DEVICE_MAX = 64;

export const HardwareAlarmView = z.object({
  kind: z.enum(HARDWARE_ALARM_KINDS),
  severity: z.enum(HARDWARE_ALARM_SEVERITIES),
  /** What it says, without what changes from one to the next. */
  title: z.string().max(ALARM_TITLE_MAX),
  /** Address of the PCI function, or the kernel's name of the part; null = it names none. */
  device: z.string().max(ALARM_DEVICE_MAX).nullable(),
  /** Lines that say the same. */
  times: z.number().int().positive(),
  /** Where the first of them stands. */
  stream: LogStream,
  line: Sequence,
  /** When it was logged first, by the agent's clock. */
  at: Time,
  /** Of the participant that logged it. */
  role: Role,
  attemptId: z.uuid(),
  run: z.object({ id: z.uuid(), name: z.string() }),
});
export type HardwareAlarmView = z.infer<typeof HardwareAlarmView>;

/** What the hardware of an attempt's machines told. */
export const AttemptAlarms = z.object({
  alarms: z.array(HardwareAlarmView),
  /** The logs are still to be searched, or the attempt runs. */
  pending: z.boolean(),
});
export type AttemptAlarms = z.infer<typeof AttemptAlarms>;

/** Alarms of a machine in one answer, the newest first. */
export const MACHINE_ALARMS_MAX = 50;
