import { cleanText } from '@peerlab/contracts';
import { parseDf } from '../job/stages/prepare.js';
import { output } from '../machine/command.js';
import type { Session } from '../machine/protocols.js';
import { FACTS_COMMAND, FACTS_MAX_BYTES } from './facts-script.js';

/** Longest line that is looked at, and words kept of it, in characters. */
const LINE_MAX = 4096;
const WORD_MAX = 200;
/** An emulated machine that hardly gets to run. */
const READ_MS = 120_000;

/** What the machine itself says about the things that a job needs. Everything in it is the machine's word. */
export interface MachineFacts {
  uid: number | null;
  user: string;
  /** Seconds since 1970 by its clock. */
  clock: number | null;
  space: { mount: string; freeBytes: number }[];
  mounts: { place: string; type: string; options: string[] }[];
  root: { source: string; type: string };
  missingTools: string[];
  initramfsTools: string[];
  /** Services that upgrade by themselves, with what systemd says of them. */
  upgraders: { unit: string; state: string }[];
  isCrashKernelLoaded: boolean;
  watchdogs: { name: string; state: string; identity: string }[];
  /** What systemd feeds a watchdog with; null = it feeds none. */
  systemdWatchdog: string | null;
  /** Modules that are not the kernel's own, with their taint letters. */
  foreignModules: { name: string; taint: string }[];
  hasOfed: boolean;
  consoles: string[];
  /** The fence of an attempt that was on it; null = none was. */
  fence: number | null;
}

const word = (text: string | undefined): string => cleanText(text ?? '', WORD_MAX).trim();

function sectionsOf(text: string): (name: string) => string[] {
  const sections = new Map<string, string[]>();
  let lines: string[] = [];
  for (const whole of text.split('\n')) {
    const line = whole.slice(0, LINE_MAX);
    const name = /^@([a-z]{1,20})$/.exec(line)?.[1];
    if (name !== undefined) sections.set(name, (lines = []));
    else if (line.trim() !== '') lines.push(line);
  }
  return (name) => sections.get(name) ?? [];
}

const numberOf = (text: string | undefined): number | null => (/^\d{1,15}$/.test(text ?? '') ? Number(text) : null);

/** Reads the script's output; what is not there is empty or null. */
export function parseFacts(text: string): MachineFacts {
  const section = sectionsOf(text);
  const [uid, user] = section('account');
  const rows = (name: string): string[][] => section(name).map((line) => line.trim().split(/\s+/));
  const watchdogs = section('watchdog').map((line) => line.split('|'));
  const fed = word(watchdogs.find(([name]) => name === 'systemd')?.[1]);
  const [source, type] = rows('root')[0] ?? [];
  return {
    uid: numberOf(uid?.trim()),
    user: word(user),
    clock: numberOf(section('time')[0]?.trim()),
    space: parseDf(section('space').join('\n')),
    mounts: rows('mounts').map(([place, kind, options]) => ({
      place: word(place),
      type: word(kind),
      options: (options ?? '').split(',').map(word),
    })),
    root: { source: word(source), type: word(type) },
    missingTools: rows('tools').flatMap(([kind, name]) => (kind === 'missing' ? [word(name)] : [])),
    initramfsTools: rows('tools').flatMap(([kind, name]) => (kind === 'initramfs' ? [word(name)] : [])),
    upgraders: rows('upgrades').map(([unit, state]) => ({ unit: word(unit), state: word(state) })),
    isCrashKernelLoaded: rows('kdump').some(([key, value]) => key === 'loaded' && value === '1'),
    watchdogs: watchdogs
      .filter(([name]) => name !== 'systemd')
      .map(([name, state, identity]) => ({ name: word(name), state: word(state), identity: word(identity) })),
    systemdWatchdog: ['', '0', 'infinity'].includes(fed) ? null : fed,
    foreignModules: rows('modules').flatMap(([name, taint]) =>
      name === 'mlx_compat' && taint === 'loaded' ? [] : [{ name: word(name), taint: word(taint) }],
    ),
    hasOfed: rows('modules').some(([name]) => name === 'mlx_compat'),
    consoles: rows('consoles').map(([name]) => word(name)),
    fence: numberOf(rows('fence')[0]?.[0]),
  };
}

/** Asks the machine. Rejects with a MachineError when it does not answer. */
export async function readFacts(session: Session, signal?: AbortSignal): Promise<MachineFacts> {
  const options = { timeoutMs: READ_MS, maxBytes: FACTS_MAX_BYTES, ...(signal === undefined ? {} : { signal }) };
  return parseFacts(await output(session, FACTS_COMMAND, options));
}
