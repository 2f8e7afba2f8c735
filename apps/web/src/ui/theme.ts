import { useSyncExternalStore } from 'react';

export const THEMES = ['system', 'light', 'dark'] as const;
export type Theme = (typeof THEMES)[number];
export interface Appearance {
  theme: Theme;
  /** Verdicts in blue, orange and yellow, for people with red-green colour blindness. */
  safePalette: boolean;
}

const STORAGE_KEY = 'peerlab.appearance';
const listeners = new Set<() => void>();
let current: Appearance = readStored();

function readStored(): Appearance {
  let stored: { theme?: unknown; safePalette?: unknown } = {};
  try {
    stored = (JSON.parse(localStorage.getItem(STORAGE_KEY) ?? '{}') ?? {}) as typeof stored;
  } catch {
    // Unreadable or forbidden storage: the defaults apply.
  }
  return {
    theme: THEMES.find((theme) => theme === stored.theme) ?? 'system',
    safePalette: stored.safePalette === true,
  };
}

/** Writes the choice onto the document; styles/tokens.css does the rest. */
export function applyAppearance(): void {
  const { dataset } = document.documentElement;
  if (current.theme === 'system') delete dataset['theme'];
  else dataset['theme'] = current.theme;
  if (current.safePalette) dataset['palette'] = 'safe';
  else delete dataset['palette'];
}

export function setAppearance(next: Appearance): void {
  current = next;
  try {
    localStorage.setItem(STORAGE_KEY, JSON.stringify(next));
  } catch {
    // The choice then lasts as long as the page.
  }
  applyAppearance();
  for (const listener of listeners) listener();
}

export function useAppearance(): Appearance {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => current,
  );
}
