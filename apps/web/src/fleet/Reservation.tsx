import { useMutation, useQueryClient } from '@tanstack/react-query';
import type { MachineSummary, Reservation } from '@peerlab/contracts';
import { useState, type FormEvent, type ReactNode } from 'react';
import { machineQuery } from '../api/fleet.js';
import { reservationApi } from '../api/reservations.js';
import { Dialog } from '../ui/dialog.js';
import { WriteError } from '../ui/section.js';
import { In } from '../ui/time.js';

/** Longest reason, as MachineReason of the contracts. */
const REASON_MAX = 500;

/** How long a machine can be asked for, in hours. */
const HOURS = [1, 2, 4, 8, 24, 72, 168] as const;
const hoursText = (hours: number): string => {
  if (hours === 1) return '1 hour';
  return hours < 48 ? `${hours} hours` : `${hours / 24} days`;
};

/** Who has the machine, until when and why; nothing while nobody has it. */
export function ReservedLine({ machine }: { machine: MachineSummary }): ReactNode {
  const { reservation } = machine;
  return reservation === undefined ? null : (
    <p className="notice notice-warn">
      <ReservedText reservation={reservation} />
    </p>
  );
}

/** The same in a list. */
export function ReservedFor({ machine }: { machine: MachineSummary }): ReactNode {
  const { reservation } = machine;
  return reservation === undefined ? null : (
    <div className="reason">
      <ReservedText reservation={reservation} />
    </div>
  );
}

function ReservedText({ reservation }: { reservation: Reservation }): ReactNode {
  const { state, holder, until, reason } = reservation;
  const who = <strong>{holder}</strong>;
  if (state === 'returning')
    return (
      <>
        Being restored after {who} had it reserved: {reason}
      </>
    );
  if (until === null)
    return (
      <>
        Reserved by {who} as soon as it is free: {reason}
      </>
    );
  return (
    <>
      Reserved by {who}, goes back <In at={until} />: {reason}
    </>
  );
}

/** Buttons that reserve a machine, or give it back. Each asks for what has to be known. */
export function ReservationControls({ machine }: { machine: MachineSummary }): ReactNode {
  const queries = useQueryClient();
  const [asked, setAsked] = useState<'reserve' | 'return' | null>(null);
  const { reservation } = machine;
  const { queryKey } = machineQuery(machine.name);
  const onSuccess = (): Promise<unknown> =>
    Promise.all([queries.invalidateQueries({ queryKey: ['fleet'] }), queries.invalidateQueries({ queryKey })]);
  const reserve = useMutation({
    mutationFn: (body: { seconds: number; reason: string }) =>
      reservationApi.call('reserveMachine', { params: { machine: machine.name }, body }),
    onSuccess,
  });
  const giveBack = useMutation({
    mutationFn: ({ id, reason }: { id: string; reason: string }) =>
      reservationApi.call('returnMachine', { params: { reservation: id }, body: reason === '' ? {} : { reason } }),
    onSuccess,
  });
  const isPending = reserve.isPending || giveBack.isPending;
  const close = (): void => setAsked(null);
  return (
    <>
      <span className="row">
        {reservation === undefined && (
          <button
            type="button"
            title="It takes no jobs while you have it."
            disabled={isPending}
            onClick={() => setAsked('reserve')}
          >
            Reserve
          </button>
        )}
        {(reservation?.state === 'waiting' || reservation?.state === 'held') && (
          <>
            <button
              type="button"
              title="Counts the time from now."
              disabled={isPending}
              onClick={() => setAsked('reserve')}
            >
              Extend
            </button>
            <button
              type="button"
              title="Its agent restores it."
              disabled={isPending}
              onClick={() => setAsked('return')}
            >
              Return
            </button>
          </>
        )}
      </span>
      <WriteError error={reserve.error ?? giveBack.error} />
      {asked === 'reserve' && (
        <ReserveDialog machine={machine} onClose={close} onConfirm={(body) => reserve.mutate(body)} />
      )}
      {asked === 'return' && reservation !== undefined && (
        <ReturnDialog
          machine={machine}
          reservation={reservation}
          onClose={close}
          onConfirm={(reason) => giveBack.mutate({ id: reservation.id, reason })}
        />
      )}
    </>
  );
}

function ReserveDialog({
  machine,
  onConfirm,
  onClose,
}: {
  machine: MachineSummary;
  onConfirm: (body: { seconds: number; reason: string }) => void;
  onClose: () => void;
}): ReactNode {
  const [hours, setHours] = useState<number>(2);
  const [reason, setReason] = useState(machine.reservation?.reason ?? '');
  const title = `${machine.reservation === undefined ? 'Reserve' : 'Extend'} ${machine.name}`;
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (reason.trim() === '') return;
    onClose();
    onConfirm({ seconds: hours * 3600, reason: reason.trim() });
  };
  return (
    <Dialog title={`${title}?`} onClose={onClose}>
      <form onSubmit={submit} className="stack">
        <p>
          It takes no jobs until you return it or the time is over; then its agent restores it.
          {machine.lease !== null && ' What runs on it now continues to its end first.'}
        </p>
        <label>
          For how long, from now
          <select value={hours} onChange={(event) => setHours(Number(event.target.value))}>
            {HOURS.map((each) => (
              <option key={each} value={each}>
                {hoursText(each)}
              </option>
            ))}
          </select>
        </label>
        <ReasonField reason={reason} onChange={setReason} isRequired />
        <DialogButtons title={title} isReady={reason.trim() !== ''} onClose={onClose} />
      </form>
    </Dialog>
  );
}

function ReturnDialog({
  machine,
  reservation,
  onConfirm,
  onClose,
}: {
  machine: MachineSummary;
  reservation: Reservation;
  onConfirm: (reason: string) => void;
  onClose: () => void;
}): ReactNode {
  const [reason, setReason] = useState('');
  const title = `Return ${machine.name}`;
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    onClose();
    onConfirm(reason.trim());
  };
  return (
    <Dialog title={`${title}?`} onClose={onClose}>
      <form onSubmit={submit} className="stack">
        <p>
          {reservation.state === 'waiting'
            ? `${reservation.holder} does not get it then.`
            : `Its agent restores it, and it takes jobs again. What ${reservation.holder} runs on it may be cut off.`}
        </p>
        <ReasonField reason={reason} onChange={setReason} isRequired={false} />
        <DialogButtons title={title} isReady onClose={onClose} />
      </form>
    </Dialog>
  );
}

function ReasonField({
  reason,
  onChange,
  isRequired,
}: {
  reason: string;
  onChange: (reason: string) => void;
  isRequired: boolean;
}): ReactNode {
  return (
    <label>
      {isRequired ? 'Reason, shown to everyone with your name' : 'Reason, needed when it is not your reservation'}
      <input
        type="text"
        required={isRequired}
        maxLength={REASON_MAX}
        value={reason}
        onChange={(event) => onChange(event.target.value)}
      />
    </label>
  );
}

function DialogButtons({
  title,
  isReady,
  onClose,
}: {
  title: string;
  isReady: boolean;
  onClose: () => void;
}): ReactNode {
  return (
    <p className="row">
      <button type="submit" className="primary" disabled={!isReady}>
        {title}
      </button>
      <button type="button" onClick={onClose}>
        Leave it as it is
      </button>
    </p>
  );
}
