import { runSchedule } from './run-schedule.js';
import { FaultFarm } from './fault-farm.js';
import { describeMoment, makeLongSchedule, makeSchedule, type Schedule } from './schedule.js';

/** What a worker is told at its start. */
export interface Order {
  /** null = as fast as this computer can follow. */
  rate: number | null;
  /** Virtual; null = the short schedules. */
  minutes: number | null;
  /** Print each schedule before it happens. */
  show: boolean;
}

/** Runs the schedules whose seeds its parent sends, on one farm while all goes well. */
async function work(order: Order): Promise<void> {
  let farm: FaultFarm | null = null;
  try {
    for (let seed = await nextSeed({}); seed !== null; ) {
      const schedule = order.minutes === null ? makeSchedule(seed) : makeLongSchedule(seed, order.minutes * 60_000);
      if (order.show) show(schedule);
      farm ??= await FaultFarm.start(order.rate);
      const outcome = await runSchedule(farm, schedule);
      if (outcome.findings.length > 0) {
        // What went wrong may stay wrong: the next schedule gets a new farm.
        await farm.stop({ keep: true });
        farm = null;
      }
      seed = await nextSeed({ outcome });
    }
  } finally {
    await farm?.stop();
  }
}

function nextSeed(news: object): Promise<number | null> {
  return new Promise((resolve) => {
    const settle = (seed: number | null): void => {
      process.off('disconnect', orphaned);
      process.off('message', told);
      resolve(seed);
    };
    // Without its parent no more seeds come.
    const orphaned = (): void => settle(null);
    const told = ({ seed }: { seed: number | null }): void => settle(seed);
    process.once('disconnect', orphaned);
    process.once('message', told);
    if (process.connected) process.send?.(news);
    else settle(null);
  });
}

function show({ seed, faults, machines, controllers, agentDrift }: Schedule): void {
  const lines = [
    `seed ${seed}: ${controllers} controllers, agent's clock ${agentDrift}`,
    ...faults.map(({ when, fault }) => `  ${describeMoment(when)}: ${JSON.stringify(fault)}`),
    ...Object.entries(machines).map(
      ([name, { boots, tests }]) =>
        `  ${name}: boots ${boots.join(', ')}; tests ${tests.map(({ act }) => act).join(', ')}`,
    ),
  ];
  process.stderr.write(`${lines.join('\n')}\n`);
}

// On an interruption the schedule ends first, so that its processes and folders are removed.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => undefined);
await work(JSON.parse(process.argv[2] ?? '{}') as Order);
if (process.connected) process.disconnect?.();
