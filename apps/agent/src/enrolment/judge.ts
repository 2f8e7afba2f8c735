import type { Inventory, MachineCheck } from '@peerlab/contracts';
import { whyOtherMachine } from '../job/stages/prepare.js';
import { type BootPolicy, judgeBootPolicy } from '../job/boot-policy.js';
import type { Machine } from '../machine/protocols.js';
import { check, refusal } from './check.js';
import {
  account,
  type Asked,
  clock,
  devices,
  kdump,
  modules,
  mounts,
  root,
  space,
  tools,
  upgrades,
  watchdogs,
} from './fact-checks.js';
import type { MachineFacts } from './facts.js';

export interface LookedAt {
  facts: MachineFacts;
  inventory: Inventory;
  bootPolicy: BootPolicy;
  /** Why one-shot boot is not safe, with the remedy; null when it is. `not-asked` = asking writes to the machine. */
  loaderProblem: string | null;
  machine: Pick<Machine, 'name' | 'kernelArguments' | 'signer' | 'drivers'> & {
    initramfs: { tool: string } | null;
    boot: Pick<Machine['boot'], 'loader' | 'trusts'>;
  };
  /** null = none is configured. `problem` null = it is recorded; `not-looked-at` = the running agent has it. */
  console: { problem: string | null } | 'not-looked-at' | null;
  /** What the console cannot show of a boot; null = it shows all. */
  consoleCaveat: string | null;
  /** What each way to its power said, in the order of the config; empty = none is configured. `name` null = it is the only one. */
  power: readonly { name: string | null; said: { state: string } | { problem: string } }[];
  /** The watchdog of the config: who else uses it, null = nobody; null = none is configured. */
  watchdog: { name: string; said: { user: string | null } | { problem: string } } | null;
  asked: Asked;
}

function consoleCheck({ console, consoleCaveat }: LookedAt): MachineCheck {
  if (console === null) {
    return check(
      'console',
      'warn',
      'none is configured: crashes have no text, and a kernel that does not come up cannot be told from one that was not loaded',
      'configure console: for it (sol, tcp, command or file)',
    );
  }
  if (console !== 'not-looked-at' && console.problem !== null)
    return check(
      'console',
      'fail',
      `it is not recorded: ${console.problem}`,
      'end other sessions on it, or correct console:',
    );
  const recorded =
    console === 'not-looked-at'
      ? 'one is configured; the running agent records it, and says on the page of the machine when it cannot'
      : 'it is recorded';
  if (consoleCaveat === null) return check('console', 'pass', recorded);
  return check(
    'console',
    'warn',
    `${recorded}; ${consoleCaveat}`,
    'where the machine has a serial port, configure that instead (sol, tcp, conserver, command or file)',
  );
}

function powerChecks({ power: ways }: LookedAt): MachineCheck[] {
  if (ways.length === 0)
    return [
      check(
        'power',
        'warn',
        'none is configured: a machine that hangs waits for a person',
        'configure power: for it (ipmi, redfish or command)',
      ),
    ];
  return ways.map(({ name, said }, index): MachineCheck => {
    const what = name === null ? 'power' : `power-${index + 1}`;
    if ('problem' in said) return refusal(what, 'fail', said.problem);
    const driver = name === null ? 'its power driver' : name;
    if (said.state === 'on') return check(what, 'pass', `${driver} sees it switched on`);
    return check(
      what,
      'fail',
      `${driver} says "${said.state}" of a machine that answers`,
      'correct power: in the config, it may speak to another machine',
    );
  });
}

/** The one that the config names, wherever it is; `watchdogs` is about what the machine itself runs. */
function configuredWatchdog({ watchdog }: LookedAt): MachineCheck[] {
  if (watchdog === null) return [];
  const { name, said } = watchdog;
  if ('problem' in said) return [refusal('watchdog-driver', 'fail', `${name}: ${said.problem}`)];
  if (said.user === null) return [check('watchdog-driver', 'pass', `${name} is there, and nothing else uses it`)];
  const remedy = 'stop that, or take watchdog: out of the config; a job would refuse the machine';
  return [check('watchdog-driver', 'fail', `${name} is used by something else: ${said.user}`, remedy)];
}

function loaderChecks({ machine, loaderProblem }: LookedAt): MachineCheck[] {
  if (loaderProblem === 'not-asked') return [];
  if (loaderProblem !== null) return [refusal('boot-loader', 'fail', loaderProblem)];
  return [check('boot-loader', 'pass', `${machine.boot.loader} can boot another kernel once`)];
}

function secureBoot({ bootPolicy, machine, inventory }: LookedAt): MachineCheck {
  const permission = judgeBootPolicy(bootPolicy, machine, inventory.kernel.commandLine);
  switch (permission.kind) {
    case 'refused':
      return check('secure-boot', 'fail', permission.why, permission.remedy);
    case 'signed':
      return check('secure-boot', 'pass', `${permission.why}; kernels under test are signed with it`);
    case 'unsigned':
      return permission.isSure
        ? check('secure-boot', 'pass', permission.why)
        : check('secure-boot', 'warn', permission.why, 'mount efivarfs at /sys/firmware/efi/efivars');
  }
}

/** Every check that changes nothing, in the order in which a person would mend them. */
export function judge(seen: LookedAt): MachineCheck[] {
  const { facts, inventory, machine } = seen;
  const lacking = whyOtherMachine(machine, inventory.kernel.commandLine);
  return [
    account(facts),
    tools(facts),
    space(facts),
    mounts(facts),
    secureBoot(seen),
    ...loaderChecks(seen),
    root(facts, inventory.kernel.commandLine, machine.initramfs?.tool ?? null),
    lacking === null
      ? check('kernel-arguments', 'pass', 'the default kernel runs with the arguments that the config asks for')
      : refusal('kernel-arguments', 'fail', lacking),
    consoleCheck(seen),
    ...powerChecks(seen),
    watchdogs(facts),
    ...configuredWatchdog(seen),
    kdump(facts),
    upgrades(facts),
    modules(facts, machine.drivers),
    clock(facts, seen.asked),
    ...devices(inventory),
  ];
}
