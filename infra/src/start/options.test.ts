import { describe, expect, it } from 'vitest';
import { readOptions, UsageError } from './options.js';

const read = (...argv: string[]) => {
  const options = readOptions(argv, { HOME: '/home/u', PEERLAB_STATE: '/s' }, '/repo');
  if (options === 'help') throw new Error('help');
  return options;
};

describe('readOptions', () => {
  it('runs the example by default', () => {
    expect(read()).toMatchObject({
      once: false,
      jsonFile: null,
      runFile: '/repo/infra/runs/example.yaml',
      port: 7470,
      machines: [],
      repositories: [],
    });
  });
  it('takes a bare name for a bundled run and a path for a file', () => {
    expect(read('--run', 'before-after').runFile).toBe('/repo/infra/runs/before-after.yaml');
    expect(read('--run', '/tmp/x.yaml').runFile).toBe('/tmp/x.yaml');
    expect(read('--no-run').runFile).toBeNull();
  });
  it('brings up named machines, or all, and limits how many are under test', () => {
    expect(read('--machines', 'all').machines).toEqual(['all']);
    expect(read('--machines', 'v-switch,v-bridge').machines).toEqual(['v-switch', 'v-bridge']);
    expect(read('--test-slots', '1').testSlots).toBe(1);
    expect(read().testSlots).toBeGreaterThan(1);
    expect(() => read('--test-slots', '0')).toThrow(/--test-slots 0: expected a number/);
  });
  it('starts one agent, or as many as it is told', () => {
    expect(read().agents).toBe(1);
    expect(read('--agents', '2').agents).toBe(2);
    expect(() => read('--agents', 'two')).toThrow(/--agents two: expected a number/);
  });
  it('takes repositories that builds may name', () => {
    expect(read('--repositories', 'https://a/x,git://b/y').repositories).toEqual(['https://a/x', 'git://b/y']);
  });
  it('names the option that is wrong', () => {
    expect(() => read('--port', 'http')).toThrow(/--port http: expected a port/);
    expect(() => read('--onse')).toThrow(UsageError);
  });
});
