import type { GoldenCase } from './case.js';
import { makeInput } from './recipe.js';

/** What a kind's test gets of a case. */
export interface Subject {
  /** Every option of the case; all keys are known to the kind. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Inputs made by their recipes. */
  readonly inputs: Readonly<Record<string, unknown>>;
  /** Names of the outputs that the case holds. */
  readonly wanted: readonly string[];
}

/** How the cases of one kind are run. */
export interface Kind {
  /** Config keys that it reads. */
  readonly config: readonly string[];
  /** Input names that it reads; the others have to match `inputPattern`. */
  readonly inputs: readonly string[];
  /** For numbered inputs. */
  readonly inputPattern?: RegExp;
  /** Why a case of this kind cannot be run here, if it cannot: a table that is not shipped is absent. */
  readonly waits?: (config: Readonly<Record<string, unknown>>) => string | undefined;
  /** Our outputs by name: at least those wanted that the kind has heard of. */
  readonly run: (subject: Subject) => Promise<Record<string, unknown>> | Record<string, unknown>;
}

/** The inputs of a case, made by their recipes; throws for names or options that the kind has never heard of. */
export function subjectOf(kind: Kind, item: GoldenCase): Subject {
  for (const key of Object.keys(item.config)) {
    if (!kind.config.includes(key)) throw new Error(`unknown config key '${key}'`);
  }
  for (const name of Object.keys(item.inputs)) {
    if (!kind.inputs.includes(name) && !kind.inputPattern?.test(name))
      throw new Error(`unknown input '${name}'`);
  }
  const inputs = Object.fromEntries(
    Object.entries(item.inputs).map(([name, recipe]) => [name, makeInput(name, recipe)]),
  );
  return { config: item.config, inputs, wanted: Object.keys(item.outputs) };
}
