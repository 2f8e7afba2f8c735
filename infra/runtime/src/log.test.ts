import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

import { expect, test } from 'vitest';

const execute = promisify(execFile);
const module = new URL('../dist/log.js', import.meta.url).href;

/** Runs `body` in a process of its own, with its stderr sent to `target`; answers what it printed. */
async function run(body: string, target: string): Promise<string> {
  const script = `import { log } from ${JSON.stringify(module)}; ${body}`;
  const shell = `exec "$0" --input-type=module -e "$1" 2>${target}`;
  const { stdout } = await execute('sh', ['-c', shell, process.execPath, script]);
  return stdout;
}

test('a program whose log cannot be written goes on', async () => {
  const body = `
    for (let n = 0; n < 5000; n++) log.error({ n, text: 'x'.repeat(1000) }, 'not-written');
    console.log('went on');`;
  await expect(run(body, '/dev/full')).resolves.toBe('went on\n');
});

test('lines are written at once, one JSON object each', async () => {
  const body = "log.setBindings({ program: 'p' }); log.warn({ machine: 'm' }, 'lease-expired'); process.exit(0)";
  const written = JSON.parse(await run(body, '&1')) as unknown;
  expect(written).toMatchObject({ level: 'warn', event: 'lease-expired', program: 'p', machine: 'm' });
});

test('of an error stand its texts and plain facts, and nothing of what it holds', async () => {
  const body = `
    const err = new Error('lost', { cause: new AggregateError([new Error('refused')], 'no way') });
    Object.assign(err, { code: '57P01', length: 116, client: { password: 'secret' }, text: 'x'.repeat(20_000) });
    log.warn({ err }, 'database-connection-lost');`;
  const written = await run(body, '&1');
  expect(written).not.toContain('secret');
  const { err } = JSON.parse(written) as { err: Record<string, unknown> };
  expect(err).toMatchObject({
    type: 'Error',
    message: 'lost',
    code: '57P01',
    length: 116,
    cause: { type: 'AggregateError', message: 'no way', errors: [{ message: 'refused' }] },
  });
  expect(err['stack']).toContain('lost');
  expect(String(err['text']).length).toBe(10_001);
});
