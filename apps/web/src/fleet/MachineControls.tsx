import { useMutation, useQueryClient } from '@tanstack/react-query';
import type { MachineView } from '@peerlab/contracts';
import { useState, type FormEvent, type ReactNode } from 'react';
import { fleetApi, machineQuery } from '../api/fleet.js';
import { Dialog } from '../ui/dialog.js';
import { WriteError } from '../ui/section.js';

type Desired = MachineView['desired'];

interface Action {
  desired: Desired;
  label: string;
  /** What happens to the machine, as the dialog says it. */
  effect: string;
  isOffered: (now: Desired) => boolean;
}

/** Desired states in the order of their buttons, and the states in which each button is shown. */
const ACTIONS: readonly Action[] = [
  {
    desired: 'active',
    label: 'Activate',
    effect: 'It takes work again.',
    isOffered: (now) => now !== 'active',
  },
  {
    desired: 'drained',
    label: 'Drain',
    effect: 'It takes no new work until someone activates it.',
    isOffered: (now) => now === 'active',
  },
  {
    desired: 'maintenance',
    label: 'Maintain',
    effect: 'Someone works on it: it takes no new work until someone activates it.',
    isOffered: (now) => now !== 'maintenance',
  },
  {
    desired: 'quarantined',
    label: 'Quarantine',
    effect: 'Its results are not to be trusted: it takes no new work until someone activates it.',
    isOffered: (now) => now !== 'quarantined',
  },
];

/** Longest reason, as MachineReason of the contracts. */
const REASON_MAX = 500;

/** Buttons for the desired state of a machine: activate, drain, maintain, quarantine. Each asks for a reason. */
export function MachineControls({ machine }: { machine: MachineView }): ReactNode {
  const queries = useQueryClient();
  const [asked, setAsked] = useState<Action | null>(null);
  const { queryKey } = machineQuery(machine.name);
  const change = useMutation({
    mutationFn: (body: { desired: Desired; reason: string }) =>
      fleetApi.call('setMachine', { params: { machine: machine.name }, body }),
    onSuccess: (view) => {
      queries.setQueryData(queryKey, view);
      return Promise.all([queries.invalidateQueries({ queryKey: ['fleet'] }), queries.invalidateQueries({ queryKey })]);
    },
  });
  return (
    <>
      <span className="row">
        {ACTIONS.filter(({ isOffered }) => isOffered(machine.desired)).map((action) => (
          <button
            key={action.desired}
            type="button"
            title={action.effect}
            disabled={change.isPending}
            onClick={() => setAsked(action)}
          >
            {action.label}
          </button>
        ))}
      </span>
      <WriteError error={change.error} />
      {asked !== null && (
        <ReasonDialog
          machine={machine}
          action={asked}
          onClose={() => setAsked(null)}
          onConfirm={(reason) => change.mutate({ desired: asked.desired, reason })}
        />
      )}
    </>
  );
}

function ReasonDialog({
  machine,
  action,
  onConfirm,
  onClose,
}: {
  machine: MachineView;
  action: Action;
  onConfirm: (reason: string) => void;
  onClose: () => void;
}): ReactNode {
  const [reason, setReason] = useState('');
  const title = `${action.label} ${machine.name}`;
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    const given = reason.trim();
    if (given === '') return;
    onClose();
    onConfirm(given);
  };
  return (
    <Dialog title={`${title}?`} onClose={onClose}>
      <form onSubmit={submit} className="stack">
        <p>
          {action.effect}
          {action.desired !== 'active' &&
            machine.lease !== null &&
            ' The attempt that runs on it continues to its end.'}
        </p>
        <label>
          Reason, shown to everyone with your name
          <input
            type="text"
            required
            maxLength={REASON_MAX}
            value={reason}
            onChange={(event) => setReason(event.target.value)}
          />
        </label>
        <p className="row">
          <button type="submit" className="primary" disabled={reason.trim() === ''}>
            {title}
          </button>
          <button type="button" onClick={onClose}>
            Leave it as it is
          </button>
        </p>
      </form>
    </Dialog>
  );
}
