/** Pixels of one rem, which the font size of the browser decides; 16 where there is no page. */
export const REM_PX =
  typeof document === 'undefined' ? 16 : Number.parseFloat(getComputedStyle(document.documentElement).fontSize) || 16;
