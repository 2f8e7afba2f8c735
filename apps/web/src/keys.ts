import { useEffect, useRef } from 'react';

/**
 * Every shortcut of the UI. Handlers, tooltips, the help dialog and the palette read this table; an entry
 * with `to` is a page, which Shell and palette open by that address.
 */
export const KEY_MAP = {
  palette: {
    keys: ['Ctrl+k', ':'],
    scope: 'Everywhere',
    label: 'go to anything: page, run, machine, build, build-id, test, metric',
  },
  help: { keys: ['?'], scope: 'Everywhere', label: 'show this help' },
  goGrid: { keys: ['g g'], scope: 'Everywhere', label: 'go to the grid', to: '/' },
  goRuns: { keys: ['g r'], scope: 'Everywhere', label: 'go to the runs', to: '/runs' },
  goCompare: { keys: ['g c'], scope: 'Everywhere', label: 'compare two builds', to: '/compare' },
  goTrends: { keys: ['g t'], scope: 'Everywhere', label: 'go to the trends', to: '/trends' },
  goMachines: { keys: ['g m'], scope: 'Everywhere', label: 'go to the machines', to: '/machines' },
  goBuilds: { keys: ['g b'], scope: 'Everywhere', label: 'go to the kernel builds', to: '/builds' },
  goCrashes: { keys: ['g k'], scope: 'Everywhere', label: 'go to the kernel crashes', to: '/crashes' },
  goSubmit: { keys: ['g s'], scope: 'Everywhere', label: 'submit a run', to: '/submit' },
  goAdmin: { keys: ['g a'], scope: 'Everywhere', label: 'go to tokens, webhooks and retention', to: '/admin' },
  filter: { keys: ['/'], scope: 'Everywhere', label: 'focus the filter or search field' },
  listNext: { keys: ['j'], scope: 'Lists', label: 'next row' },
  listPrevious: { keys: ['k'], scope: 'Lists', label: 'previous row' },
  listOpen: { keys: ['Enter'], scope: 'Lists', label: 'open the row' },
  gridMove: {
    keys: ['ArrowLeft', 'ArrowUp', 'ArrowRight', 'ArrowDown'],
    scope: 'Grid',
    label: 'move into the grid and between cells (Home, End, Ctrl for the ends); open evidence follows',
  },
  gridOpen: { keys: ['Enter'], scope: 'Grid', label: 'open the evidence of a cell, again: go into it; fold a suite' },
  gridView: { keys: ['v'], scope: 'Grid', label: 'switch between combinations and kernel builds' },
  olderKernels: { keys: ['o'], scope: 'Grid', label: 'older kernels (by kernel build)' },
  newerKernels: { keys: ['n'], scope: 'Grid', label: 'newer kernels (by kernel build)' },
  closePanel: { keys: ['Escape'], scope: 'Grid', label: 'close the evidence' },
  swapSides: { keys: ['x'], scope: 'Compare', label: 'swap the sides' },
  step: { keys: ['← →'], scope: 'History and trends', label: 'move between results (Home, End for the ends)' },
  nextError: { keys: ['n'], scope: 'Log', label: 'next line with an error' },
  previousError: { keys: ['p'], scope: 'Log', label: 'previous line with an error' },
  nextMatch: { keys: ['Enter'], scope: 'Log search', label: 'next match (Shift: previous)' },
  follow: { keys: ['f'], scope: 'Log', label: 'jump to the latest line and follow' },
  leaveTerminal: { keys: ['Ctrl+m'], scope: 'Terminal', label: 'leave the terminal: Tab goes on from its buttons' },
  copyTerminal: { keys: ['Ctrl+C', 'Ctrl+Insert'], scope: 'Terminal', label: 'copy what is selected, or all' },
  complete: { keys: ['Ctrl+Space'], scope: 'Submit', label: 'list the completions at the cursor of the YAML' },
  nextProblem: { keys: ['F8'], scope: 'Submit', label: 'next problem in the YAML' },
  findInText: { keys: ['Ctrl+f'], scope: 'Submit', label: 'find in the YAML' },
  checkNow: { keys: ['Ctrl+Enter'], scope: 'Submit', label: 'submit the run' },
} as const satisfies Record<string, { keys: readonly string[]; scope: string; label: string; to?: string }>;
export type KeyName = keyof typeof KEY_MAP;

/** The pages that have a shortcut, in the order of the table. */
export const PAGES: { name: KeyName; to: string; label: string; keys: string }[] = Object.entries(KEY_MAP).flatMap(
  ([name, entry]) =>
    'to' in entry ? [{ name: name as KeyName, to: entry.to, label: entry.label, keys: entry.keys.join(' ') }] : [],
);

/** A tooltip that names the shortcut too: `Keyboard (?)`. */
export function withKeys(text: string, name: KeyName): string {
  return `${text} (${KEY_MAP[name].keys.join(' or ')})`;
}

/** Longest time between the keys of a sequence such as `g r`, in milliseconds. */
const SEQUENCE_MS = 1200;

/** The part of a keyboard event that matters here. */
export interface Stroke {
  key: string;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
}

/** Name of a keystroke as KEY_MAP spells it; Command counts as Ctrl. */
export function strokeName({ key, ctrlKey, metaKey, altKey }: Stroke): string {
  return `${ctrlKey || metaKey ? 'Ctrl+' : ''}${altKey ? 'Alt+' : ''}${key}`;
}

/** Whether a keystroke, alone or after `previous`, is the named shortcut. */
export function matchesKey(name: KeyName, stroke: string, previous: string | null): boolean {
  const keys: readonly string[] = KEY_MAP[name].keys;
  return keys.some((key) => key === stroke || (previous !== null && key === `${previous} ${stroke}`));
}

function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName)) &&
    !(target instanceof HTMLInputElement && /^(checkbox|radio|button)$/.test(target.type))
  );
}

const ARROWS: Readonly<Record<string, string>> = { ArrowLeft: '←', ArrowUp: '↑', ArrowRight: '→', ArrowDown: '↓' };

/** A key as the help shows it. */
export function keyText(key: string): string {
  const [, shifted] = /^Ctrl\+([A-Z])$/.exec(key) ?? [];
  return shifted === undefined ? (ARROWS[key] ?? key) : `Ctrl+Shift+${shifted.toLowerCase()}`;
}

/**
 * Handles shortcuts on the whole page, except while the person types or a dialog is open. A handler that returns false
 * leaves the keystroke to others.
 */
export function useKeys(handlers: Partial<Record<KeyName, (event: KeyboardEvent) => unknown>>): void {
  const current = useRef(handlers);
  useEffect(() => {
    current.current = handlers;
  });
  useEffect(() => {
    let previous: { stroke: string; at: number } | null = null;
    const onKeyDown = (event: KeyboardEvent): void => {
      const stroke = strokeName(event);
      // A keystroke with Ctrl types no text.
      if (event.defaultPrevented || (isTyping(event.composedPath()[0] ?? null) && !stroke.startsWith('Ctrl+'))) return;
      if (document.querySelector('dialog[open]') !== null) return;
      const before = previous !== null && event.timeStamp - previous.at < SEQUENCE_MS ? previous.stroke : null;
      previous = { stroke, at: event.timeStamp };
      for (const [name, handler] of Object.entries(current.current)) {
        if (!matchesKey(name as KeyName, stroke, before)) continue;
        if (handler(event) === false) continue;
        event.preventDefault();
        return;
      }
    };
    window.addEventListener('keydown', onKeyDown);
    return () => window.removeEventListener('keydown', onKeyDown);
  }, []);
}
