import type { HookRule } from '../platform/hooks-file.js';
import { fitsAny } from './pattern.js';
import type { Change } from './sources/hook-source.js';

/**
 * The first rule that a change fits; null when none does. Files that the forge did not list fit: it is better to test
 * too much than to miss a change.
 */
export function ruleFor(rules: readonly HookRule[], change: Change): HookRule | null {
  return rules.find((rule) => fits(rule, change)) ?? null;
}

function fits({ repository, branches, paths, labels }: HookRule, change: Change): boolean {
  if (repository !== change.repository) return false;
  if (branches !== undefined && !fitsAny(branches, change.branch)) return false;
  if (labels === undefined ? change.isRelabeled : !labels.some((label) => change.labels.includes(label))) return false;
  return paths === undefined || change.paths === null || change.paths.some((path) => fitsAny(paths, path));
}

/** Whether somebody has to look at a change before it runs: it is of a fork, and not of a listed person's own. */
export function needsApproval(people: readonly string[], { fork }: Change): boolean {
  if (fork === null) return false;
  const [owner = '', ...rest] = fork.split('/');
  return rest.length === 0 || !people.includes(owner.toLowerCase());
}
