import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { peerFactsScript } from './meet-peers.js';

const run = (
  link: Parameters<typeof peerFactsScript>[0],
): { lines: string[]; status: number | null; stderr: string } => {
  const { stdout, stderr, status } = spawnSync('sh', ['-c', peerFactsScript(link)], { encoding: 'utf8' });
  return { lines: stdout.trim().split('\n'), status, stderr };
};

it('a real shell tells the kernel, the link and its address', () => {
  const { lines, status } = run({ device: 'lo' });
  expect(status).toBe(0);
  expect(lines[0]).toMatch(/^\d+\.\d+/);
  expect(lines[1]).toBe('link lo');
  expect(run(null)).toMatchObject({ lines: [lines[0]], status: 0 });
});

it('a link that is not there is an error that names it, and no name is run as a command', () => {
  expect(run({ device: 'gone0' })).toMatchObject({
    status: 1,
    stderr: expect.stringContaining('no network device gone0'),
  });
  const absent = '02:00:00:00:00:fe';
  expect(run({ mac: absent })).toMatchObject({
    status: 1,
    stderr: expect.stringContaining(`no network device with the address ${absent}`),
  });
  expect(run({ device: '$(echo lo)' })).toMatchObject({ status: 1, stderr: expect.stringContaining('$(echo lo)') });
});
