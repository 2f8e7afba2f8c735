import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { GenericHook, RunSpec } from '@peerlab/contracts';
import { describe, expect, it } from 'vitest';

const SOURCES = fileURLToPath(new URL('../../../apps/controller/src', import.meta.url));

/** Ways to open a connection to an address from outside. */
const CLIENTS = [
  /\bfetch\(/,
  // `isIP` only looks at a text.
  /^import (?!type)(?!\{ isIP(?:v[46])?(?:, isIPv6)? \}).* from 'node:(https|net|tls|dgram|dns)(\/promises)?'/m,
  /\bimport .*\brequest\b.* from 'node:http'/,
  /from '(undici|axios|got|node-fetch)'/,
  /new WebSocket\(/,
];

/** Calls the forges of the hooks file: no redirect, no address of a payload (its own test: forge-client.test.ts). */
const FORGE_CLIENT = 'integrations/reports/forge-client.ts';

describe('a controller cannot be made to open connections', () => {
  it('beside its database it calls the forges of the hooks file, from one place', () => {
    const files = readdirSync(SOURCES, { recursive: true, encoding: 'utf8' }).filter(
      (name) => name.endsWith('.ts') && !name.endsWith('.test.ts') && !name.startsWith('testing/'),
    );
    expect(files.length).toBeGreaterThan(50);
    const found = files.flatMap((name) => {
      const text = readFileSync(join(SOURCES, name), 'utf8');
      return CLIENTS.filter((client) => client.test(text)).map((client) => `${name}: ${client.source}`);
    });
    expect(new Set(found.map((line) => line.split(':')[0]))).toEqual(new Set([FORGE_CLIENT]));
  });

  it('neither a webhook nor a run may name an address to call', () => {
    const hook = { template: 'nightly', callback: 'http://169.254.169.254/latest/meta-data' };
    expect(GenericHook.safeParse({ template: 'nightly' }).success).toBe(true);
    expect(GenericHook.safeParse(hook).success).toBe(false);
    const run = { name: 'x', builds: [{ name: 'patched', series: ['bundled'] }] };
    expect(RunSpec.safeParse(run).success).toBe(true);
    expect(RunSpec.safeParse({ ...run, notify: 'http://localhost:5432' }).success).toBe(false);
    const series = [{ url: 'file:///etc/passwd' }];
    expect(RunSpec.safeParse({ ...run, builds: [{ name: 'patched', series }] }).success).toBe(false);
  });
});
