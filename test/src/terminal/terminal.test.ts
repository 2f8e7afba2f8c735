import { PassThrough } from 'node:stream';
import type { FakeLab, InProcessAgent } from '@peerlab/agent/fake';
import { COMMANDS } from '@peerlab/cli';
import { HttpClient } from '@peerlab/client';
import { TERMINAL_RECORD_MAX_BYTES } from '@peerlab/contracts';
import type { TestFarm } from '@peerlab/controller/testing/farm';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startTerminalFarm, type TerminalFarm } from './terminal-farm.js';

/** The real command line, one or two real controllers, the real agent, and a machine on script behind a real SSH server. */

let all: TerminalFarm;
let farm: TestFarm;
let lab: FakeLab;
let agent: InProcessAgent;
let machine: string;
beforeAll(async () => {
  all = await startTerminalFarm();
  ({ farm, lab, agent, machine } = all);
});
afterAll(() => all?.stop());
beforeEach(() => all.connect());
afterEach(() => all.disconnect());

const isConnected = () => all.isConnected();
const reservations = () => all.reservations();
const records = () => all.records();
const reserve = () => all.reserve();

interface Person {
  type: (text: string) => void;
  /** Resolves when it was printed. */
  sees: (text: string) => Promise<void>;
  printed: () => string;
  stdout: PassThrough;
  stdin: PassThrough;
  /** What was said at the end; rejects with why it could not be opened. */
  end: Promise<string>;
}
/** A person with the command line. */
function sit(command: 'ssh' | 'console', { url = farm.server.url, token = farm.userToken, reads = true } = {}): Person {
  const stdin = new PassThrough();
  const stdout = new PassThrough();
  let printed = '';
  let said = '';
  if (reads) stdout.on('data', (data: Buffer) => (printed += data.toString()));
  const found = COMMANDS.find(({ usage }) => usage === `${command} <machine>`);
  const api = new HttpClient({ url, token: () => token });
  const run = found?.run(
    {
      api,
      json: false,
      colour: false,
      stdin,
      seat: { stdin, stdout },
      env: {},
      write: (text) => void (printed += text),
      writeError: (text) => void (said += text),
      setExitCode: () => undefined,
    },
    [machine],
    {},
  );
  const end = Promise.resolve(run).then(() => said);
  let refusal: unknown = null;
  end.catch((error: unknown) => (refusal = error));
  return {
    type: (text) => void stdin.write(text),
    sees: async (text) => {
      const look = (): string => {
        if (refusal !== null) throw refusal;
        return printed;
      };
      await farm.until(`“${text}”`, look, (now) => now.includes(text));
    },
    printed: () => printed,
    stdout,
    stdin,
    end,
  };
}

describe('a shell', () => {
  it('is the holder’s: what it prints is kept, what is typed without echo is not', async () => {
    await reserve();
    const ann = sit('ssh');
    await ann.sees('fake# ');
    ann.type('uname\r');
    await ann.sees('ran: uname');
    ann.type('password\r');
    await ann.sees('Password: ');
    ann.type('hunter2\r');
    await ann.sees('a secret of 7 characters');
    ann.type('exit 3\r');
    expect(await ann.end).toBe('peerlab: the shell ended with 3\n');
    const [record] = await farm.until('the end', records, ([one]) => one?.closedAt !== null);
    expect(record).toMatchObject({ kind: 'shell', by: 'tester', why: 'the shell ended with 3', removedBytes: 0 });
    const kept = await farm.call('getTerminalOutput', { params: { terminal: record?.id ?? '' } });
    expect(kept).toBe(ann.printed());
    expect(kept).not.toContain('hunter2');
    const show = COMMANDS.find(({ usage }) => usage === 'terminals <machine>');
    const api = new HttpClient({ url: farm.server.url, token: () => farm.userToken });
    const context = { api } as Parameters<NonNullable<typeof show>['run']>[0];
    expect((await show?.run(context, [machine], {}))?.text).toMatch(/shell +tester .* the shell ended with 3/);
    const print = (record?.id ?? '').slice(0, 8);
    expect((await show?.run(context, [machine], { print }))?.text).toBe(kept);
    const { rows } = await farm.sql.pool.query(
      `select count(*)::int as n from terminal_output where data::text like '%hunter2%'`,
    );
    expect(rows).toEqual([{ n: 0 }]);
  });

  it('takes what is typed before it is there', async () => {
    await reserve();
    const ann = sit('ssh');
    ann.type('uname\rexit 0\r');
    expect(await ann.end).toBe('peerlab: the shell ended with 0\n');
    expect(ann.printed()).toContain('ran: uname');
  });

  it('is refused to everybody else, with how to get it', async () => {
    await expect(sit('ssh').end).rejects.toThrow(`${machine} is not reserved; a shell is for who has the machine`);
    await reserve();
    const bob = await farm.token('user', 'bob');
    await expect(sit('ssh', { token: bob }).end).rejects.toThrow(`${machine} is reserved by tester`);
    await expect(sit('ssh', { token: await farm.token('agent', 'x') }).end).rejects.toThrow('403');
    await expect(sit('ssh', { token: 'plk_user_wrong' }).end).rejects.toThrow('401');
  });

  it('works when the person and the agent are at different controllers', async () => {
    await reserve();
    const second = await farm.replica();
    const ann = sit('ssh', { url: second.url });
    await ann.sees('fake# ');
    ann.type('uname\r');
    await ann.sees('ran: uname');
    await second.close();
    expect(await ann.end).toBe('peerlab: the connection to the controller was lost\n');
    await farm.until('the end', records, ([one]) => one?.closedAt !== null);
  });

  it('ends with the reservation', async () => {
    await reserve();
    const ann = sit('ssh');
    await ann.sees('fake# ');
    const [held] = await reservations();
    await farm.call('returnMachine', { params: { reservation: held?.id ?? '' }, body: {} });
    expect(await ann.end).toBe('peerlab: the reservation is over\n');
    await farm.until('the restore', reservations, ([one]) => one?.state === 'ended');
    expect((await reservations())[0]).toMatchObject({ outcome: 'restored' });
  });

  it('ends when the agent dies, and when the machine goes', async () => {
    await reserve();
    const ann = sit('ssh');
    await ann.sees('fake# ');
    agent.die();
    expect(await ann.end).toContain('the connection');
    await farm.until('the end of its connection', isConnected, (now) => !now);
    agent.start();
    await farm.until('the agent', isConnected);
    const again = sit('ssh');
    await again.sees('fake# ');
    await lab.fake.reboot();
    expect(await again.end).toMatch(/was lost|the shell ended/);
  });

  it('waits for a person who does not read, and loses nothing; of a long record the end is kept', async () => {
    await reserve();
    const bytes = 3 * TERMINAL_RECORD_MAX_BYTES;
    const ann = sit('ssh', { reads: false });
    const taken = async (): Promise<number> => {
      const [record] = await records();
      return (record?.keptBytes ?? 0) + (record?.removedBytes ?? 0);
    };
    await farm.until('the shell', taken);
    ann.type(`flood ${bytes}\r`);
    // Nobody reads: it comes to rest at what the window and the sockets between them hold.
    let before = 0;
    await farm.until('the rest', async () => {
      await new Promise((resolve) => setTimeout(resolve, 500));
      const now = await taken();
      const rests = now === before && now > 1000;
      before = now;
      return rests;
    });
    expect(before).toBeLessThan(bytes * 0.75);
    let count = 0;
    let tail = '';
    ann.stdout.on('data', (data: Buffer) => {
      count += data.length;
      tail = (tail + data.toString()).slice(-200);
    });
    await farm.until(
      'all of it',
      () => tail,
      (now) => now.includes('flooded'),
    );
    expect(count).toBeGreaterThan(bytes);
    ann.type('exit 0\r');
    await ann.end;
    const [record] = await farm.until('the end', records, ([one]) => one?.closedAt !== null);
    expect(record?.keptBytes).toBeLessThanOrEqual(TERMINAL_RECORD_MAX_BYTES);
    expect((record?.keptBytes ?? 0) + (record?.removedBytes ?? 0)).toBe(count);
    const kept = await farm.call('getTerminalOutput', { params: { terminal: record?.id ?? '' } });
    expect(String(kept).length).toBe(record?.keptBytes);
  });

  it('is closed when more is typed than the machine reads', async () => {
    await reserve();
    const ann = sit('ssh');
    await ann.sees('fake# ');
    ann.type('deaf\r');
    await ann.sees('deaf');
    ann.type('y'.repeat(4_000_000));
    expect(await ann.end).toContain('the machine does not read what is typed');
  });
});

describe('a console', () => {
  it('shows what was printed last and what comes, to every user', async () => {
    lab.fake.console('[    1.0] before');
    const bob = sit('console', { token: await farm.token('user', 'bob') });
    await bob.sees('[    1.0] before');
    lab.fake.console('[    2.0] after');
    await bob.sees('[    2.0] after');
    const [record] = await records();
    expect(record).toMatchObject({ kind: 'console', by: 'bob', reservationId: null, closedAt: null });
    await farm.until('the end', async () => {
      // Again until a pass saw it: every few seconds its controller says that he is there.
      await farm.sql.run(`update terminal set seen_at = seen_at - interval '1 hour'`);
      const [now] = await records();
      return now?.closedAt !== null;
    });
    expect(await bob.end).toBe('peerlab: its user is gone\n');
  });
});
