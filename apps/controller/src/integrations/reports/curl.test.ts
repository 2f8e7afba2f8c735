import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { HookAnswer } from '@peerlab/contracts';
import { expect, it } from 'vitest';
import { loadSettings } from '../../platform/config.js';
import { FakeForge } from '../../testing/fake-forge.js';
import { TestFarm } from '../../testing/farm.js';
import { TREE_CATALOGUE, TREE_TEMPLATE } from '../../testing/hooks.js';
import { sampleManifest, sampleResult } from '../../testing/samples.js';

const PAYLOAD = new URL('../fixtures/github/pull_request-opened.json', import.meta.url).pathname;
/** The head of the payload. */
const COMMIT = 'ec26c3e57ca3a959ca5aad62de7213c562f8c821';
const DELIVER = `
signature=$(openssl dgst -sha256 -hmac "$(cat "$2")" -r "$1" | cut -d' ' -f1)
curl -sS --data-binary @"$1" -H 'content-type: application/json' -H 'X-GitHub-Event: pull_request' \\
  -H 'X-GitHub-Delivery: 72d3162e-cc78-11e3-81ab-4c9367dc0958' -H "X-Hub-Signature-256: sha256=$signature" "$3"`;

it('a pull request that GitHub sent, delivered by curl, becomes a check that names the built commit', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'curl-'));
  const forge = await FakeForge.start();
  await writeFile(join(folder, 'tree.yaml'), TREE_TEMPLATE);
  await writeFile(join(folder, 'secret'), 'the secret of the hook');
  await writeFile(join(folder, 'token'), 'the-token');
  const hooksFile = join(folder, 'hooks.yaml');
  const report = `{api: '${forge.api.href}', tokenFile: token}`;
  const rule = '{repository: Codertocat/Hello-World, branches: [master], template: tree}';
  await writeFile(
    hooksFile,
    `url: https://farm.example\nhooks: [{name: hello, kind: github, secretFile: secret, rules: [${rule}], report: ${report}}]\n`,
  );
  const { hooks } = loadSettings({ PEERLAB_HOOKS_FILE: hooksFile }, null);
  const farm = await TestFarm.start({ templatesDir: folder, hooks });
  const agent = await farm.agent({ m1: 'BUS_ADDR' }, { buildSlots: 1, catalogue: TREE_CATALOGUE });
  try {
    const address = `${farm.server.url}/api/v1/hooks/hello`;
    const words = ['-c', DELIVER, 'sh', PAYLOAD, join(folder, 'secret'), address];
    const { stdout } = await promisify(execFile)('sh', words);
    const { status, runId } = HookAnswer.parse(JSON.parse(stdout));
    expect(status).toBe('started');

    const build = await agent.take('build');
    expect(build.work).toMatchObject({ source: { git: { ref: COMMIT } } });
    const content = Buffer.from('a bundle of the commit');
    const sha256 = createHash('sha256').update(content).digest('hex');
    await farm.upload(sha256, content);
    const bundle = { sha256, sizeBytes: content.length };
    await agent.events(
      build,
      0,
      { type: 'build-progress', percent: 0, text: 'fetched', commit: COMMIT },
      { type: 'built', manifest: sampleManifest('pushed'), bundle, cached: false },
      { type: 'finished', failure: null, restored: true, lineCounts: {} },
    );
    const test = await agent.take('test');
    await agent.events(
      test,
      0,
      { type: 'result', result: sampleResult('farm', 'boot') },
      { type: 'finished', failure: null, restored: true, lineCounts: {} },
    );
    const last = await farm.until(
      'the last status',
      () => forge.statuses.at(-1),
      (told) => told?.['state'] !== undefined && told['state'] !== 'pending',
    );
    const run = await farm.call('getRun', { params: { run: runId ?? '' } });
    expect(last).toMatchObject({
      commit: COMMIT,
      context: 'peerlab/tree',
      target_url: `https://farm.example/runs/${runId}`,
      state: run.verdict === 'pass' ? 'success' : 'failure',
    });
    expect(JSON.parse(await readFile(PAYLOAD, 'utf8'))).toMatchObject({ pull_request: { head: { sha: COMMIT } } });
  } finally {
    agent.vanish();
    await farm.stop();
    await forge.stop();
    await rm(folder, { recursive: true });
  }
});
