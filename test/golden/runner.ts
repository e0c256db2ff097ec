import { findCaseFiles, type GoldenCase, readCase } from './case.js';
import { compareOutput } from './compare.js';
import { type Kind, subjectOf } from './kind.js';

/** What became of one case. */
export interface Outcome {
  readonly file: string;
  /** `<system>/<kind>`, or empty where the file could not be read. */
  readonly kind: string;
  readonly status: 'passed' | 'failed' | 'skipped';
  /** What differs, or why it was skipped. */
  readonly notes: readonly string[];
}

/** What the runner knows. */
export interface Known {
  /** Kinds that can be run, by `<system>/<kind>`. */
  readonly kinds: ReadonlyMap<string, Kind>;
  /** Prefixes of systems that are not built: their kinds are counted as skipped. */
  readonly systems: readonly string[];
}

/** Runs every case below a folder, one after another. */
export async function runFolder(folder: string, known: Known): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const file of findCaseFiles(folder)) {
    let kind = '';
    try {
      const item = readCase(folder, file);
      kind = item.kind;
      outcomes.push(await runCase(item, known));
    } catch (error) {
      outcomes.push({
        file,
        kind,
        status: 'failed',
        notes: [error instanceof Error ? error.message : String(error)],
      });
    }
  }
  return outcomes;
}

async function runCase(item: GoldenCase, known: Known): Promise<Outcome> {
  const kind = known.kinds.get(item.kind);
  const common = { file: item.file, kind: item.kind };
  if (kind === undefined) {
    const reason = notBuilt(item.kind, known.systems);
    if (reason !== undefined) return { ...common, status: 'skipped', notes: [reason] };
    return { ...common, status: 'failed', notes: [`unknown kind '${item.kind}'`] };
  }
  const subject = subjectOf(kind, item);
  const waits = kind.waits?.(item.config);
  if (waits !== undefined) return { ...common, status: 'skipped', notes: [waits] };
  const ours = await kind.run(subject);
  const notes = Object.entries(item.outputs).flatMap(([name, theirs]) =>
    name in ours
      ? compareOutput(name, ours[name], theirs, item.toleranceOf(name))
      : [`unknown output key '${name}'`],
  );
  return { ...common, status: notes.length > 0 ? 'failed' : 'passed', notes };
}

function notBuilt(kind: string, systems: readonly string[]): string | undefined {
  const system = kind.slice(0, kind.indexOf('/'));
  return systems.includes(system) ? `the system ${system} is not built yet` : undefined;
}

/** The lines that tell a person what happened; the last one is `N passed, N failed, N skipped`. */
export function summarise(outcomes: readonly Outcome[]): string[] {
  const of = (status: Outcome['status']): Outcome[] =>
    outcomes.filter((outcome) => outcome.status === status);
  const failures = of('failed').flatMap(({ file, kind, notes }) => [
    `FAILED ${file}${kind === '' ? '' : ` (${kind})`}`,
    ...notes.slice(0, 8).map((note) => `    ${note}`),
    ...(notes.length > 8 ? [`    and ${notes.length - 8} more`] : []),
  ]);
  const skips = new Map<string, string[]>();
  for (const { kind, notes } of of('skipped')) {
    const reason = notes[0] as string;
    skips.set(reason, [...(skips.get(reason) ?? []), kind]);
  }
  return [
    ...of('passed').map(({ file, kind }) => `passed ${file} (${kind})`),
    ...[...skips].map(([reason, kinds]) => {
      const cases = `${kinds.length} ${kinds.length === 1 ? 'case' : 'cases'}`;
      return `skipped ${cases}, ${reason}: ${[...new Set(kinds)].sort().join(', ')}`;
    }),
    ...failures,
    `${of('passed').length} passed, ${of('failed').length} failed, ${of('skipped').length} skipped`,
  ];
}
