import { useMutation, useQueryClient } from '@tanstack/react-query';
import type { MachineView } from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { call } from '../api/client.js';
import { machineQuery } from '../api/queries.js';
import { WriteError } from '../ui/section.js';

type Desired = MachineView['desired'];

/** What can be wanted of a machine, in the order of the buttons, and from which states it is offered. */
const ACTIONS: readonly { desired: Desired; label: string; title: string; isOffered: (now: Desired) => boolean }[] = [
  { desired: 'active', label: 'Activate', title: 'give it work again', isOffered: (now) => now !== 'active' },
  {
    desired: 'drained',
    label: 'Drain',
    title: 'finish what runs, take nothing new',
    isOffered: (now) => now === 'active',
  },
  {
    desired: 'maintenance',
    label: 'Maintain',
    title: 'a person works on it: finish what runs, take nothing new',
    isOffered: (now) => now !== 'maintenance',
  },
  {
    desired: 'quarantined',
    label: 'Quarantine',
    title: 'out of service until a person says otherwise',
    isOffered: (now) => now !== 'quarantined',
  },
];

/** Drain, maintain, quarantine and activate: what people want of a machine, apart from how it is. */
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
