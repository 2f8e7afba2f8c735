import type { ITheme } from '@xterm/xterm';
import { REM_PX } from '../ui/root-font.js';

/** Colours of a terminal by the names of styles/tokens.css; those of a bright colour are the same. */
const TOKENS = {
  background: '--sunken',
  foreground: '--text',
  cursor: '--accent',
  cursorAccent: '--sunken',
  selectionBackground: '--strong-line',
  scrollbarSliderBackground: '--line',
  scrollbarSliderHoverBackground: '--strong-line',
  scrollbarSliderActiveBackground: '--strong-line',
  black: '--ansi-black',
  red: '--ansi-red',
  green: '--ansi-green',
  yellow: '--ansi-yellow',
  blue: '--ansi-blue',
  magenta: '--ansi-magenta',
  cyan: '--ansi-cyan',
  white: '--ansi-white',
  brightBlack: '--muted',
  brightRed: '--ansi-red',
  brightGreen: '--ansi-green',
  brightYellow: '--ansi-yellow',
  brightBlue: '--ansi-blue',
  brightMagenta: '--ansi-magenta',
  brightCyan: '--ansi-cyan',
  brightWhite: '--text',
} as const satisfies ITheme;

/** Size of the letters of a terminal, in CSS pixels. */
export const FONT_PX = Math.round(0.8125 * REM_PX);

/** The colours of the page as it is now, and its font for code. Without a cursor where nothing can be typed. */
export function readTheme(place: HTMLElement, hasCursor: boolean): { theme: ITheme; fontFamily: string } {
  const probe = document.createElement('span');
  probe.style.fontFamily = 'var(--mono)';
  place.append(probe);
  const colour = (token: string): string => {
    // A custom property reads as it is written, with both themes in it; a colour reads as the one that is shown.
    probe.style.color = `var(${token})`;
    return getComputedStyle(probe).color;
  };
  const theme: ITheme = Object.fromEntries(Object.entries(TOKENS).map(([name, token]) => [name, colour(token)]));
  if (!hasCursor) Object.assign(theme, { cursor: theme.background, cursorAccent: theme.foreground });
  const { fontFamily } = getComputedStyle(probe);
  probe.remove();
  return { theme, fontFamily };
}

/** Calls the listener when the theme of the page changes, until the returned function is called. */
export function onThemeChange(listener: () => void): () => void {
  const system = matchMedia('(prefers-color-scheme: dark)');
  const observer = new MutationObserver(listener);
  observer.observe(document.documentElement, { attributes: true, attributeFilter: ['data-theme', 'data-palette'] });
  system.addEventListener('change', listener);
  return () => {
    observer.disconnect();
    system.removeEventListener('change', listener);
  };
}
