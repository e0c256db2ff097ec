import { performance } from 'node:perf_hooks';

/** What a bar is about. */
export interface ProgressOptions {
  /** What is being done. */
  readonly label: string;
  /** How much there is of it. */
  readonly total: number;
  /** What is counted; default `images`. */
  readonly unit?: string;
  /** The clock, in milliseconds; default the machine's. */
  readonly now?: () => number;
}

/** Where a bar is drawn: standard error, or a test's stand-in. */
export interface ProgressStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

const barWidth = 24;
const redrawMs = 100;
/** Off a terminal a line is written so often, and nothing of what is over before. */
const lineMs = 10_000;

/** Progress with rate and time left: a bar that redraws itself on a terminal, plain lines now and then elsewhere. */
export class Progress {
  static #shown: Progress | undefined;
  readonly #stream: ProgressStream;
  readonly #options: Required<ProgressOptions>;
  readonly #begun: number;
  #drawn: number;
  #done = 0;
  /** The first update: what was done by then may have been done before (a resumed epoch), or slower (the first batch). */
  #first: { readonly done: number; readonly at: number } | undefined;

  /** @param stream where it is drawn; @param options what it is about */
  constructor(stream: ProgressStream, options: ProgressOptions) {
    this.#stream = stream;
    this.#options = { unit: 'images', now: () => performance.now(), ...options };
    this.#begun = this.#options.now();
    this.#drawn = stream.isTTY ? Number.NEGATIVE_INFINITY : this.#begun;
  }

  /** Wipes the bar that stands on the terminal, so that a line can be written; the next update draws it again. */
  static clear(): void {
    const shown = Progress.#shown;
    if (shown) shown.#stream.write('\r\x1b[2K');
    Progress.#shown = undefined;
  }

  /**
   * @param done how much is done; a part of one counts for the rate and is not shown
   * @param more what else the bar shall say, such as the loss
   */
  update(done: number, more = ''): void {
    this.#done = done;
    const now = this.#options.now();
    this.#first ??= { done, at: now };
    if (now - this.#drawn < (this.#stream.isTTY ? redrawMs : lineMs)) return;
    this.#drawn = now;
    const text = this.#text(now, more);
    if (!this.#stream.isTTY) {
      this.#stream.write(`${text}\n`);
      return;
    }
    const width = (this.#stream.columns ?? 80) - 1;
    this.#stream.write(`\r\x1b[2K${text.length > width ? text.slice(0, width) : text}`);
    Progress.#shown = this;
  }

  /** Takes the bar away. @returns seconds since it was begun */
  end(): number {
    if (Progress.#shown === this) Progress.clear();
    return (this.#options.now() - this.#begun) / 1000;
  }

  #text(now: number, more: string): string {
    const { label, total, unit } = this.#options;
    const share = total > 0 ? Math.min(1, this.#done / total) : 0;
    const filled = Math.round(share * barWidth);
    const bar = this.#stream.isTTY ? ` [${'='.repeat(filled)}${' '.repeat(barWidth - filled)}]` : '';
    const tail = more ? `  ${more}` : '';
    return `${label}${bar} ${Math.floor(this.#done)}/${total} ${unit}${this.#pace(now)}${tail}`;
  }

  /** Rate and time left, once there are two updates to tell them from. */
  #pace(now: number): string {
    const first = this.#first ?? { done: 0, at: now };
    const seconds = (now - first.at) / 1000;
    const rate = seconds > 0 ? (this.#done - first.done) / seconds : 0;
    if (rate <= 0) return '';
    const pace = rate < 0.1 ? `${(1 / rate).toFixed(0)} s each` : `${rate.toFixed(rate < 10 ? 1 : 0)}/s`;
    return `, ${pace} ${duration((this.#options.total - this.#done) / rate)} left`;
  }
}

/** Seconds as `7 s`, `3:05` or `1:02:03`. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  const two = (n: number) => String(n).padStart(2, '0');
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}
