import { cutText } from '../../schema/text.js';
import {
  ALARM_DEVICE_MAX,
  ALARM_TITLE_MAX,
  type HardwareAlarmKind,
  type HardwareAlarmSeverity,
} from '../../schema/hardware-alarms.js';
import { parseConsoleLine } from '../crash/console-line.js';
import { ALARM_FORMS, type AlarmForm } from './kinds.js';

/** What a line of a kernel says about the hardware below it. */
export interface HardwareAlarm {
  kind: HardwareAlarmKind;
  severity: HardwareAlarmSeverity;
  title: string;
  device: string | null;
  /** The page frame of memory that failed; absent for all else. */
  page?: string;
}

/** Characters of a message that are looked at. */
const MESSAGE_MAX = 512;

const BY_TEXT: readonly { has: string; forms: readonly AlarmForm[] }[] = [
  ...new Set(ALARM_FORMS.map(({ has }) => has)),
].map((has) => ({ has, forms: ALARM_FORMS.filter((form) => form.has === has) }));

/**
 * The hardware alarm in a line of a console, of dmesg or of /dev/kmsg; null for any other line, and for one without a prefix
 * of printk: programs write such words too. Takes time in proportion to the line. Never throws.
 */
export function readHardwareAlarm(line: string): HardwareAlarm | null {
  const { context, text } = parseConsoleLine(line);
  if (context === '') return null;
  const message = text.slice(0, MESSAGE_MAX);
  for (const { has, forms } of BY_TEXT) {
    if (!message.includes(has)) continue;
    for (const { kind, form, tell } of forms) {
      const found = form.exec(message);
      const told = found === null ? null : tell(found);
      if (told === null) continue;
      const device = told.device === null ? null : cutText(told.device, ALARM_DEVICE_MAX);
      const { severity, title, page } = told;
      return {
        kind,
        severity,
        title: cutText(title, ALARM_TITLE_MAX),
        device,
        ...(page === undefined ? {} : { page }),
      };
    }
  }
  return null;
}

/** As mm/madvise.c and mm/hwpoison-inject.c write it, and our own tests where the kernel says nothing (hard_offline_page). */
const INJECTED = /^Injecting memory failure (?:for|at) pfn (0x[0-9a-f]{1,16})/;

/**
 * The page frame whose memory a program lets fail, in a line as of readHardwareAlarm; null for any other line. What the kernel
 * says of that page tells nothing about the hardware.
 */
export function injectedPage(line: string): string | null {
  if (!line.includes('Injecting memory failure ')) return null;
  const { context, text } = parseConsoleLine(line);
  return context === '' ? null : (INJECTED.exec(text.slice(0, MESSAGE_MAX))?.[1] ?? null);
}

/**
 * Whether a crash with this title is the hardware's: the kernel stopped itself because of a machine check. It is no finding
 * about the kernel.
 */
export function isHardwareCrash(title: string): boolean {
  return /^kernel panic: (?:Fatal (?:local )?machine check|Machine check|Timeout: Not all CPUs entered broadcast exception handler)/i.test(
    title,
  );
}
