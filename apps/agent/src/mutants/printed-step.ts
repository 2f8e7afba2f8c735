import { cutText } from '@peerlab/contracts';

/** How one test went while a mutant was chosen. */
export interface Step {
  /** died = its program ended without a result. */
  status: 'pass' | 'fail' | 'skip' | 'died';
  /** What way the data took, as `EXPECTED-TAKEN`; null where the test does not say. */
  way: string | null;
  /** Numbers of the mutants that it came to. */
  reached: number[];
  /** Why it failed, in its own words; null where it says nothing. */
  reason: string | null;
  /** What the kernel complained of, without what differs every time. */
  complaints: string[];
}

/** Characters of a line that are looked at, of a reason that is kept, and complaints of one test. */
const LINE_MAX = 4000;
const REASON_MAX = 300;
const COMPLAINTS_MAX = 20;
const REACHED_MAX = 10_000;

/** What `stepScript` printed; null when it is not whole, as of a machine that went away. */
export function readStep(text: string): Step | null {
  const step: Step = { status: 'died', way: null, reached: [], reason: null, complaints: [] };
  let part: 'head' | 'kernel' | 'output' = 'head';
  let isWhole = false;
  for (const whole of text.split('\n')) {
    const line = whole.slice(0, LINE_MAX);
    if (part === 'head') {
      if (line.startsWith('@reached ')) step.reached = numbersOf(line.slice('@reached '.length));
      else if (line === '@kernel') part = 'kernel';
    } else if (part === 'kernel') {
      if (line === '@output') {
        part = 'output';
        isWhole = true;
      } else if (line !== '' && step.complaints.length < COMPLAINTS_MAX) step.complaints.push(plainComplaint(line));
    } else takeOutput(step, line);
  }
  return isWhole ? step : null;
}

function takeOutput(step: Step, line: string): void {
  // Of the other tests of its suite.
  if (line.includes('# SKIP not run: excluded by caller')) return;
  if (line.startsWith('not ok ')) step.status = 'fail';
  else if (line.startsWith('ok ') && step.status === 'died') step.status = line.includes('# SKIP') ? 'skip' : 'pass';
  else if (line.startsWith('# FAILED ')) step.reason ??= cutText(line.slice(2), REASON_MAX);
  else if (line.startsWith('# proof: ')) step.way = wayOf(line.slice('# proof: '.length)) ?? step.way;
}

function wayOf(json: string): string | null {
  try {
    const { expected, taken } = JSON.parse(json) as { expected?: unknown; taken?: unknown };
    return (expected === 'peer' || expected === 'ram') && typeof taken === 'string' && /^\w{1,40}$/.test(taken)
      ? `${expected}-${taken}`
      : null;
  } catch {
    return null;
  }
}

const numbersOf = (list: string): number[] =>
  list
    .split(',', REACHED_MAX)
    .filter((word) => /^\d{1,5}$/.test(word))
    .map(Number);

/** A message of the kernel without its time and what differs every time: addresses, lines, processes. */
export function plainComplaint(line: string): string {
  const text = line
    .replace(/^\[[^\]]{0,40}\] ?/, '')
    .replaceAll(/\.c:\d{1,9}/g, '.c')
    .replaceAll(/\+0x[0-9a-f]{1,16}\/0x[0-9a-f]{1,16}/g, '')
    .replaceAll(/\b0x[0-9a-f]{1,16}\b/g, 'N')
    .replaceAll(/\b[0-9a-f]{8,16}\b/g, 'N')
    .replaceAll(/\b(?:pid|PID|CPU)[#:=]? ?\d{1,9}/g, '');
  return cutText(text.trim(), REASON_MAX);
}
