import { readFileSync } from 'node:fs';
import { RunFile } from '@peerlab/contracts';
import { COMMANDS } from '@peerlab/cli';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { readOptions } from '../../../infra/src/start/options.js';

const read = (name: string): string => readFileSync(new URL(`../../../infra/ci/${name}`, import.meta.url), 'utf8');
const ROOT = new URL('../../..', import.meta.url).pathname;
const SCRIPTS = (
  JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as { scripts: object }
).scripts;

interface Step {
  run?: string;
  uses?: string;
}
interface GithubJob {
  steps: Step[];
  'timeout-minutes': number;
}
interface GitlabJob {
  script: string[];
}

/** The shell lines of an example. */
function linesOf(name: string): string[] {
  const value = parse(read(name)) as { jobs?: Record<string, GithubJob> } & Record<string, GitlabJob>;
  const jobs = value.jobs === undefined ? Object.values(value as Record<string, GitlabJob>) : Object.values(value.jobs);
  const scripts = jobs.flatMap((job) => ('steps' in job ? job.steps.flatMap(({ run }) => run ?? []) : job.script));
  return scripts.flatMap((script) => script.split('\n')).map((line) => line.trim());
}

const EXAMPLES = ['github-farm.yml', 'github-virtual-lab.yml', 'gitlab-ci.yml'];

describe.each(EXAMPLES)('%s', (name) => {
  it('parses, and each of its jobs does something', () => {
    expect(linesOf(name).length).toBeGreaterThan(2);
    expect(parse(read(name), { uniqueKeys: true })).toBeTypeOf('object');
  });

  it('uses commands and options that exist', () => {
    let found = 0;
    for (const line of linesOf(name)) {
      const [, start] = /npm start -- (.*)$/.exec(line) ?? [];
      if (start !== undefined) {
        const options = readOptions(start.replaceAll('"', '').split(' '), {}, ROOT);
        if (options === 'help' || options.runFile === null) throw new Error(`${line} submits nothing`);
        expect(readFileSync(options.runFile, 'utf8')).toContain('builds:');
        expect(options.once).toBe(true);
        found += 1;
      }
      const [, words] = /apps\/cli\/dist\/main\.js (.*)$/.exec(line) ?? [];
      if (words !== undefined) {
        const [command = '', ...rest] = words.split(' ');
        const known = COMMANDS.find(({ usage }) => usage.split(' ')[0] === command);
        const flags = Object.values(known?.options ?? {}).map((spec) => spec.flags.split(' ')[0]);
        const used = rest.filter((word) => word.startsWith('--'));
        expect(used.length).toBeGreaterThan(0);
        for (const flag of used) expect(flags).toContain(flag);
        found += 1;
      }
      for (const [, script = ''] of line.matchAll(/npm run ([\w:]+)/g)) expect(Object.keys(SCRIPTS)).toContain(script);
    }
    expect(found).toBeGreaterThan(0);
  });
});

it('the run file is one, when a job has written its commit into it', () => {
  const file = RunFile.parse(parse(read('run.yaml').replaceAll('COMMIT', 'a'.repeat(40))));
  expect(file.builds[0]?.git?.ref).toBe('a'.repeat(40));
});
