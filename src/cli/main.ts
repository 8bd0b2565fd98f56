#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
/** The command `conec`: what is typed into a shell comes in here. Everything it can do is in program/commands.ts. */
import { run } from "./program/run.ts";

process.exitCode = await run(process.argv.slice(2));
// By now nothing is left that keeps the process; should something be, it does not hold up whoever waits for the end.
setTimeout(() => process.exit(), 2000).unref();
