import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/**
 * A Python process that answers one line of JSON to each line of JSON. It stays up for a whole benchmark, so that pairs
 * can alternate; while we measure it waits for its next line and uses no processor time.
 */
export class Peer {
  /**
   * @param {string | undefined} python
   * @param {string} script file in bench/peer
   * @param {string} needs what has to be installed there, for the message when it does not start
   * @returns {Promise<Peer>}
   */
  static async start(python, script, needs) {
    if (!python) {
      throw new Error(`CXR_GAZE_PYTHON must name a Python with ${needs}: see bench/README.md`);
    }
    const peer = new Peer(python, script, needs);
    peer.versions = await peer.#read();
    return peer;
  }

  /**
   * @param {string} python
   * @param {string} script
   * @param {string} needs
   */
  constructor(python, script, needs) {
    this.needs = needs;
    /** @type {Record<string, unknown>} what it runs on */
    this.versions = {};
    const path = fileURLToPath(new URL(`../peer/${script}`, import.meta.url));
    this.child = spawn(python, ['-B', path], { stdio: ['pipe', 'pipe', 'inherit'] }); // -B: leaves no __pycache__
    this.failed = new Promise((_, reject) => this.child.once('error', reject));
    this.failed.catch(() => {});
    this.child.stdin.on('error', () => {}); // its end shows when its answer is read
    this.lines = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
  }

  async #read() {
    const { value, done } = await Promise.race([this.lines.next(), this.failed]);
    if (done) throw new Error(`The peer ended: has ${this.child.spawnfile} ${this.needs}?`);
    return JSON.parse(value);
  }

  /**
   * @param {Record<string, unknown>} request
   * @returns {Promise<any>}
   */
  ask(request) {
    this.child.stdin.write(`${JSON.stringify(request)}\n`);
    return this.#read();
  }

  /** Ends it and waits for that, so that nothing of it is left when the next one is measured. */
  async close() {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.stdin.end();
    await ended;
  }
}
