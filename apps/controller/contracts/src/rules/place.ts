import { pairText, type DevicePair } from '../schema/paths.js';
import type { JobView } from '../schema/run-detail.js';
import { sidesOfJob } from './two-sided.js';

interface Tested {
  machine: string | null;
  pair: DevicePair | null;
  build: { name: string };
}

/** Where something was tested: on one machine, or in several roles, each on its own. */
export interface TestedPlace extends Tested {
  roles?: readonly (Tested & { role: string })[] | undefined;
}

/** How people call a place. */
export interface PlaceName {
  /** `m1`; of several roles `server m1, client m2`. */
  machine: string;
  /** `base`; of several roles `server base, client new`. */
  build: string;
  /** Both: `m1/base`; `server m1/base, client m2/new`. */
  name: string;
}

const ANY_MACHINE = 'any machine';

const partsOf = ({ roles, ...own }: TestedPlace): (Tested & { role: string | null })[] =>
  roles === undefined ? [{ ...own, role: null }] : [...roles];

/** The name of each place, with the devices where these places are about several pairs of a machine. */
export function placeNames(places: readonly TestedPlace[]): PlaceName[] {
  const pairs = new Map<string | null, Set<string>>();
  for (const { machine, pair } of places.flatMap(partsOf)) {
    if (pair === null) continue;
    const known = pairs.get(machine) ?? new Set();
    pairs.set(machine, known.add(pairText(pair)));
  }
  const machineText = ({ machine, pair }: Tested): string => {
    const name = machine ?? ANY_MACHINE;
    return pair === null || (pairs.get(machine)?.size ?? 0) < 2 ? name : `${name} (${pairText(pair)})`;
  };
  return places.map((place) =>
    nameOf(partsOf(place).map((part) => ({ role: part.role, machine: machineText(part), build: part.build.name }))),
  );
}

/** The name of one place by itself. */
export const placeName = (place: TestedPlace): string => placeNames([place])[0]?.name ?? ANY_MACHINE;

/** `base`; `base (epyc-1)` of one of several kernels of a build, which differ in their configurations. */
export const kernelText = ({ build, config }: { build: string; config?: string | undefined }): string =>
  config === undefined ? build : `${build} (${config})`;

/** Where a job builds or tests. */
export function placeOfJob(job: JobView): PlaceName {
  const { kind, machine } = job;
  const sides = sidesOfJob(job)?.map((side) => ({ ...side, machine: side.machine ?? ANY_MACHINE }));
  return nameOf(
    sides ?? [{ role: null, build: kernelText(job), machine: kind === 'build' ? 'build' : (machine ?? ANY_MACHINE) }],
  );
}

/** Which machines tested: what is to be compared on the same ones has the same text. */
export const machinesOf = (place: {
  machine: string | null;
  roles?: readonly { machine: string | null }[] | null | undefined;
}): string => (place.roles == null ? (place.machine ?? '') : place.roles.map(({ machine }) => machine ?? '').join(' '));

/** One text where it is that of all roles, else each with its role. */
export function textOfRoles(parts: readonly { role: string | null; text: string }[]): string {
  const [first, ...others] = parts;
  if (first === undefined) return '';
  if (others.every(({ text }) => text === first.text)) return first.text;
  return parts.map(({ role, text }) => `${role ?? ''} ${text === '' ? '–' : text}`).join(', ');
}

function nameOf(parts: readonly { role: string | null; machine: string; build: string }[]): PlaceName {
  const text = (of: (part: (typeof parts)[number]) => string): string =>
    parts.map((part) => (part.role === null ? of(part) : `${part.role} ${of(part)}`)).join(', ');
  return {
    machine: text(({ machine }) => machine),
    build: text(({ build }) => build),
    name: text(({ machine, build }) => `${machine}/${build}`),
  };
}
