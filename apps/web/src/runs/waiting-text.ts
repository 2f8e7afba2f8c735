const WAITS = /^(?:waiting|waits) for /;

/** Why a job waits, as a sentence: `Waiting: 3rd in line`, `Waiting for the build base`. @param why the controller's words */
export function waitingText(why: string): string {
  return WAITS.test(why) ? why.replace(WAITS, 'Waiting for ') : `Waiting: ${why}`;
}
