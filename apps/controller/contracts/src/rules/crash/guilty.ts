import { frameOf, stackStartOf, withoutSyscallPrefix } from './frames.js';
import { isHelper } from './helpers.js';
import type { CrashKind, Step } from './kind.js';

/** Frames that are kept of one report. */
export const FRAMES_MAX = 64;

/** Stacks of injected faults are printed in between, and belong to no report. */
const INJECTED = /^(?: \[<?(?:0x)?[0-9a-f]{1,16}>?\])? should_fail(?:slab)?(?:\.[a-z0-9.]{1,40})?\+0x/;

interface Found {
  /** Null when the steps did not lead to a function, or led through another report. */
  guilty: string | null;
  /** All functions on the way, helpers too, top first. */
  frames: string[];
}

/** Looks for the guilty function of a report in its lines; the first line is the header, from its first word on. */
export function findGuilty(kind: CrashKind, lines: readonly string[]): Found {
  const first = walk(kind, kind.steps ?? [], lines);
  let best = first;
  for (const steps of kind.otherwise ?? []) {
    if (best.guilty !== null) break;
    const next = walk(kind, steps, lines);
    if (next.frames.length > 0) best = next;
  }
  return best;
}

function walk(kind: CrashKind, steps: readonly Step[], lines: readonly string[]): Found {
  const frames: string[] = [];
  const suspects: string[] = [];
  const take = (name: string | undefined | null, at: number): void => {
    if (name === undefined || name === null) return;
    // What the header names comes again in the stack.
    if (at > 0 && frames.length < FRAMES_MAX) frames.push(name);
    if (!isHelper(name, kind.skip)) suspects.push(withoutSyscallPrefix(name));
  };
  let mixed = false;
  let next = 0;
  for (let step = 0; step < steps.length; step += 1) {
    const wanted = steps[step];
    for (; next < lines.length; next += 1) {
      const line = lines[next] ?? '';
      if (INJECTED.test(line)) {
        mixed = true;
        next += 1;
        break;
      }
      if (wanted instanceof RegExp) {
        const match = wanted.exec(line);
        if (match === null) continue;
        take(
          match.slice(1).find((group) => group !== undefined),
          next,
        );
        next += 1;
        break;
      }
      if (stackStartOf(line) !== -1) {
        next += 1;
        break;
      }
      const following = steps[step + 1];
      if (following instanceof RegExp) {
        const match = following.exec(line);
        if (match !== null) {
          take(
            match.slice(1).find((group) => group !== undefined),
            next,
          );
          step += 1;
          next += 1;
          break;
        }
      }
      take(frameOf(line), next);
    }
  }
  if (mixed || suspects.length === 0) return { guilty: null, frames };
  const guilty = kind.choose === undefined ? (suspects[0] ?? null) : kind.choose(suspects);
  return { guilty, frames };
}
