#!/usr/bin/env node
/** The program: runs the command line of this process, turns signals into an orderly end. */
import process from 'node:process';
import { CommandLine, exits } from './command-line.js';
import { processSession, type Session } from './session.js';

/** The first signal lets the work save and end, the second ends the process. */
function endOnSignals(stop: AbortController, session: () => Session): () => NodeJS.Signals | undefined {
  let first: NodeJS.Signals | undefined;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (first !== undefined) process.exit(exits[signal]);
      first = signal;
      session().note('Stopping after the current step; once more stops at once');
      stop.abort(new Error(signal));
    });
  }
  return () => first;
}

async function main(): Promise<void> {
  const stop = new AbortController();
  const session = processSession(stop.signal);
  const stoppedBy = endOnSignals(stop, () => session);
  // A reader such as `head` may leave early.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });
  const commandLine = new CommandLine(process.argv.slice(2), session, stoppedBy);
  for (const kind of ['uncaughtException', 'unhandledRejection'] as const) {
    process.on(kind, (error: unknown) => process.exit(commandLine.fail(error)));
  }
  const code = await commandLine.run();
  // A command that has come to its end may have set one of its own, as `doctor` does.
  if (code !== 0) process.exitCode = code;
}

await main();
