import { aboutText, machinesText, type SubmissionReport } from '@peerlab/contracts';

type Planned = Pick<SubmissionReport['plan'][number], 'machines' | 'machinesTotal' | 'start'>;

/** When a run would begin, in one line: `starts now on 2 machines`, `first start in about 6 min`. */
export function startSummary(plan: readonly Planned[]): string {
  const machinesOf = (jobs: readonly Planned[]): string => {
    const count = new Set(jobs.map(machinesText)).size;
    return count === 1 ? '1 machine' : `${count} machines`;
  };
  const now = plan.filter(({ start }) => start.when === 'now');
  const able = plan.filter(({ start }) => start.when !== 'blocked');
  const stuck = plan.filter((each) => able.every((job) => machinesText(job) !== machinesText(each)));
  const rest = stuck.length === 0 ? '' : `; ${machinesOf(stuck)} cannot take it yet`;
  if (now.length > 0) return `starts now on ${machinesOf(now)}${rest}`;
  if (able.length === 0) return 'no machine can take it yet';
  const known = able.flatMap(({ start }) => start.inMs ?? []);
  const soonest = known.length === 0 ? '' : aboutText(Math.min(...known));
  const builds = able.every(({ start }) => start.when === 'build') ? ', when its kernel is built' : '';
  if (soonest === '') return `starts later${builds}; no comparable run has ended yet to estimate the time${rest}`;
  return `first test in ${soonest}${builds}${rest}`;
}
