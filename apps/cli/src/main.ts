#!/usr/bin/env node
import { runProgram } from './program.js';

// Node takes the error of a standard stream back from it, so that it cannot be asked for afterwards.
let isReaderGone = false;
process.stdout.on('error', () => (isReaderGone = true));

process.exitCode = await runProgram(process.argv.slice(2), process);
// The calls and live channels of a command whose reader has gone would keep the process alive.
if (isReaderGone) process.exit();
