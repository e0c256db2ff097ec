import { timeWindows } from '../../../lib/gaze/windows.js';
import { number, numbers } from '../case.js';
import type { Kind } from '../kind.js';

/** Which points fall into which window, as the original cuts them. */
export const timeWindowsKind: Kind = {
  config: ['windows'],
  inputs: ['times'],
  run: ({ config, inputs }) => {
    const fixations = numbers('times', inputs.times).map((time) => ({ x: 0, y: 0, start: time, end: time }));
    const windows = timeWindows(fixations, {
      windows: number('windows', config.windows),
      convention: 'as-published',
    });
    return { indices: windows.map((shares) => shares.map(({ index }) => index)) };
  },
};
