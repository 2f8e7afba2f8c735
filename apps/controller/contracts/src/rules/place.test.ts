import { expect, it } from 'vitest';
import type { JobView } from '../schema/run-detail.js';
import { machinesOf, placeNames, placeOfJob, textOfRoles } from './place.js';

const near = { provider: '0000:03:00.0', client: '0000:04:00.0' };
const far = { provider: '0000:05:00.0', client: '0000:04:00.0' };
const build = { name: 'base' };

it('names the devices where a machine has several pairs, and nowhere else', () => {
  expect(
    placeNames([
      { machine: 'v-mixed', pair: near, build },
      { machine: 'v-mixed', pair: far, build },
      { machine: 'v-switch', pair: near, build },
      { machine: 'v-switch', pair: near, build },
      { machine: null, pair: null, build },
    ]).map(({ machine }) => machine),
  ).toEqual([
    'v-mixed (0000:03:00.0 → 0000:04:00.0)',
    'v-mixed (0000:05:00.0 → 0000:04:00.0)',
    'v-switch',
    'v-switch',
    'any machine',
  ]);
});

it('names machine and kernel of every role, and says which role still takes any machine', () => {
  const server = { role: 'server', machine: 'm1', pair: near, build };
  const client = { role: 'client', machine: null, pair: null, build: { name: 'new' } };
  const place = { machine: null, pair: near, build, roles: [server, client] };
  expect(placeNames([place])).toEqual([
    {
      machine: 'server m1, client any machine',
      build: 'server base, client new',
      name: 'server m1/base, client any machine/new',
    },
  ]);
  const [first] = placeNames([place, { ...place, roles: [{ ...server, pair: far }, client] }]);
  expect(first?.machine).toBe('server m1 (0000:03:00.0 → 0000:04:00.0), client any machine');
  expect(machinesOf(place)).not.toBe(machinesOf({ ...place, roles: [client, server] }));
});

it('names where a job ran: its roles, its machine, or that it builds', () => {
  const job = { kind: 'test', build: 'base', machine: null, combination: null, attempts: [] } as unknown as JobView;
  expect(placeOfJob(job).name).toBe('any machine/base');
  expect(placeOfJob({ ...job, kind: 'build' }).name).toBe('build/base');
  const participants = [
    { role: 'server', machine: 'm1', build },
    { role: 'client', machine: 'm2', build: null },
  ];
  expect(placeOfJob({ ...job, attempts: [{ participants }] } as unknown as JobView).name).toBe(
    'server m1/base, client m2/?',
  );
});

it('says once what all roles have', () => {
  const text = (role: string, of: string) => ({ role, text: of });
  expect(textOfRoles([text('server', 'BUS_ADDR'), text('client', 'BUS_ADDR')])).toBe('BUS_ADDR');
  expect(textOfRoles([text('server', 'BUS_ADDR'), text('client', '')])).toBe('server BUS_ADDR, client –');
});
