import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestFarm } from '../testing/farm.js';
import { badgeText, renderBadge } from './badge.js';

describe('a badge', () => {
  it('says verdict and counts, worst first, and what runs', () => {
    const counts = { pass: 61, skip: 4, crash: 2 };
    const ended = { state: 'ended', jobs: { total: 1, ended: 1 }, progress: null } as const;
    expect(badgeText({ ...ended, verdict: 'crash', counts })).toBe('✸ crash · 2 crash · 61 pass');
    const progress = { running: 1, reported: 1, planned: 4, obstacle: null };
    expect(badgeText({ ...ended, state: 'running', verdict: null, counts: { pass: 1 }, progress })).toBe(
      '◐ running, 1 of 4, no failure so far',
    );
    expect(badgeText({ ...ended, verdict: 'no-result', counts: { 'no-result': 1, pass: 3 } })).toBe(
      '∅ no result · 1 no result · 3 pass',
    );
    expect(badgeText({ ...ended, verdict: null, counts: {} })).toBe('– no verdict');
  });

  it('names the commit that was built, where it is one', () => {
    const jobs = { total: 1, ended: 1 };
    const run = { name: 'r', state: 'ended', verdict: 'pass', counts: { pass: 3 }, jobs, progress: null } as const;
    const [one, two] = ['a'.repeat(40), 'b'.repeat(40)];
    expect(renderBadge(run, [one])).toContain('✓ pass · 3 pass · aaaaaaaaaaaa</text>');
    expect(renderBadge(run, [one])).toContain(`<title>r: ✓ pass · 3 pass, commit ${one}</title>`);
    expect(renderBadge(run, [one, two])).toContain('✓ pass · 3 pass</text>');
    expect(renderBadge(run, [one, two])).toContain(`commit ${one}, commit ${two}</title>`);
  });

  it('keeps a name that would be markup text, and leaves out what XML forbids', () => {
    const name = '"><script>alert(1)</script>\u0000\u001b[31m&';
    const jobs = { total: 1, ended: 1 };
    const svg = renderBadge({ name, state: 'ended', verdict: 'pass', counts: { pass: 3 }, jobs, progress: null });
    expect(svg).not.toContain('<script');
    expect(svg).toContain('&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;[31m&amp;: ✓ pass · 3 pass');
    expect(svg).not.toMatch(/[\u0000-\u001f]/);
  });
});

describe('the route', () => {
  let farm: TestFarm;
  beforeAll(async () => {
    farm = await TestFarm.start();
  });
  afterAll(() => farm.stop());

  it('answers a picture under a policy of its own, and 304 to who has it', async () => {
    const agent = await farm.agent({ m1: 'BUS_ADDR' });
    const { manifest } = await farm.bundle('badge');
    const yaml = `name: x <y>\nbuilds: [{name: b, bundle: ${manifest.key}}]\n`;
    const { id: run } = await farm.call('submitRun', { body: { yaml } });
    const first = await farm.request('getBadge', { params: { run } }, null);
    expect(first.headers.get('content-type')).toBe('image/svg+xml; charset=utf-8');
    expect(first.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(await first.text()).toContain('x &lt;y&gt;');
    const url = `${farm.server.url}/api/v1/runs/${run}/badge.svg`;
    let etag = '';
    // The picture changes when the run begins.
    await farm.until('304', async () => {
      etag = (await fetch(url)).headers.get('etag') ?? '';
      return (await fetch(url, { headers: { 'if-none-match': etag } })).status === 304;
    });
    await farm.call('cancelRun', { params: { run } });
    agent.vanish();
    await farm.sql.run(`update run set state = 'ended', verdict = 'canceled' where id = $1`, [run]);
    expect((await fetch(url, { headers: { 'if-none-match': etag } })).status).toBe(200);
    const nobody = await fetch(`${farm.server.url}/api/v1/runs/00000000-0000-4000-8000-000000000000/badge.svg`);
    expect(nobody.status).toBe(404);
  });
});
