import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { HardwareAlarmView } from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { attemptAlarmsQuery, machineAlarmsQuery } from '../api/health.js';
import { ListTable } from '../ui/ListTable.js';
import { QuerySection } from '../ui/section.js';
import { countText } from '../ui/numbers.js';
import { Ago } from '../ui/time.js';

/** What the hardware told in the logs of an attempt; nothing where it told nothing. */
export function AttemptAlarms({ attempt, ended }: { attempt: string; ended: boolean }): ReactNode {
  const { data } = useQuery(attemptAlarmsQuery(attempt, ended));
  if (data === undefined || data.alarms.length === 0) return null;
  return (
    <section aria-labelledby="alarms-head">
      <h2 id="alarms-head">Hardware alarms</h2>
      <p className="muted">
        What the machine’s hardware told. It fails no test; what nothing corrected takes the machine out of service.
      </p>
      <Alarms alarms={data.alarms} />
    </section>
  );
}

/** The newest alarms of a machine's hardware. */
export function MachineAlarms({ machine }: { machine: string }): ReactNode {
  const query = useQuery(machineAlarmsQuery(machine));
  return (
    <section aria-labelledby="alarms-head">
      <h2 id="alarms-head">Hardware alarms</h2>
      <QuerySection query={query} what="the hardware alarms">
        {(alarms) =>
          alarms.length === 0 ? (
            <p className="muted">No log of an attempt has one.</p>
          ) : (
            <>
              <p className="muted">
                One that was not corrected takes the machine out of service: until it passed a health check, where the
                farm makes them by itself, else until a person activates it.
              </p>
              <Alarms alarms={alarms} isOfMachine />
            </>
          )
        }
      </QuerySection>
    </section>
  );
}

const SIGNS: Record<HardwareAlarmView['severity'], { icon: string; word: string; tone: string }> = {
  uncorrected: { icon: '✗', word: 'not corrected', tone: 'bad' },
  corrected: { icon: '!', word: 'corrected', tone: 'warn' },
  notice: { icon: '·', word: 'notice', tone: 'good' },
};

function Alarms({
  alarms,
  isOfMachine = false,
}: {
  alarms: readonly HardwareAlarmView[];
  isOfMachine?: boolean;
}): ReactNode {
  return (
    <ListTable
      rows={alarms}
      keyOf={(_, index) => index}
      columns={[
        {
          name: 'Alarm',
          render: ({ severity, title }) => (
            <>
              <span className={`chip check-${SIGNS[severity].tone}`}>
                <span aria-hidden="true">{SIGNS[severity].icon}</span> {SIGNS[severity].word}
              </span>{' '}
              <strong>{title}</strong>
            </>
          ),
        },
        { name: 'Device', render: ({ device }) => device !== null && <code>{device}</code> },
        { name: 'Times', className: 'number', render: ({ times }) => countText(times) },
        {
          name: 'Log',
          render: ({ attemptId, stream, line, run, role }) => (
            <Link
              to="/attempts/$attempt"
              params={{ attempt: attemptId }}
              search={{ view: 'log', stream, line: line + 1, ...(role === 'main' ? {} : { role }) }}
              data-row
            >
              {isOfMachine ? run.name : `${stream} line ${countText(line + 1)}`}
            </Link>
          ),
        },
        { name: 'When', render: ({ at }) => <Ago at={at} /> },
      ]}
    />
  );
}
