import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { metricName, type MachineView, type Twins } from '@peerlab/contracts';
import type { ReactNode } from 'react';
import { twinsQuery } from '../api/compare.js';
import { fleetQuery } from '../api/fleet.js';
import { ratioText } from '../compare/ratio.js';
import { countOf } from '../ui/numbers.js';
import { QuerySection } from '../ui/section.js';

/** Metrics that are named; the page of the comparison has all. */
const NAMED = 3;

/** Which machines have the same hardware, and whether this one stands out among them; nothing where none has. */
export function MachineTwins({ machine: { name, paths } }: { machine: MachineView }): ReactNode {
  const fleet = useQuery(fleetQuery());
  const own = new Set(paths.map(({ combination }) => combination.hash));
  const others = (fleet.data?.machines ?? []).filter(
    (other) => other.name !== name && other.paths.some(({ combination }) => own.has(combination.hash)),
  );
  const shared = others.flatMap((other) => other.paths).find(({ combination }) => own.has(combination.hash));
  const combination = shared?.combination.hash;
  const query = useQuery({ ...twinsQuery({ combination }), enabled: combination !== undefined });
  if (combination === undefined) return null;
  return (
    <section aria-labelledby="twins-head">
      <h2 id="twins-head">Machines with the same hardware</h2>
      <p className="row">
        {others.map((other) => (
          <Link key={other.name} to="/machines/$machine" params={{ machine: other.name }}>
            {other.name}
          </Link>
        ))}
      </p>
      <QuerySection query={query} what="the comparison with them">
        {({ twins }) =>
          twins === null ? (
            <p className="muted">No kernel ran on two of them yet.</p>
          ) : (
            <>
              <StandsOut twins={twins} name={name} />
              <p>
                <Link to="/compare/machines" search={{ build: twins.kernel.id, combination }}>
                  Compare these machines
                </Link>{' '}
                <span className="muted">on kernel {twins.kernel.name}, the newest that two of them ran</span>
              </p>
            </>
          )
        }
      </QuerySection>
    </section>
  );
}

function StandsOut({ twins, name }: { twins: NonNullable<Twins['twins']>; name: string }): ReactNode {
  const at = twins.machines.findIndex((machine) => machine.name === name);
  const unlike = twins.metrics.filter(({ outlier }) => outlier !== null && outlier === at);
  if (at === -1) return <p className="muted">This machine did not run that kernel.</p>;
  if (unlike.length === 0) {
    const isFew = twins.metrics.some(({ why }) => why === 'few-boots');
    return (
      <p>
        {isFew
          ? 'Too few boots to say whether it stands out in what they measured.'
          : `It does not stand out in any of ${countOf(twins.metricsTotal, 'metric')}.`}
      </p>
    );
  }
  return (
    <p className="notice notice-warn">
      It stands out in {unlike.length} of {countOf(twins.metricsTotal, 'metric')}:{' '}
      {unlike
        .slice(0, NAMED)
        .map((metric) => `${metricName(metric)} ${metric.says}, ${ratioText(metric.ratio?.value ?? 1)} of the others`)
        .join('; ')}
      {unlike.length > NAMED && ` and ${unlike.length - NAMED} more`}.
    </p>
  );
}
