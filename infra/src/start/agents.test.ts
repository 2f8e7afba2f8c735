import { expect, it } from 'vitest';
import { type FarmAgent, farmAgents } from './agents.js';

const LAB = {
  bmcs: { c: { protocol: 'ipmi' } },
  machines: ['v-pair-a', 'v-pair-b', 'c'].map((name) => ({ name, labels: { of: name } })),
};
const of = (agents: number): FarmAgent[] =>
  farmAgents(
    { agents, stateDir: '/s', cacheDir: '/c', root: '/r', repositories: [], testSlots: 3 },
    'http://127.0.0.1:1',
    LAB,
  );

it('one agent has the file of the lab, and builds', () => {
  const [agent, ...more] = of(1);
  expect(more).toEqual([]);
  expect(agent).toMatchObject({
    name: 'lab',
    service: 'agent',
    tokenFile: '/s/agent.token',
    configFile: '/s/agent.yaml',
    machines: null,
    config: {
      machinesFile: '/s/lab/agent-machines.json',
      stateDir: '/s/agent',
      cacheDir: '/c',
      capabilities: ['test', 'build'],
    },
  });
});

it('two agents share the machines in turn, each on files of its own, and one of them builds', () => {
  const agents = of(2);
  expect(agents.map(({ name, machines }) => [name, machines?.definition.machines.map((each) => each.name)])).toEqual([
    ['lab', ['v-pair-a', 'c']],
    ['lab-2', ['v-pair-b']],
  ]);
  expect(agents[1]).toMatchObject({
    service: 'agent-2',
    config: {
      name: 'lab-2',
      machinesFile: '/s/agent-2-machines.json',
      stateDir: '/s/agent-2',
      cacheDir: '/s/agent-2/cache',
      capabilities: ['test'],
    },
  });
  expect(agents[0]?.machines?.definition.bmcs).toEqual(LAB.bmcs);
  for (const key of ['tokenFile', 'configFile', 'service'] as const)
    expect(new Set(agents.map((agent) => agent[key])).size).toBe(2);
});
