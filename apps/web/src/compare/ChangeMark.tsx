import { CHANGE_TABLE, HARDWARE_CHANGE_TABLE, type ChangeClass } from '@peerlab/contracts';
import type { ReactNode } from 'react';

const TONE: Record<ChangeClass, string> = {
  regressed: 'bad',
  fixed: 'good',
  new: 'live',
  gone: 'quiet',
  changed: 'warn',
  same: 'quiet',
};

/** The change of a test as icon, word and tone. */
export function ChangeMark({ change, isHardware = false }: { change: ChangeClass; isHardware?: boolean }): ReactNode {
  const { icon, help } = CHANGE_TABLE[change];
  if (isHardware) {
    const { label, help: text } = HARDWARE_CHANGE_TABLE[change];
    return (
      <span className={`badge tone-${change === 'same' ? 'quiet' : 'warn'}`} title={text}>
        {label}
      </span>
    );
  }
  return (
    <span className={`badge tone-${TONE[change]}`} title={help}>
      <span aria-hidden="true">{icon}</span> {change}
    </span>
  );
}
