import { createHash } from 'node:crypto';
import { FOREIGN_MODULES } from '../job/stages/install-modules.js';
import { purposeOf } from '../machine/command.js';
import { FENCE_REFUSED, fenceOf } from '../machine/fence.js';
import type { FakeMachine, FakeTest } from './fake-machine.js';
import type { FakeChannel, FakeConnection } from './fake-ssh-server.js';

/** An ELF note section with a build-id, in hex. */
function notesOf(buildId: string): string {
  const id = Buffer.from(buildId, 'hex');
  const head = Buffer.alloc(12);
  head.writeUInt32LE(4, 0);
  head.writeUInt32LE(id.length, 4);
  head.writeUInt32LE(3, 8);
  return Buffer.concat([head, Buffer.from('GNU\0'), id]).toString('hex');
}

/** A configuration space with this ACS control register, in hex. */
function acsSpace(control: number): string {
  const bytes = Buffer.alloc(0x110);
  bytes.writeUInt32LE((1 << 16) | 0x000d, 0x100);
  bytes.writeUInt16LE(control, 0x106);
  return bytes.toString('hex');
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

type Arguments = Record<string, string | number>;
type Action = (machine: FakeMachine, channel: FakeChannel, args: Arguments) => void | Promise<void>;

const say = (text: string | ((machine: FakeMachine, args: Arguments) => string)): Action => {
  return (machine, channel, args) => {
    const said = typeof text === 'string' ? text : text(machine, args);
    if (said !== '') channel.write(said.endsWith('\n') ? said : `${said}\n`);
    channel.exit(0);
  };
};

/** As the shell that real machines run compares it. */
function refuse(machine: FakeMachine, channel: FakeChannel): void {
  machine.refusals += 1;
  channel.writeError(`peerlab-fence: ${machine.fence?.fence ?? 0}\n`);
  channel.exit(FENCE_REFUSED);
}

/** Whether the fence that a command compares with is the one it wants to see. */
function fits(machine: FakeMachine, command: string): boolean {
  const wanted = fenceOf(command);
  if (wanted === null) return true;
  const { fence, token } = shown(machine, wanted.forged);
  return wanted.mode === 'own' ? fence === wanted.fence && token === wanted.token : fence <= wanted.fence;
}

/** What is on the machine; a fence that the controller calls forged counts as none. */
function shown({ fence }: FakeMachine, forged: number | undefined): { fence: number; token: string } {
  return fence === null || fence.fence === forged ? { fence: 0, token: '' } : fence;
}

const ACTIONS: Record<string, Action> = {
  'fence-claim': (machine, channel, args) => {
    const [fence, token] = [Number(args['fence']), String(args['token'])];
    const held = shown(machine, args['forged'] === undefined ? undefined : Number(args['forged']));
    if (held.fence >= fence && held.token !== token) return refuse(machine, channel);
    machine.fence = { fence, token };
    machine.onEvent({ type: 'claim', fence, token });
    channel.exit(0);
  },
  identify: say(({ bootId, kernel }) =>
    [bootId, kernel.release, kernel.commandLine, notesOf(kernel.buildId), ''].join('\n'),
  ),
  df: say(
    ({ freeBytes }) =>
      `Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/vda1 3000000 900000 ${Math.floor(freeBytes / 1024)} 30% /\n`,
  ),
  'grub-preflight': (machine, channel) => {
    channel.exit(machine.grubProblem === null ? 0 : 1);
  },
  'grub-read': say(
    ({ customConfig }, { paths }) => `${String(paths).replaceAll(' ', '\n')}\nABCD-1234\n${customConfig}`,
  ),
  'grub-read-custom': (machine, channel) => {
    channel.write(machine.customConfig);
    channel.exit(0);
  },
  'grub-install': async (machine, channel) => {
    machine.customConfig = await channel.input;
    channel.exit(0);
  },
  'grub-select': (machine, channel, { entry }) => {
    machine.nextEntry = String(entry);
    channel.exit(0);
  },
  'grub-pending': say(({ nextEntry }) => `saved_entry=\n${nextEntry === null ? '' : `next_entry=${nextEntry}\n`}`),
  'grub-remove': async (machine, channel) => {
    machine.customConfig = await channel.input;
    machine.nextEntry = null;
    channel.exit(0);
  },
  clean: (machine, channel) => {
    for (const path of machine.files.keys()) machine.files.delete(path);
    machine.installedModules.clear();
    channel.exit(0);
  },
  digest: say(({ files }, { path }) => {
    const file = files.get(String(path)) ?? Buffer.alloc(0);
    return `${createHash('sha256').update(file).digest('hex')}  -`;
  }),
  'place-file': (machine, channel, { from, to, sha256 }) => {
    const file = machine.files.get(String(from)) ?? Buffer.alloc(0);
    const seen = createHash('sha256').update(file).digest('hex');
    if (seen === sha256) {
      machine.files.set(String(to), file);
      machine.files.delete(String(from));
    }
    channel.write(`${seen}  -\n`);
    channel.exit(0);
  },
  'unpack-modules': (machine, channel, { release }) => {
    if (machine.foreignModules.has(String(release))) return channel.exit(FOREIGN_MODULES);
    machine.installedModules.add(String(release));
    channel.exit(0);
  },
  'unpack-driver': (machine, channel, { name }) => {
    machine.installedDrivers.push(String(name));
    channel.exit(0);
  },
  depmod: say(''),
  fingerprint: say(({ systemFiles }, { expected }) => {
    const list = [...systemFiles]
      .map(([path, text]) => `${sha256(text)}  ${path}\n`)
      .sort()
      .join('');
    return sha256(list) === expected ? sha256(list) : `${sha256(list)}\n${list}`;
  }),
  'root-device': say('/dev/vda1'),
  'kmsg-dump': say((machine) => machine.readKmsg().join('\n')),
  'kmsg-follow': (machine, channel) => {
    machine.followKmsg((record) => channel.write(`${record}\n`));
  },
  modprobe: (machine, channel, { module }) => {
    const problem = machine.moduleProblems.get(String(module));
    if (problem === 'oops') {
      machine.oops(`${module}_init`);
      return;
    }
    if (problem !== undefined) channel.writeError(`modprobe: ERROR: ${problem}\n`);
    channel.exit(problem === undefined ? 0 : 1);
  },
  reboot: async (machine, channel) => {
    channel.exit(0);
    await machine.reboot();
  },
  'sysrq-reboot': async (machine, channel) => {
    channel.exit(machine.sysrq === 'refused' ? 1 : 0);
    await machine.rebootBySysrq();
  },
  'module-identity': say(({ kernel, loadedModules, moduleFiles, moduleTaints }, { module }) => {
    const name = String(module);
    const buildId = loadedModules.get(name);
    return [
      `file|${moduleFiles.get(name) ?? `/lib/modules/${kernel.release}/${name}.ko`}`,
      `notes|${buildId === undefined ? '' : notesOf(buildId)}`,
      `taint|${moduleTaints.get(name) ?? ''}`,
      'srcversion|5D1E03A1F5F3B0E9D7C2A11',
    ].join('\n');
  }),
  'suite-list': say(({ suites }, { suite }) => (suites[String(suite)] ?? []).map((test) => test.id).join('\n')),
  suite: async (machine, channel, { suite, skip }) => {
    const skipped = String(skip).split(',');
    await runFakeSuite(machine, channel, String(suite), skipped);
  },
  collect: say('tainted: 0'),
  'peer-facts': say(({ kernel }, { link }) => `${kernel.release}\nlink ${String(link)}`),
  inventory: say(({ inventory }) => inventory),
  'enrolment-facts': say(({ facts }) => facts),
  'default-image': say('/boot/vmlinuz-default\n\n/dev/vda1'),
  'console-echo': (machine, channel, { marker }) => {
    machine.printk(String(marker));
    channel.exit(0);
  },
  crash: (machine, channel) => {
    channel.exit(0);
    machine.oops('sysrq_handle_crash');
  },
  hardware: say(({ devices }) => devices.join('\n')),
  way: say(({ running, iommuMode: mode, iommuModeOfCandidate, redirects }, args) => {
    const iommuMode = running === 'candidate' ? (iommuModeOfCandidate ?? mode) : mode;
    // The topology that the path was planned for, but for what redirects.
    const bridges = args['kind'] === 'BUS_ADDR' || redirects ? ['01:00.0', '01:00.0'] : ['01:00.0', '02:00.0'];
    return ['provider', 'client']
      .flatMap((end, index) => [
        `@end ${index} ${iommuMode}`,
        `0000:${bridges[index]} ${acsSpace(redirects ? 0x1d : 0)}`,
        `${args[end]} `,
      ])
      .join('\n');
  }),
  'device-errors': say(({ running, deviceErrors }) => (running === 'candidate' ? (deviceErrors.shift() ?? '') : '')),
  'kdump-list': say(({ dumps }) => [...dumps.keys()].join('\n')),
  'kdump-read': say(({ dumps }, { name }) => `2048\n${Buffer.from(dumps.get(String(name)) ?? '').toString('base64')}`),
  'pstore-list': say(({ pstore }) => [...pstore.keys()].reverse().join('\n')),
  'pstore-read': say(({ pstore }, { file }) => Buffer.from(pstore.get(String(file)) ?? '').toString('base64')),
  'pstore-clear': (machine, channel, { files }) => {
    for (const file of String(files).split(' ')) machine.pstore.delete(file);
    channel.exit(0);
  },
  'boot-policy': say(({ bootPolicy }) => bootPolicy),
};

/** What a fake machine does with a command; unknown ones succeed silently. */
export async function runFakeCommand(
  machine: FakeMachine,
  command: string,
  channel: FakeChannel,
  connection: FakeConnection,
): Promise<void> {
  const known = purposeOf(command);
  if (!fits(machine, command)) return refuse(machine, channel);
  const { fence, mode } = fenceOf(command) ?? { fence: null, mode: null };
  connection.fence = fence ?? connection.fence;
  machine.commands.push(known?.purpose ?? command);
  machine.onEvent({ type: 'command', purpose: known?.purpose ?? '', args: known?.args ?? {}, fence, mode });
  const answer = known === null ? undefined : machine.answers.get(known.purpose);
  if (answer !== undefined) return answer(channel, known?.args ?? {});
  const action = known === null ? undefined : ACTIONS[known.purpose];
  if (action === undefined || known === null) channel.exit(0);
  else await action(machine, channel, known.args);
}

async function runFakeSuite(
  machine: FakeMachine,
  channel: FakeChannel,
  suite: string,
  skipped: readonly string[],
): Promise<void> {
  const { life } = machine;
  const tests: readonly FakeTest[] = machine.suites[suite] ?? [];
  const answers: string[] = [];
  let answered: (() => void) | null = null;
  channel.onLine((line) => {
    answers.push(line);
    answered?.();
  });
  channel.write(`KTAP version 1\n1..${tests.length}\n`);
  for (const [index, test] of tests.entries()) {
    if (life.signal.aborted) return;
    const number = index + 1;
    if (skipped.includes(test.id)) {
      channel.write(`ok ${number} ${test.id} # SKIP not run: excluded by caller\n`);
      continue;
    }
    if (test.act === 'oops-before-announcing') return machine.oops('peerlab_early');
    channel.write(`# test: ${test.id}\n`);
    if (test.proof !== undefined) channel.write(`# proof: ${JSON.stringify(test.proof)}\n`);
    await machine.programs.get(test.id)?.(channel);
    const output = test.output?.() ?? [];
    for (const line of output) channel.write(`${line}\n`);
    machine.onEvent({ type: 'test', suite, test: test.id, act: test.act, output });
    // The announcement leaves the machine before the test does its worst.
    await new Promise((resolve) => setTimeout(resolve, 20));
    if (life.signal.aborted) return;
    const conclude = (ok: boolean): void => {
      machine.onEvent({ type: 'result', suite, test: test.id, ok });
      channel.write(`${ok ? '' : 'not '}ok ${number} ${test.id}\n`);
    };
    switch (test.act) {
      case 'pass':
        conclude(true);
        break;
      case 'fail':
        channel.write('# expected 1, got 2\n');
        conclude(false);
        break;
      case 'skip':
        channel.write(`ok ${number} ${test.id} # SKIP kernel lacks it\n`);
        break;
      case 'warn':
        for (const line of [
          'WARNING: mm/hmm.c:300 at hmm_vma_walk_pmd+0x2a3/0x7c0, CPU#0: p2p/412',
          'Call Trace:',
          ' hmm_vma_walk_pmd+0x2a3/0x7c0',
          'BUG: KASAN: slab-use-after-free in p2pvram_map+0x1c4/0x2e0 [p2pvram]',
          'Read of size 8 at addr ffff888104a2c018 by task p2p/412',
          'Call Trace:\\x0a p2pvram_map+0x1c4/0x2e0 [p2pvram]',
        ])
          machine.printk(line);
        await new Promise((resolve) => setTimeout(resolve, 60));
        conclude(true);
        break;
      case 'oracle': {
        channel.write('@oracle read 0x10 4\n');
        await new Promise<void>((resolve) => {
          answered = resolve;
        });
        conclude(answers[0] === '4 5a5a5a5a');
        break;
      }
      case 'machine-check':
        return machine.machineCheck();
      case 'oops':
        return machine.oops('peerlab_broken');
      case 'exit':
        return channel.exit(139);
      case 'drop-link':
        test.act = 'pass';
        return machine.ssh.dropAll();
      case 'lose-network':
        return machine.goDown();
      case 'hang':
        return;
    }
  }
  channel.exit(tests.some((test) => test.act === 'fail') ? 1 : 0);
}
