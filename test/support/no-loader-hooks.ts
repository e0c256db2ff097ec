/**
 * Preloaded into each test file by the runner (`.taprc`): takes no hooks on the loading of modules. tap asks for two, for
 * mocks and for its own account of what was covered, which no test here wants; before Node 24 each costs a thread, and every
 * import two messages: half a second of each test file. Children of the tests get none of it.
 */
import module, { syncBuiltinESMExports } from 'node:module';
import process from 'node:process';

module.register = () => undefined;
syncBuiltinESMExports();
delete process.env.NODE_OPTIONS;
