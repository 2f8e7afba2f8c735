import type { MachineSummary } from '@peerlab/contracts';

/** Why a shell cannot be opened, and what to do. */
export interface Closed {
  title: string;
  advice: string;
}

/** Whether a person may have a shell on a machine now; null = yes. The controller decides it again. */
export function closedShell(
  { name, reservation }: Pick<MachineSummary, 'name' | 'reservation'>,
  user: string,
): Closed | null {
  if (reservation === undefined) {
    return {
      title: `${name} is not reserved.`,
      advice: 'A shell is for who has the machine. Reserve it, and the shell opens here.',
    };
  }
  const { holder, state } = reservation;
  if (state === 'returning') {
    return {
      title: `${name} is being restored.`,
      advice: `${holder} had it reserved. Reserve it when its agent is done, and the shell opens here.`,
    };
  }
  if (holder !== user) {
    return {
      title: `${name} is reserved by ${holder}.`,
      advice:
        'A shell is for who has the machine. Wait until it is given back, or ask its holder. Everybody may watch its console.',
    };
  }
  return state === 'held'
    ? null
    : {
        title: `${name} is not free yet.`,
        advice: 'An attempt is still on it. The shell opens here when you have the machine.',
      };
}
