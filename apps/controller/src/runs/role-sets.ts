import { chooseSeats, type ProblemItem, type RunRole, type RunSpec, type Seat } from '@peerlab/contracts';
import { lanesOf, type Lane, type PlannableMachine } from './lanes.js';

/** One role of a planned job: its kernel, and what it tests on which machines. */
export interface PlannedRole {
  role: string;
  buildIndex: number;
  build: string;
  suites: string[];
  lane: Lane;
}

/** The roles of one job. Sets of one lane have the same machines, and differ in their kernels. */
export interface RoleSet {
  roles: PlannedRole[];
  lane: number;
}

/** Sets of machines that are looked at; a run that selects more is refused. */
const SETS_MAX = 16_000;

/**
 * Every kernel of each role against every kernel of the others, on every set of machines that the roles may have:
 * different ones that belong together as the run says. Pure.
 * @param machines those that the run selects for any role
 */
export function roleSetsOf(
  spec: RunSpec,
  roles: readonly RunRole[],
  machines: readonly PlannableMachine[],
  stock: Parameters<typeof lanesOf>[2],
): { sets: RoleSet[]; lanes: Lane[]; problems: ProblemItem[] } {
  const lanes = roles.map((role) => lanesOf(spec, machines, stock, SETS_MAX, role));
  const empty = roles.flatMap(({ name }, index): ProblemItem[] =>
    lanes[index]?.length === 0
      ? [{ path: `roles.${index}`, message: `no machine can have the role "${name}"`, remedy: remedyOf(roles[index]) }]
      : [],
  );
  if (empty.length > 0) return { sets: [], lanes: lanes.flat(), problems: empty };
  if (lanes.reduce((product, each) => product * each.length, 1) > SETS_MAX) {
    const message = `there are more than ${SETS_MAX} sets of machines for the roles`;
    return { sets: [], lanes: [], problems: [{ path: 'roles', message, remedy: 'select fewer machines' }] };
  }
  const seats = seatsOf(machines);
  const sameLabels = spec.relation?.sameLabels ?? [];
  const fitting = products(lanes).filter(
    (set) =>
      chooseSeats(
        set.map((lane) => lane.machines.flatMap((name) => seats.get(name) ?? [])),
        sameLabels,
        () => UNLIMITED,
      ) !== null,
  );
  if (fitting.length === 0) return { sets: [], lanes: lanes.flat(), problems: [whyNoSet(roles, sameLabels)] };
  const kernels = kernelsOf(spec, roles);
  const sets = kernels.flatMap((builds) =>
    fitting.flatMap((set, lane): RoleSet[] => {
      const planned = set.flatMap((own, index): PlannedRole[] => {
        const buildIndex = builds[index] ?? 0;
        const suites = own.suites.get(buildIndex);
        const build = spec.builds[buildIndex]?.name ?? '';
        return suites === undefined ? [] : [{ role: roles[index]?.name ?? '', buildIndex, build, suites, lane: own }];
      });
      return planned.length === roles.length ? [{ roles: planned, lane: lane + 1 }] : [];
    }),
  );
  return { sets, lanes: fitting.flat(), problems: [] };
}

const UNLIMITED = { free: Infinity, total: Infinity };

function remedyOf(role: RunRole | undefined): string {
  if (role?.rdmaDevice !== undefined)
    return `no machine that it selects has the RDMA device ${role.rdmaDevice} at a client`;
  return 'select other machines, builds or suites for it';
}

function whyNoSet(roles: readonly RunRole[], sameLabels: readonly string[]): ProblemItem {
  const names = roles.map(({ name }) => name).join(' and ');
  const related = sameLabels.length === 0 ? '' : ` with the same ${sameLabels.join(' and ')}`;
  return {
    path: sameLabels.length === 0 ? 'roles' : 'relation.sameLabels',
    message: `there are no ${roles.length} different machines${related} for the roles ${names}`,
    remedy: sameLabels.length === 0 ? 'select more machines for them' : 'label the machines, or drop the relation',
  };
}

function seatsOf(machines: readonly PlannableMachine[]): Map<string, Seat> {
  return new Map(machines.map(({ name, labels }) => [name, { machine: name, agent: '', labels, isFree: true }]));
}

/** The kernels of each job, by the place of the role: indexes of builds. */
function kernelsOf({ builds }: RunSpec, roles: readonly RunRole[]): number[][] {
  const indexesOf = (names: readonly string[]): number[] =>
    builds.flatMap(({ name }, index) => (names.includes(name) ? [index] : []));
  const choices = roles.map(({ builds: named }, index) =>
    named !== undefined ? indexesOf(named) : index === 0 ? [...builds.keys()] : [AS_FIRST],
  );
  return products(choices).map((chosen) => chosen.map((index) => (index === AS_FIRST ? (chosen[0] ?? 0) : index)));
}

const AS_FIRST = -1;

/** Every way to take one of each list, the last one varying fastest. */
function products<T>(lists: readonly (readonly T[])[]): T[][] {
  return lists.reduce<T[][]>((sets, list) => sets.flatMap((set) => list.map((each) => [...set, each])), [[]]);
}
