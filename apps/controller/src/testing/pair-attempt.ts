import type { Assignment } from '@peerlab/contracts';
import { AttemptStore } from '../attempts/attempt-store.js';
import { announce } from '../platform/database/bus.js';
import { JobService } from '../runs/job.service.js';
import type { FakeAgent } from './fake-agent.js';
import type { TestFarm } from './farm.js';

/** An attempt with a server on machine m1 of agent `lab` and a client on m2 of agent `other`. */
export interface PairAttempt {
  run: string;
  attempt: string;
  server: Assignment;
  client: Assignment;
}

/** Starts an attempt with two participants and lets both agents accept it. Nothing else may be queued. */
export async function takePair(farm: TestFarm, key: string, lab: FakeAgent, other: FakeAgent): Promise<PairAttempt> {
  const yaml = `name: gang\nbuilds: [{name: b, bundle: ${key}}]\nsuites: [p2p-functional]\nmachines: {names: [m1]}\n`;
  const { id: run } = await farm.call('submitRun', { body: { yaml } });
  const { app } = farm.server;
  const [job] = await farm.sql.rows<{ id: string }>(`select id from job where run_id = $1`, [run]);
  const [place] = await farm.sql.rows<{ path: never }>(`select path from machine_path where machine = 'm1'`);
  if (job === undefined || place === undefined) throw new Error('there is no job or no path');
  await farm.sql.transaction(async (tx) => {
    await tx.run('select 1 from job where id = $1 for no key update', [job.id]);
    const number = await app.get(AttemptStore).open(tx, job.id, [
      { role: 'server', agent: 'lab', machine: 'm1', slot: null },
      { role: 'client', agent: 'other', machine: 'm2', slot: null },
    ]);
    await app.get(JobService).start(tx, { id: job.id, runId: run, place: { machine: 'm1', path: place.path } }, number);
    await announce(tx, { type: 'agent-work', agent: 'lab' }, { type: 'agent-work', agent: 'other' });
  });
  const [server, client] = [await lab.take('test'), await other.take('test')];
  await farm.until('both accepted', async () => {
    const { participants } = await farm.call('getAttempt', { params: { attempt: server.attemptId } });
    return participants.every(({ state }) => state === 'running');
  });
  return { run, attempt: server.attemptId, server, client };
}
