const PREFIX = 'waiting for ';

/** Why a job waits, as a sentence: `Waiting: 3rd in line`, `Waiting for the build base`. @param why the controller's words */
export function waitingText(why: string): string {
  return why.startsWith(PREFIX) ? `Waiting for ${why.slice(PREFIX.length)}` : `Waiting: ${why}`;
}
