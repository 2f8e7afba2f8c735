import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type FakeLab, startFakeLab } from '../fake/fake-lab.js';
import { script } from './command.js';
import { guardMachine, MachineGuard } from './guarded-machine.js';
import type { Machine, Session } from './protocols.js';

let folder: string;
let lab: FakeLab;
const signal = new AbortController().signal;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'guard-'));
  lab = await startFakeLab(folder);
});
afterEach(async () => {
  await lab.fake.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** What one agent has of the machine: its guarded view, a connection, and a lease that can be taken away. */
async function agentWith(fence: number, token: string) {
  const lease = { lost: false, check: () => undefined as void };
  lease.check = () => {
    if (lease.lost) throw new Error('the lease ran out');
  };
  const guard = new MachineGuard('v-switch', lease, { fence, token });
  const machine: Machine = guardMachine(lab.machine, guard);
  const session: Session = await machine.access.connect({ timeoutMs: 5_000 });
  return { lease, guard, machine, session };
}

const select = async ({ machine, session }: { machine: Machine; session: Session }): Promise<void> =>
  machine.boot.selectOnce(session);
const upload = async (session: Session, name: string, content = name): Promise<void> => {
  const path = join(folder, name);
  writeFileSync(path, content);
  const sha256 = createHash('sha256').update(content).digest('hex');
  await session.upload(path, `/boot/${name}`, { sha256, sizeBytes: content.length, mode: 0o644 });
};

describe('a machine behind a lease', () => {
  it('is not touched in any way once the lease is gone', async () => {
    const agent = await agentWith(1, 'a');
    await agent.guard.claim(agent.session, signal);
    await select(agent);
    agent.lease.lost = true;
    const before = [...lab.fake.commands];
    const { machine, session } = agent;
    for (const act of [
      () => select(agent),
      () => session.exec(script('clean', {}, 'true')),
      () => session.start(script('suite', { suite: 's', skip: '' }, 'true'), handlers),
      () => upload(session, 'vmlinuz'),
      () => machine.power?.reset() ?? Promise.resolve(),
      () => machine.boot.remove(session),
      () => machine.access.connect({ timeoutMs: 1_000 }),
    ]) {
      await expect(act()).rejects.toThrow('the lease ran out');
    }
    expect(lab.fake.commands).toEqual(before);
    expect(lab.fake.resets).toBe(0);
    expect([...lab.fake.files.keys()]).toEqual([]);
  });

  it('gets no more of an upload than was under way', async () => {
    const agent = await agentWith(1, 'a');
    await agent.guard.claim(agent.session, signal);
    const content = 'x'.repeat(200 * 32 * 1024);
    let writes = 0;
    lab.fake.onEvent = ({ type }) => {
      if (type !== 'upload') return;
      writes += 1;
      agent.lease.lost = true;
    };
    await expect(upload(agent.session, 'vmlinuz', content)).rejects.toThrow('the lease ran out');
    // The machine answers this after what came before it on the same connection.
    agent.guard.beginRestore();
    await agent.session.exec('true');
    expect(writes).toBeGreaterThan(0);
    expect(writes).toBeLessThanOrEqual(64);
    expect([...lab.fake.files.keys()]).toEqual(['/boot/vmlinuz.part']);
  });

  it('may be restored without a lease', async () => {
    const agent = await agentWith(1, 'a');
    await agent.guard.claim(agent.session, signal);
    await select(agent);
    agent.lease.lost = true;
    agent.guard.beginRestore();
    await agent.machine.boot.remove(agent.session);
    expect(lab.fake.nextEntry).toBeNull();
    await agent.machine.power?.reset();
    expect(lab.fake.resets).toBe(1);
  });
});

const handlers = { onStdoutLine: () => undefined, onStderrLine: () => undefined };

describe('two agents that both believe to have the lease of a machine', () => {
  it('cannot both act on it: the higher fence wins, the other one is refused everything', async () => {
    const older = await agentWith(7, 'a');
    const newer = await agentWith(8, 'b');
    await older.guard.claim(older.session, signal);
    await upload(older.session, 'old');
    await newer.guard.claim(newer.session, signal);
    const suite = await older.session.start(script('suite', { suite: 's', skip: '' }, 'true'), handlers);
    expect(await suite.ended).toMatchObject({ lost: true });
    await expect(select(older)).rejects.toMatchObject({ kind: 'fenced', remedy: expect.stringContaining('remove') });
    await expect(upload(older.session, 'late')).rejects.toMatchObject({ kind: 'fenced' });
    await expect(older.guard.claim(older.session, signal)).rejects.toMatchObject({ kind: 'fenced' });
    expect([...lab.fake.files.keys()]).not.toContain('/boot/late');
    expect(lab.fake.nextEntry).toBeNull();
    await select(newer);
    expect(lab.fake.nextEntry).toBe('peerlab-candidate');
    // Not even for restoring: that is the newer one's duty now.
    older.guard.beginRestore();
    await expect(older.machine.boot.remove(older.session)).rejects.toMatchObject({ kind: 'fenced' });
    await expect(older.machine.power?.reset()).rejects.toMatchObject({ kind: 'fenced' });
    expect(lab.fake.resets).toBe(0);
    expect(lab.fake.nextEntry).toBe('peerlab-candidate');
  });

  it('cannot both act on it with one and the same attempt', async () => {
    const first = await agentWith(7, 'a');
    const copy = await agentWith(7, 'b');
    await first.guard.claim(first.session, signal);
    await expect(copy.guard.claim(copy.session, signal)).rejects.toMatchObject({ kind: 'fenced' });
    await select(first);
  });
});

describe('a machine that shows another fence than it was given', () => {
  it('may be restored when the fence is lower: something on it changed the file', async () => {
    const agent = await agentWith(7, 'a');
    await agent.guard.claim(agent.session, signal);
    await select(agent);
    lab.fake.fence = { fence: 3, token: 'forged' };
    await expect(agent.session.exec(script('clean', {}, 'true'))).rejects.toMatchObject({
      kind: 'command-failed',
      message: expect.stringContaining('was changed during the attempt: it has the fence 3, not 7'),
    });
    expect(agent.guard.fenceSeen).toBeNull();
    agent.guard.beginRestore();
    await agent.machine.boot.remove(agent.session);
    expect(lab.fake.nextEntry).toBeNull();
  });

  it('is left alone when the fence is not lower, and the fence is reported', async () => {
    const agent = await agentWith(7, 'a');
    await agent.guard.claim(agent.session, signal);
    lab.fake.fence = { fence: 9999, token: 'forged' };
    await expect(select(agent)).rejects.toMatchObject({ kind: 'fenced' });
    expect(agent.guard.fenceSeen).toBe(9999);
  });
});
