import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FromAgent, type Assignment } from '@peerlab/contracts';
import { eventually } from '@peerlab/controller/testing';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { AttemptSpool } from './attempt-spool.js';
import { DiskReport } from './disk-report.js';
import { AttemptSender } from './sender.js';
import { SpoolDisk } from './spool-disk.js';

const ASSIGNMENT: Assignment = {
  participantId: 'b2f5c1de-6c3f-4b5c-9c38-0f6f3b9d6d11',
  role: 'main',
  peers: [],
  attemptId: 'b2f5c1de-6c3f-4b5c-9c38-0f6f3b9d6d11',
  runId: 'b2f5c1de-6c3f-4b5c-9c38-0f6f3b9d6d12',
  fence: 3,
  work: { kind: 'build', buildName: 'base', series: [], config: 'peerlab' },
};

let folder: string;
let disk: SpoolDisk;
let spool: AttemptSpool;
let sender: AttemptSender;
let report: DiskReport;
let frames: FromAgent[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'disk-report-'));
  disk = new SpoolDisk();
  spool = AttemptSpool.create(folder, ASSIGNMENT, disk);
  frames = [];
  sender = new AttemptSender(
    spool,
    (frame) => frames.push(frame) > 0,
    (error) => {
      throw error;
    },
  );
  report = new DiskReport(folder, disk, () => [sender]);
});
afterEach(() => {
  sender.stop();
  spool.close();
  rmSync(folder, { recursive: true, force: true });
});

it('counts what is spooled, and its age until it is acknowledged', async () => {
  expect(report.report()).toMatchObject({ spoolLagSeconds: 0 });
  spool.appendLine('build', 'cc', 1000);
  spool.appendLine('build', 'ld', 3000);
  expect(report.report(11_000).spoolLagSeconds).toBe(10);
  expect(report.report(11_000).spoolBytes).toBeGreaterThan(4);
  sender.resume({});
  await eventually('both lines are sent', () => frames.length > 0);
  sender.acknowledge('build', 1);
  expect(report.report(11_000).spoolLagSeconds).toBe(8);
  sender.acknowledge('build', 2);
  expect(report.report(11_000).spoolLagSeconds).toBe(0);
});

it('has the free space of the file system from the second report on, in a heartbeat that controllers accept', async () => {
  report.report();
  await eventually('free space', () => report.report().diskFreeBytes);
  const heartbeat = { type: 'heartbeat', machines: [], participants: [], ...report.report() };
  expect(FromAgent.parse(JSON.parse(JSON.stringify(heartbeat)))).toMatchObject({
    type: 'heartbeat',
    spoolLagSeconds: 0,
  });
});

it('leaves the age out while the spool cannot be read', () => {
  const broken = new DiskReport(folder, disk, () => {
    throw new Error('EIO');
  });
  spool.appendLine('build', 'cc', 1000);
  expect(broken.report().spoolBytes).toBeGreaterThan(0);
  expect(broken.report().spoolLagSeconds).toBeUndefined();
});
