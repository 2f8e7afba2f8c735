import { readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { SpoolDisk } from '@peerlab/agent/spool';
import { measureDispatch } from './dispatch.js';
import { BenchFarm } from './farm.js';
import { sampleLine } from './ingest.js';
import { SpoolPath } from './spool.js';

const MIB = 1024 ** 2;
/** The log is far larger than the spool may be. */
const SPOOL_BYTES = 64 * MIB;
const CHUNK_LINES = 500;
const LINE_BYTES = Buffer.byteLength(`${sampleLine(5_000_000)}\n`);

/**
 * One log of a gigabyte (`--mib N`) from the bytes of a console into Postgres, with a spool of 64 MiB. Prints the
 * resident memory of both processes on the way, the most bytes that the spool took, and the rate. Fails when a
 * line is missing.
 */
async function main(): Promise<void> {
  const { values } = parseArgs({ options: { mib: { type: 'string', default: '1024' } } });
  const bytes = Number(values.mib) * MIB;
  const farm = await BenchFarm.start();
  const interrupted = (): void => void farm.stop().finally(() => process.exit(130));
  process.once('SIGINT', interrupted);
  process.once('SIGTERM', interrupted);
  try {
    const { agent, running } = await measureDispatch(farm, { single: 1, burst: 1 });
    const path = await SpoolPath.open(agent, running, new SpoolDisk({ maxBytes: SPOOL_BYTES, holdMs: 3_600_000 }));
    const start = performance.now();
    const lines = Math.ceil(bytes / LINE_BYTES / CHUNK_LINES) * CHUNK_LINES;
    let [sent, most, next] = [0, 0, 0];
    const produce = async (): Promise<void> => {
      for (let from = 0; from < lines; from += CHUNK_LINES) {
        const text = Array.from({ length: CHUNK_LINES }, (_, index) => `${sampleLine(from + index)}\n`).join('');
        const chunk = Buffer.from(text);
        sent += chunk.length;
        await path.take(chunk);
        await delay(0);
        most = Math.max(most, path.disk.usedBytes);
        if (sent < next) continue;
        say(sent, farm.controllerPid, path.disk.usedBytes);
        next += bytes / 8;
      }
    };
    await Promise.all([path.until(lines), produce()]);
    const seconds = (performance.now() - start) / 1000;
    say(sent, farm.controllerPid, path.disk.usedBytes);
    const stored = await path.stored(farm);
    await path.close();
    if (stored.lines !== lines || stored.missing !== 0)
      throw new Error(`stored ${JSON.stringify(stored)} of ${lines} lines`);
    process.stdout.write(
      `${lines} lines, ${Math.round(sent / MIB)} MiB in ${seconds.toFixed(0)} s: ${Math.round(lines / seconds)} lines/s; ` +
        `the spool took ${(most / MIB).toFixed(1)} of ${SPOOL_BYTES / MIB} MiB; nothing is missing\n`,
    );
  } finally {
    await farm.stop();
  }
}

function say(sent: number, controller: number, spool: number): void {
  const status = readFileSync(`/proc/${controller}/status`, 'utf8');
  const kib = Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0);
  const mine = process.memoryUsage();
  process.stdout.write(
    `${String(Math.round(sent / MIB)).padStart(5)} MiB: agent ${Math.round(mine.rss / MIB)} MiB (heap ${Math.round(mine.heapUsed / MIB)}), ` +
      `controller ${Math.round(kib / 1024)} MiB, spool ${(spool / MIB).toFixed(1)} MiB\n`,
  );
}

await main();
