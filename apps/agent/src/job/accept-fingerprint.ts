import { refuseOtherAccount } from '../config/agent-account.js';
import type { AgentConfig } from '../config/agent-config.js';
import { MachineError } from '../machine/errors.js';
import { describeDifference } from './fingerprint.js';
import { MachineRecords } from './machine-record.js';

/**
 * Makes what a machine looked like when it was found different the pin that it is compared with; a person looked
 * at it before. Works beside a running agent, which reads the record again for every attempt.
 * @returns what was accepted, for that person
 */
export function acceptFingerprint(config: Pick<AgentConfig, 'stateDir' | 'machines'>, machine: string): string {
  refuseOtherAccount(config.stateDir);
  if (!config.machines.some(({ name }) => name === machine)) {
    throw new MachineError('settings', `this agent has no machine "${machine}"`, 'see machines in its config');
  }
  const records = new MachineRecords(config.stateDir);
  const { pinned, differing, defaultAfter } = records.read(machine);
  if (differing === null && defaultAfter === null) return `${machine}: nothing waits to be accepted`;
  // The next attempt takes the default kernel as it finds it.
  records.update(machine, {
    defaultAfter: null,
    ...(differing === null ? {} : { pinned: differing, differing: null }),
  });
  const what =
    differing === null
      ? 'the default kernel that it runs'
      : `as seen on ${differing.at}: ${describeDifference(pinned?.files ?? {}, differing.files)}`;
  return `${machine}: accepted ${what}. Now activate the machine, in the web UI or with: peerlab machines set ${machine} active --reason TEXT`;
}
