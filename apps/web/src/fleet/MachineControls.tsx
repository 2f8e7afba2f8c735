import { useMutation, useQueryClient } from '@tanstack/react-query';
import type { MachineView } from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { call } from '../api/client.js';
import { WriteError } from '../ui/section.js';

/** Drain, maintain, quarantine and activate: what people want of a machine, apart from how it is. */
export function MachineControls({ machine }: { machine: MachineView }): ReactNode {
  const queries = useQueryClient();
  const change = useMutation({
    mutationFn: (desired: MachineView['desired']) =>
      call('setMachine', { params: { machine: machine.name }, body: { desired } }),
    onSuccess: () =>
      Promise.all([
        queries.invalidateQueries({ queryKey: ['fleet'] }),
        queries.invalidateQueries({ queryKey: ['machine', machine.name] }),
      ]),
  });
  return (
    <>
      <span className="row">
        {machine.desired !== 'active' && (
          <button type="button" disabled={change.isPending} onClick={() => change.mutate('active')}>
            Activate
          </button>
        )}
        {machine.desired === 'active' && (
          <button
            type="button"
            disabled={change.isPending}
            title="finish what runs, take nothing new"
            onClick={() => change.mutate('drained')}
          >
            Drain
          </button>
        )}
        {machine.desired !== 'maintenance' && (
          <button
            type="button"
            disabled={change.isPending}
            title="a person works on it: finish what runs, take nothing new"
            onClick={() => change.mutate('maintenance')}
          >
            Maintain
          </button>
        )}
        {machine.desired !== 'quarantined' && (
          <button
            type="button"
            disabled={change.isPending}
            title="out of service until a person says otherwise"
            onClick={() => change.mutate('quarantined')}
          >
            Quarantine
          </button>
        )}
      </span>
      <WriteError error={change.error} />
    </>
  );
}
