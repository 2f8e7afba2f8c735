#!/usr/bin/env node
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { log } from '@peerlab/runtime';
import { runStep, StepError } from '../start/step.js';
import { rememberedProcess } from '../start/process-file.js';
import { type DiskImage, readImage } from './disk.js';
import { Emulator } from './emulator.js';
import { LabError } from './errors.js';
import { imageScripts } from './images.js';
import { MACHINES } from './machines.js';
import { Lab, supervisorFile } from './lab.js';
import { LAB_HELP, type LabCommand, LabUsageError, readLabCommand, serverPortsOf, sshPortOf } from './options.js';
import { labDirectory, machinePaths } from './paths.js';
import { answersSsh } from './ssh-banner.js';
import { setTimeout as delay } from 'node:timers/promises';

const infra = join(fileURLToPath(import.meta.url), '../../..');

async function up(options: LabCommand): Promise<void> {
  const images = new Map<string, DiskImage>();
  for (const { name, command } of imageScripts(infra, options.machines, options.cacheDir)) {
    const folder = await runStep(command, {
      cwd: infra,
      logFile: join(labDirectory(options.stateDir), name === '' ? 'image.log' : `image-${name}.log`),
      result: 'image',
      onProgress: (percent, step) => log.info({ percent, step, image: name }, 'image-progress'),
    });
    images.set(name, await readImage(folder));
  }
  // Ends machines that a killed lab left running and that are not chosen now.
  for (const { name } of MACHINES.filter((machine) => !options.machines.includes(machine)))
    await Emulator.adopt(null, machinePaths(options.stateDir, name), () => undefined);
  const lab = new Lab({
    stateDir: options.stateDir,
    images,
    machines: options.machines,
    bootSlots: options.bootSlots,
    portOf: (name) => sshPortOf(options.portBase, name),
    serverPortsOf: (name) => serverPortsOf(options.portBase, name),
    report: ({ event, ...fields }) => log.info(fields, event),
  });
  const interrupted = new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => resolve());
  });
  // Signals alone do not keep Node running while QEMU is quiet.
  const alive = setInterval(() => undefined, 1 << 30);
  try {
    const up = lab.up();
    await Promise.race([up, interrupted]);
    lab.interrupt();
    // Stopping while a machine starts would leave it running.
    await up;
    await interrupted;
  } finally {
    clearInterval(alive);
    await (options.keep ? lab.release() : lab.stop());
  }
}

async function status(options: LabCommand): Promise<void> {
  for (const { name } of options.machines) {
    const port = sshPortOf(options.portBase, name);
    const running = (await rememberedProcess(machinePaths(options.stateDir, name).processFile)) !== null;
    const ssh = running && (await answersSsh(port));
    process.stdout.write(`${JSON.stringify({ event: 'status', name, running, ssh, port })}\n`);
  }
}

async function down(options: LabCommand): Promise<void> {
  const file = supervisorFile(options.stateDir);
  const supervisor = await rememberedProcess(file);
  if (supervisor !== null) {
    process.kill(supervisor, 'SIGTERM');
    while ((await rememberedProcess(file)) === supervisor) await delay(100);
  }
  // Ends what a killed lab, or one with --keep, left running.
  for (const { name } of options.machines)
    await Emulator.adopt(null, machinePaths(options.stateDir, name), () => undefined);
  process.stdout.write('all machines are off\n');
}

log.setBindings({ program: 'lab' });
try {
  const options = readLabCommand(process.argv.slice(2), process.env, process.getuid?.() ?? 0);
  if (options === 'help') process.stdout.write(LAB_HELP);
  else await { up, status, down }[options.command](options);
} catch (error) {
  if (error instanceof LabUsageError) process.stderr.write(`${error.message}\n\n${LAB_HELP}`);
  else if (error instanceof LabError) process.stderr.write(`${error.message}\n  ${error.remedy}\n`);
  else if (error instanceof StepError) process.stderr.write(`${error.message}\n`);
  else log.fatal({ err: error }, 'unexpected-error');
  // 2 tells the parent process that restarting does not help.
  process.exitCode = 2;
}
process.exit();
