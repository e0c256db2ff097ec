import { CxrGazeError } from '../errors.js';

/** The entries of a state dict under the network's own keys. */
export interface Unwrapped<T> {
  /** Those below the prefix, without it; every entry where no anchor was found. */
  readonly state: ReadonlyMap<string, T>;
  /** Such as `module._orig_mod.`; empty where the keys are the network's own; `undefined` where no anchor was found. */
  readonly prefix: string | undefined;
  /** Keys outside the prefix: those of a loss, of another head, `n_averaged`. */
  readonly leftOut: readonly string[];
}

/**
 * Takes off what wrappers put before a network's keys: `module.` (DataParallel, AveragedModel), `_orig_mod.`
 * (torch.compile), `model.` (Lightning), `backbone.`, and whatever else. It is told by a key that only the network has.
 *
 * @param file whose keys they are, for messages
 * @param state entries by the file's keys
 * @param anchors keys that tell the network; each file has at most one of them
 * @throws CxrGazeError `ERR_STATE_DICT` where the network is there twice, as a student and a teacher are
 */
export function unwrap<T>(
  file: string,
  state: ReadonlyMap<string, T>,
  anchors: readonly string[],
): Unwrapped<T> {
  const [prefix, ...others] = prefixesOf(state, anchors);
  if (others.length > 0) throw ambiguous(file, [prefix as string, ...others]);
  // A network that is not known may come from DataParallel all the same.
  const isParallel = [...state.keys()].every((key) => key.startsWith('module.'));
  const taken = prefix ?? (isParallel ? 'module.' : '');
  const inside = [...state].filter(([key]) => key.startsWith(taken));
  return {
    state: new Map(inside.map(([key, value]) => [key.slice(taken.length), value])),
    prefix,
    leftOut: [...state.keys()].filter((key) => !key.startsWith(taken)),
  };
}

function prefixesOf(state: ReadonlyMap<string, unknown>, anchors: readonly string[]): string[] {
  const found = [...state.keys()].flatMap((key) =>
    anchors
      .filter((anchor) => key === anchor || key.endsWith(`.${anchor}`))
      .map((anchor) => key.slice(0, -anchor.length)),
  );
  return [...new Set(found)];
}

function ambiguous(file: string, prefixes: readonly string[]): CxrGazeError {
  const shown = prefixes.slice(0, 4).map((prefix) => `'${prefix}'`);
  const more = prefixes.length > 4 ? ` and ${prefixes.length - 4} more` : '';
  return new CxrGazeError(
    'ERR_STATE_DICT',
    `${file}: expected one network but the keys of several begin with ${shown.join(', ')}${more}; save the one that is meant by itself`,
    { details: { file, prefixes } },
  );
}
