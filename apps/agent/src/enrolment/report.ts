import type { MachineCheck } from '@peerlab/contracts';

const MARKS: Readonly<Record<MachineCheck['verdict'], string>> = { pass: '✓', warn: '!', fail: '✗' };
/** Columns of the name. */
const NAME_WIDTH = 17;

/** One check for people: verdict and what was seen; the remedy below. */
export function describeCheck({ name, verdict, detail, remedy }: MachineCheck): string {
  const head = `${MARKS[verdict]} ${verdict} ${name.padEnd(NAME_WIDTH)} ${detail}`;
  return remedy === null ? head : `${head}\n${' '.repeat(7 + NAME_WIDTH)} → ${remedy}`;
}

/** `12 pass, 2 warn, 1 fail` */
export function sumUp(checks: readonly MachineCheck[]): string {
  const count = (verdict: MachineCheck['verdict']): number => checks.filter((one) => one.verdict === verdict).length;
  return `${count('pass')} pass, ${count('warn')} warn, ${count('fail')} fail`;
}

export const hasFailed = (checks: readonly MachineCheck[]): boolean => checks.some(({ verdict }) => verdict === 'fail');
