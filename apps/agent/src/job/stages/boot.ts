import { bootCandidate } from '../candidate-boot.js';
import { JobFailure } from '../failure.js';
import type { TestBench } from '../test-bench.js';

/** Boots the candidate and says how that went, as the farm's own result `farm/boot`. */
export async function boot(bench: TestBench): Promise<string> {
  const at = performance.now();
  const outcome = await bootCandidate(bench);
  const durationMs = performance.now() - at;
  const { manifest } = bench.work;
  if (outcome.kind === 'candidate') {
    const { booted } = outcome;
    if (!isProven(bench, booted.kernel)) return `${booted.kernel.release} came up`;
    bench.emitFarmResult('boot', {
      status: 'pass',
      reason: null,
      durationMs,
      signature: null,
      log: bench.serialRange(outcome.fromSeq),
    });
    return `${booted.kernel.release} came up`;
  }
  const log = bench.serialRange(outcome.fromSeq);
  switch (outcome.kind) {
    case 'crash':
      bench.emitFarmResult('boot', {
        status: 'crash',
        reason: 'the kernel crashed while it booted',
        durationMs,
        signature: outcome.signature,
        log,
      });
      throw new JobFailure(
        'kernel-crash',
        `${manifest.release} crashed while it booted: ${outcome.signature}`,
        outcome.signature,
      );
    case 'not-loaded': {
      const message = `GRUB could not load the image: ${outcome.message}`;
      bench.emitFarmResult('boot', { status: 'fail', reason: message, durationMs, signature: null, log });
      throw new JobFailure('provisioning', message);
    }
    case 'fell-back': {
      const message = `${manifest.release} did not come up: ${outcome.message}`;
      bench.emitFarmResult('boot', { status: 'fail', reason: message, durationMs, signature: null, log });
      throw new JobFailure('provisioning', message);
    }
    case 'hung': {
      const message = `${manifest.release} hung at boot: ${outcome.message}`;
      bench.emitFarmResult('boot', { status: 'timeout', reason: message, durationMs, signature: null, log });
      throw new JobFailure('provisioning', message);
    }
  }
}

/** Nonce and build-id are those of this attempt and this bundle. */
export function isProven(bench: TestBench, kernel: { nonce: string | null; buildId: string; bootId: string }): boolean {
  return (
    kernel.nonce === bench.work.nonce &&
    kernel.buildId === bench.work.manifest.buildId &&
    kernel.bootId !== bench.defaultKernel?.bootId
  );
}
