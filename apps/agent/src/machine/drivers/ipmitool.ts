import { runProgram } from '@peerlab/runtime';
import type { IpmiBmc } from '../bmc.js';
import { MachineError } from '../errors.js';

/** One command; a BMC answers within seconds or is busy with its own start. */
const COMMAND_MS = 45_000;
/** Cipher suite 17 is the newest; older BMCs refuse it, and 3 is what all have. */
const CIPHER_SUITES = [17, 3];
const MESSAGE_MAX = 300;

/** BMCs for which 17 did not work, so that it is not tried every time. */
const working = new Map<string, number>();

const keyOf = (bmc: IpmiBmc): string => `${bmc.host}:${bmc.port}`;

/** Arguments for `ipmitool` that lead to a BMC; the password is in a file. */
export function ipmitoolArguments(bmc: IpmiBmc, cipherSuite: number): string[] {
  const { host, port, user, passwordFile, privilege } = bmc;
  const session = ['-I', 'lanplus', '-H', host, '-p', String(port), '-U', user, '-f', passwordFile];
  session.push('-L', privilege.toUpperCase());
  return [...session, '-C', String(cipherSuite), '-N', '3', '-R', '3'];
}

/** The cipher suites to try, the one that worked last first. */
export function cipherSuitesFor(bmc: IpmiBmc): number[] {
  if (bmc.cipherSuite !== undefined) return [bmc.cipherSuite];
  const known = working.get(keyOf(bmc));
  return known === undefined ? CIPHER_SUITES : [known, ...CIPHER_SUITES.filter((suite) => suite !== known)];
}

export function rememberCipherSuite(bmc: IpmiBmc, cipherSuite: number): void {
  working.set(keyOf(bmc), cipherSuite);
}

/**
 * Runs one command of a BMC by `ipmitool`.
 * @returns what it printed
 * @throws MachineError('power') with the remedy
 */
export async function runIpmitool(bmc: IpmiBmc, command: readonly string[], signal?: AbortSignal): Promise<string> {
  let last = '';
  for (const cipherSuite of cipherSuitesFor(bmc)) {
    const result = await runProgram('ipmitool', [...ipmitoolArguments(bmc, cipherSuite), ...command], {
      timeoutMs: COMMAND_MS,
      env: { PATH: process.env['PATH'], LC_ALL: 'C', HOME: '/nonexistent' },
      ...(signal === undefined ? {} : { signal }),
    }).catch((error: unknown) => {
      signal?.throwIfAborted();
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
        throw new MachineError(
          'power',
          'ipmitool is not installed',
          'install the package ipmitool on the agent’s computer',
        );
      }
      throw new MachineError('power', `BMC ${keyOf(bmc)}: ${(error as Error).message}`, remedyOf(bmc, ''), error);
    });
    if (result.code === 0) {
      rememberCipherSuite(bmc, cipherSuite);
      return result.stdout;
    }
    last = result.stderr.trim().slice(-MESSAGE_MAX) || `exit ${result.code ?? 'by a signal'}`;
    // Only a session that could not be opened may be due to the cipher suite.
    if (!/session|cipher|authentication/i.test(last)) break;
  }
  throw new MachineError(
    'power',
    `BMC ${keyOf(bmc)}, ${command.join(' ')}: ${last.replaceAll('\n', ' ')}`,
    remedyOf(bmc, last),
  );
}

function remedyOf(bmc: IpmiBmc, message: string): string {
  if (/privilege|insufficient|role/i.test(message)) {
    return bmc.privilege === 'administrator'
      ? `for a user that is an operator only, write privilege: operator at this BMC`
      : `give the user ${bmc.user} the right to do this, or write privilege: administrator at this BMC`;
  }
  if (/password|RAKP 2|unauthorized/i.test(message)) return `check user and ${bmc.passwordFile}`;
  return `check that the BMC answers at ${keyOf(bmc)}, that IPMI over LAN is on, and user and ${bmc.passwordFile}`;
}
