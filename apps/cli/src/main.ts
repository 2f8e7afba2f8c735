#!/usr/bin/env node
import { runProgram } from './program.js';

process.exitCode = await runProgram(process.argv.slice(2), process);
// Followed logs and live channels of a command whose reader has gone would keep the process alive.
if (process.stdout.errored !== null) process.exit();
