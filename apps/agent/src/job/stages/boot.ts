import { bootCandidate } from '../candidate-boot.js';
import { crashFailure, JobFailure } from '../failure.js';
import type { AttemptContext } from '../attempt-context.js';

/** Boots the candidate and says how that went, as the farm's own result `farm/boot`. */
export async function boot(context: AttemptContext): Promise<string> {
  const at = performance.now();
  const outcome = await bootCandidate(context);
  const durationMs = performance.now() - at;
  const { manifest } = context.work;
  if (outcome.kind === 'candidate') {
    const { booted } = outcome;
    if (!isProven(context, booted.kernel)) return `${booted.kernel.release} came up`;
    context.emitFarmResult('boot', {
      status: 'pass',
      reason: null,
      durationMs,
      signature: null,
      log: context.serialRange(outcome.fromSeq),
    });
    return `${booted.kernel.release} came up`;
  }
  const log = context.serialRange(outcome.fromSeq);
  switch (outcome.kind) {
    case 'crash': {
      const failure = crashFailure(
        `${manifest.release} crashed while it booted: ${outcome.signature}`,
        outcome.signature,
      );
      if (failure.failureClass !== 'kernel-crash') throw failure;
      context.emitFarmResult('boot', {
        status: 'crash',
        reason: 'the kernel crashed while it booted',
        durationMs,
        signature: outcome.signature,
        log,
      });
      throw failure;
    }
    case 'no-root': {
      const message = `${manifest.release} could not mount its file systems: ${outcome.message}`;
      if (!hasBootedConfig(context)) {
        throw new JobFailure(
          'infrastructure',
          `${message}; no kernel of this configuration has come up on ${context.machine.name} yet, so it may lack a driver that the disks of this machine need`,
        );
      }
      context.emitFarmResult('boot', { status: 'fail', reason: message, durationMs, signature: null, log });
      throw new JobFailure('provisioning', message);
    }
    case 'not-loaded': {
      const message = `${context.machine.boot.loader} could not load the image: ${outcome.message}`;
      context.emitFarmResult('boot', { status: 'fail', reason: message, durationMs, signature: null, log });
      throw new JobFailure('provisioning', message);
    }
    case 'not-trusted':
      throw untrustedFailure(context, outcome.message);
    case 'fell-back': {
      const message = `${manifest.release} did not come up: ${outcome.message}`;
      context.emitFarmResult('boot', { status: 'fail', reason: message, durationMs, signature: null, log });
      throw new JobFailure('provisioning', message);
    }
    case 'unreachable': {
      const message = `${manifest.release} reached user space ("${outcome.proof}") and never answered on the network: ${outcome.message}`;
      if (!hasBootedConfig(context)) {
        const { name } = context.machine;
        throw new JobFailure(
          'infrastructure',
          `${message}; no kernel of this configuration has come up on ${name} yet, so it may lack something that the network of this ` +
            `machine needs; boot the untouched base with it first, or a configuration that "peerlab machine configure ${name}" makes`,
        );
      }
      context.emitFarmResult('boot', { status: 'timeout', reason: message, durationMs, signature: null, log });
      throw new JobFailure('provisioning', message);
    }
    case 'hung': {
      const message = `${manifest.release} hung at boot: ${outcome.message}`;
      context.emitFarmResult('boot', { status: 'timeout', reason: message, durationMs, signature: null, log });
      throw new JobFailure('provisioning', message);
    }
  }
}

/** The signature is the site's, never the kernel's: nothing is known about the candidate. */
export function untrustedFailure({ machine, signsWith }: AttemptContext, message: string): JobFailure {
  const { loader } = machine.boot;
  const why =
    signsWith === null
      ? 'it was not signed, because nothing said that Secure Boot is on; mount efivarfs on the machine, so that the agent sees it'
      : `it was signed with ${signsWith.certificateFile}; look whether that certificate was revoked (dbx, mokutil --list-enrolled)`;
  return new JobFailure(
    'infrastructure',
    `${machine.name}: ${loader} refused the image for its signature: ${message}; ${why}`,
  );
}

/** A kernel of the same configuration came up here before: the machine's root and network need nothing else. */
const hasBootedConfig = (context: AttemptContext): boolean =>
  context.records?.read(context.machine.name).bootedConfigs.includes(context.work.manifest.config.sha256) ?? false;

/** Nonce and build-id are those of this attempt and this bundle. */
export function isProven(
  context: AttemptContext,
  kernel: { nonce: string | null; buildId: string; bootId: string },
): boolean {
  return (
    kernel.nonce === context.work.nonce &&
    kernel.buildId === context.work.manifest.buildId &&
    kernel.bootId !== context.defaultKernel?.bootId
  );
}
