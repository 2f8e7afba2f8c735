import { cutText, plainText, type LogLine } from '@peerlab/contracts';
import type { HeldLine } from '../logs/log-store.js';

/** Lines at the end of the agent's log that are looked at. */
export const LADDER_LINES = 1000;
/** Longest text of a step, in characters. */
const STEP_MAX = 400;
/** How the agent begins the notes of what it does to get a machine from one kernel to the other. */
const PREFIXES: readonly string[] = ['boot: ', 'restore: ', 'power: '];

/** A step of booting or restoring a machine, and the number of its line in the agent's log, from 0. */
export interface LadderStep {
  seq: number;
  /** Milliseconds since 1970, by the agent's clock. */
  at: number;
  text: string;
}

/**
 * The last steps of booting, restoring and switching power, the latest last. Pure.
 * @param lines the end of the agent's log, in order; those that are lost or not fetched yet are left out
 */
export function ladderSteps(lines: readonly HeldLine[], max: number): LadderStep[] {
  return lines
    .filter((line): line is LogLine => typeof line === 'object')
    .filter(({ text, continues, gap }) => continues !== true && gap === undefined && isStep(text))
    .slice(-max)
    .map(({ seq, at, text }) => ({ seq, at, text: cutText(plainText(text), STEP_MAX) }));
}

const isStep = (text: string): boolean => PREFIXES.some((prefix) => text.startsWith(prefix));
