import { describe, expect, it } from 'vitest';
import { AllowedHosts } from './allowed-hosts.js';
import { readHost } from './host-name.js';

const local = new AllowedHosts({ host: '127.0.0.1', hosts: [] });
const open = new AllowedHosts({ host: '0.0.0.0', hosts: ['farm.example', 'proxy.example:8443'] }, 'Lab7');

describe('hosts', () => {
  it('are read as browsers write them, and nothing else is one', () => {
    expect(readHost('LOCALHOST:7470')).toEqual({ name: 'localhost', port: 7470 });
    expect(readHost('farm.example.')).toEqual({ name: 'farm.example', port: null });
    expect(readHost('[0:0:0:0:0:0:0:1]:1')).toEqual({ name: '::1', port: 1 });
    const nonsense = [
      '',
      ' ',
      'a b',
      'a@b',
      'a/b',
      ':80',
      '[::1',
      '[:::]',
      'a:99999',
      'a:1:2',
      'http://a',
      'x'.repeat(300),
    ];
    for (const text of [...nonsense, 'é', '\u0000', '::1']) expect(readHost(text), text).toBeNull();
  });

  it('on loopback are loopback names alone, with any port, as tunnels have another', () => {
    for (const host of ['localhost', 'localhost:8080', '127.0.0.1:7470', '127.8.8.8', '[::1]:7470', 'LocalHost.']) {
      expect(local.allows(host), host).toBe(true);
    }
    const foreign = [
      'evil.example',
      'evil.example:7470',
      'localhost.evil.example',
      '127.0.0.1.evil.example',
      '10.0.0.1',
    ];
    for (const host of [undefined, '', ...foreign, 'lab7', 'a b']) expect(local.allows(host), host).toBe(false);
  });

  it('beyond loopback are every address, the own name, and the names that are configured', () => {
    const own = [
      '10.0.0.1:7470',
      '[fe80::1]',
      'lab7',
      'farm.example:7470',
      'FARM.example',
      'proxy.example',
      'localhost',
    ];
    for (const host of own) expect(open.allows(host), host).toBe(true);
    for (const host of ['evil.example', 'farm.example.evil', '1.2.3']) expect(open.allows(host), host).toBe(false);
  });
});

describe('origins that may open a channel', () => {
  it('are the host and port of the request; none is sent by programs', () => {
    expect(local.allowsOrigin(undefined, '127.0.0.1:7470')).toBe(true);
    expect(local.allowsOrigin('http://127.0.0.1:7470', '127.0.0.1:7470')).toBe(true);
    expect(local.allowsOrigin('http://[::1]:7470', '[::1]:7470')).toBe(true);
    expect(open.allowsOrigin('https://farm.example', 'farm.example')).toBe(true);
    expect(open.allowsOrigin('https://farm.example', 'farm.example:443')).toBe(true);
  });

  it('are not those of another port, another name, or none at all', () => {
    expect(local.allowsOrigin('http://localhost:5173', '127.0.0.1:7470')).toBe(false);
    expect(local.allowsOrigin('http://localhost:9999', 'localhost:7470')).toBe(false);
    expect(local.allowsOrigin('http://localhost:1', 'a b')).toBe(false);
    for (const origin of ['null', '', 'http://', 'http://a b', 'file://', 'https://evil.example', 'localhost:7470']) {
      expect(local.allowsOrigin(origin, 'localhost:7470'), origin).toBe(false);
    }
  });

  it('behind a proxy that changes the host are the configured ones, with their port', () => {
    expect(open.allowsOrigin('https://farm.example', '127.0.0.1:7470')).toBe(true);
    expect(open.allowsOrigin('https://proxy.example:8443', '127.0.0.1:7470')).toBe(true);
    expect(open.allowsOrigin('https://proxy.example', '127.0.0.1:7470')).toBe(false);
    expect(open.allowsOrigin('https://farm.example:9999', '127.0.0.1:7470')).toBe(false);
  });
});
