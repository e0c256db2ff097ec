import path from 'node:path';
import t from 'tap';
import { programs, script } from '../support/setup-scripts.js';

interface ToolsScript {
  checkTools(env: NodeJS.ProcessEnv): { compiler: string; cmake: string; generator: string | null };
  defaultJobs(): number;
}
const { checkTools, defaultJobs } = await script<ToolsScript>('tools.mjs');
const unix = process.platform === 'win32' ? { skip: 'Visual Studio is looked for by cmake-js' } : {};

/** A compiler, CMake and make that answer with these versions. */
function tools(compiler: string, cmake: string, generator = 'make'): Record<string, string> {
  return {
    'c++': `case "$1" in --version) echo 'c++ (Debian) ${compiler}';; *) echo ${compiler};; esac`,
    cmake: `echo 'cmake version ${cmake}'`,
    [generator]: 'echo 1.11',
  };
}

t.test('everything missing is named at once, with the packages to install', unix, async (t) => {
  t.throws(() => checkTools({ PATH: t.testdir() }), {
    code: 'ERR_NATIVE_NOT_BUILT',
    message: /a C\+\+ compiler .*, CMake 3\.21 or later, make or ninja\.\n {2}- /,
  });
  if (process.platform !== 'linux') return;
  t.throws(() => checkTools({ PATH: t.testdir() }), { message: /sudo apt-get install g\+\+ cmake make/ });
});

t.test('old versions are told from new ones', unix, async (t) => {
  const bin = path.join(t.testdir(), 'bin');
  const check = (compiler: string, cmake: string) => {
    programs(bin, tools(compiler, cmake));
    return checkTools({ PATH: bin });
  };
  t.same(check('12.2.0', '3.25.1'), { compiler: 'g++ 12.2.0', cmake: '3.25.1', generator: 'Unix Makefiles' });
  t.match(check('11.1.0', '4.0.0'), { compiler: 'g++ 11.1.0', cmake: '4.0.0' });
  t.throws(() => check('10.2.1', '3.25.1'), { message: /found g\+\+ 10\.2\.1/ });
  t.throws(() => check('12.2.0', '3.18.4'), { message: /CMake 3\.21 or later \(found 3\.18\.4\)/ });
});

t.test('ninja is taken before make, and CXX before the usual names', unix, async (t) => {
  const bin = programs(path.join(t.testdir(), 'bin'), { ...tools('12.2.0', '3.25.1'), ninja: 'echo 1.11' });
  t.match(checkTools({ PATH: bin }), { generator: 'Ninja' });
  programs(bin, {
    mine: `shift; case "$1" in --version) echo 'clang version 16';; *) echo 16.0.6;; esac`,
  });
  t.match(checkTools({ PATH: bin, CXX: 'mine cache' }), { compiler: 'clang++ 16.0.6' });
});

t.test('at least one compiler runs, and not more than there are cores', async (t) => {
  const jobs = defaultJobs();
  t.ok(Number.isInteger(jobs) && jobs >= 1 && jobs <= (await import('node:os')).availableParallelism());
});
