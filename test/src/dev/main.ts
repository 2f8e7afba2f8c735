import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { DevelopmentFarm } from './development-farm.js';

const HELP = `npm run dev -- [options]

Serves the controller and the web UI on sample data. A change of the sources restarts the controller or reloads the
page. The data is new at each start and removed at the end.

  --port N   port of the web UI (default 5173; the next free one when it is taken)
`;

const root = join(dirname(fileURLToPath(import.meta.url)), '../../..');
const print = (line: string): void => void process.stdout.write(`${line}\n`);

function readPort(): number | 'help' {
  const { values } = parseArgs({
    options: { port: { type: 'string', default: '5173' }, help: { type: 'boolean', short: 'h', default: false } },
  });
  const port = Number(values.port);
  if (!/^\d{1,5}$/.test(values.port) || port > 65_535)
    throw new Error(`--port ${values.port}: expected a number from 0 to 65535`);
  return values.help ? 'help' : port;
}

async function serve(port: number): Promise<void> {
  const interrupted = new Promise<'interrupted'>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => resolve('interrupted'));
  });
  const farm = new DevelopmentFarm({ root, port, print });
  const started = farm.start();
  try {
    const first = await Promise.race([started, interrupted]);
    if (first !== 'interrupted') {
      print(`\nPeerlab with sample data is at ${first}\nCtrl-C stops it.\n`);
      await interrupted;
    }
  } finally {
    print('stopping …');
    // What is still starting would escape `stop`.
    await started.catch(() => undefined);
    await farm.stop();
  }
}

try {
  const port = readPort();
  if (port === 'help') print(HELP);
  else await serve(port);
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = 1;
}
process.exit();
