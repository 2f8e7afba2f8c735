import { cleanText, MACHINE_CHECK_TEXT_MAX, type MachineCheck } from '@peerlab/contracts';

/** Things that one detail names. */
const NAMED = 6;

/** One check, its texts cut to what is kept. */
export function check(
  name: string,
  verdict: MachineCheck['verdict'],
  detail: string,
  remedy: string | null = null,
): MachineCheck {
  const text = (value: string): string => cleanText(value, MACHINE_CHECK_TEXT_MAX);
  return { name, verdict, detail: text(detail), remedy: remedy === null ? null : text(remedy) };
}

/** `a; b` = what is wrong and the remedy, as messages of jobs have it. */
export function refusal(name: string, verdict: MachineCheck['verdict'], advice: string): MachineCheck {
  const at = advice.indexOf('; ');
  return at === -1 ? check(name, verdict, advice) : check(name, verdict, advice.slice(0, at), advice.slice(at + 2));
}

/** The first of them, and how many more there are. */
export const listed = (items: readonly string[]): string =>
  `${items.slice(0, NAMED).join(', ')}${items.length > NAMED ? ` and ${items.length - NAMED} more` : ''}`;
