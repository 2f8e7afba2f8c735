import { expect, it } from 'vitest';
import { needsApproval, ruleFor } from './rules.js';
import type { Change } from './sources/hook-source.js';

const CHANGE: Change = {
  repository: 'me/linux',
  number: null,
  branch: 'main',
  commit: 'a'.repeat(40),
  fork: null,
  labels: [],
  paths: ['mm/hmm.c', 'Documentation/x.rst'],
  isRelabeled: false,
};
const templateOf = (rules: Parameters<typeof ruleFor>[0], change: Partial<Change>): string | undefined =>
  ruleFor(rules, { ...CHANGE, ...change })?.template;

it('the first rule decides whose repository, branch, files and labels all fit', () => {
  const rules = [
    { repository: 'me/linux', labels: ['hardware', 'rdma'], template: 'labeled' },
    { repository: 'me/linux', branches: ['main', 'next/*'], paths: ['mm/**', 'drivers/pci/**'], template: 'memory' },
    { repository: 'me/linux', branches: ['main'], template: 'rest' },
  ];
  expect(templateOf(rules, {})).toBe('memory');
  expect(templateOf(rules, { branch: 'next/x' })).toBe('memory');
  expect(templateOf(rules, { branch: 'wip' })).toBeUndefined();
  expect(templateOf(rules, { paths: ['Documentation/x.rst'] })).toBe('rest');
  expect(templateOf(rules, { paths: [], branch: 'next/x' })).toBeUndefined();
  expect(templateOf(rules, { labels: ['x', 'rdma'], branch: 'wip' })).toBe('labeled');
  expect(templateOf(rules, { repository: 'me/linux2' })).toBeUndefined();
  // Files that are not known fit.
  expect(templateOf(rules, { paths: null, branch: 'next/x' })).toBe('memory');
  // Rules without labels have seen this commit before.
  expect(templateOf(rules, { isRelabeled: true })).toBeUndefined();
  expect(templateOf(rules, { isRelabeled: true, labels: ['hardware'] })).toBe('labeled');
});

it('a fork needs approval unless it is the own one of a listed person', () => {
  const needs = (fork: string | null): boolean => needsApproval(['alice'], { ...CHANGE, fork });
  expect(needs(null)).toBe(false);
  expect(needs('Alice/linux')).toBe(false);
  expect(needs('mallory/linux')).toBe(true);
  expect(needs('alice')).toBe(true);
  expect(needs('a repository that is gone')).toBe(true);
});
