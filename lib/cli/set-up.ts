/** `cxr-gaze build` and `cxr-gaze doctor`: the flags around what build.ts and doctor.ts do. */
import process from 'node:process';
import { Command } from 'commander';
import { runBuild } from './build.js';
import { runDoctor } from './doctor.js';
import { asInteger, headings, option } from './options.js';

const heading = 'Build:';

/** The command `build`. */
export function buildCommand(): Command {
  return new Command('build')
    .description('find or fetch LibTorch and compile the addon; once after installing')
    .addOption(option(heading, '--no_fetch', 'do not download LibTorch where the machine has none'))
    .addOption(option(heading, '--force', 'build from nothing although nothing changed'))
    .addOption(
      option(
        heading,
        '--jobs <n>',
        'compilers at once (default: one a core, as far as memory goes)',
        asInteger({ min: 1 }),
      ),
    )
    .addHelpText(
      'after',
      `
LibTorch is looked for in CXR_GAZE_LIBTORCH, in an installed PyTorch, in the package's cache, and else fetched.

Example:
  cxr-gaze build --jobs 2`,
    )
    .action(async (flags: { no_fetch?: boolean; force?: boolean; jobs?: number }) => {
      await runBuild({
        ...{ fetch: !flags.no_fetch, force: flags.force ?? false },
        ...(flags.jobs === undefined ? {} : { jobs: flags.jobs }),
      });
    });
}

/** The command `doctor`. */
export function doctorCommand(): Command {
  return new Command('doctor')
    .description('say what this machine has, what is amiss and what to do next')
    .addOption(option(headings.output, '--json', 'for programs: one JSON object'))
    .addHelpText(
      'after',
      '\nExits with 0 where numeric work will run, else with 1. Builds and downloads nothing.',
    )
    .action(async (flags: { json?: boolean }) => {
      const { usable } = await runDoctor({ json: flags.json ?? false });
      if (!usable) process.exitCode = 1;
    });
}
