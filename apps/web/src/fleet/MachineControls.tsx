import { useMutation, useQueryClient } from '@tanstack/react-query';
import type { MachineView } from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { call } from '../api/client.js';
import { machineQuery } from '../api/queries.js';
import { WriteError } from '../ui/section.js';

type Desired = MachineView['desired'];

/** Desired states in the order of their buttons, and the states in which each button is shown. */
const ACTIONS: readonly { desired: Desired; label: string; title: string; isOffered: (now: Desired) => boolean }[] = [
  { desired: 'active', label: 'Activate', title: 'assign new work to it', isOffered: (now) => now !== 'active' },
  {
    desired: 'drained',
    label: 'Drain',
    title: 'finish the running attempt, take no new work',
    isOffered: (now) => now === 'active',
  },
  {
    desired: 'maintenance',
    label: 'Maintain',
    title: 'someone works on it: finish the running attempt, take no new work',
    isOffered: (now) => now !== 'maintenance',
  },
  {
    desired: 'quarantined',
    label: 'Quarantine',
    title: 'out of service until someone activates it',
    isOffered: (now) => now !== 'quarantined',
  },
];

/** Buttons for the desired state of a machine: drain, maintenance, quarantine, activate. */
export function MachineControls({ machine }: { machine: MachineView }): ReactNode {
  const queries = useQueryClient();
  const { queryKey } = machineQuery(machine.name);
  const change = useMutation({
    mutationFn: (desired: Desired) => call('setMachine', { params: { machine: machine.name }, body: { desired } }),
    onSuccess: (view) => {
      queries.setQueryData(queryKey, view);
      return Promise.all([
        queries.invalidateQueries({ queryKey: ['fleet'] }),
        queries.invalidateQueries({ queryKey, exact: true }),
      ]);
    },
  });
  return (
    <>
      <span className="row">
        {ACTIONS.filter(({ isOffered }) => isOffered(machine.desired)).map(({ desired, label, title }) => (
          <button
            key={desired}
            type="button"
            title={title}
            disabled={change.isPending}
            onClick={() => change.mutate(desired)}
          >
            {label}
          </button>
        ))}
      </span>
      <WriteError error={change.error} />
    </>
  );
}
