import type { Assignment } from '@peerlab/contracts';
import type { FakeAgent } from './fake-agent.js';
import type { TestFarm } from './farm.js';

/** An attempt with a server on machine m1 of agent `lab` and a client on m2 of agent `other`. */
export interface PairAttempt {
  run: string;
  attempt: string;
  server: Assignment;
  client: Assignment;
}

/**
 * Starts an attempt with two participants and lets both agents accept it. Nothing else may be queued.
 * @param key of the bundle that the server boots under the name `b`
 * @param clientKey of the client's, under the name `c`; absent = both boot the same
 */
export async function takePair(
  farm: TestFarm,
  key: string,
  lab: FakeAgent,
  other: FakeAgent,
  clientKey?: string,
): Promise<PairAttempt> {
  const [second, own] = clientKey === undefined ? ['', ''] : [`, {name: c, bundle: ${clientKey}}`, ', builds: [c]'];
  const yaml = `name: gang
builds: [{name: b, bundle: ${key}}${second}]
suites: [p2p-functional]
roles:
  - {name: server, machines: {names: [m1]}${own === '' ? '' : ', builds: [b]'}}
  - {name: client, machines: {names: [m2]}${own}}
`;
  await farm.sql.run(`update machine set desired = 'active' where name in ('m1', 'm2')`);
  const { id: run } = await farm.call('submitRun', { body: { yaml } });
  const [server, client] = [await lab.take('test'), await other.take('test')];
  // What is repeated waits until a test asks for it.
  await farm.sql.run(`update machine set desired = 'drained' where name in ('m1', 'm2')`);
  await farm.until('both accepted', async () => {
    const { participants } = await farm.call('getAttempt', { params: { attempt: server.attemptId } });
    return participants.every(({ state }) => state === 'running');
  });
  return { run, attempt: server.attemptId, server, client };
}
