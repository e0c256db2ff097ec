/**
 * Predictions over HTTP. Uploads that arrive together are decoded one by one and go through the network together.
 *
 *     node examples/serve.mjs --model runs/quickstart --port 8080
 *     curl --data-binary @film.png -H 'Content-Type: image/png' http://127.0.0.1:8080/predict
 *
 * It has no encryption and asks nobody who they are: put it behind something that does. Not for clinical use.
 */
import { realpathSync } from 'node:fs';
import http from 'node:http';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { CxrGazeError, decodeImage, loadClassifier, resizeArea } from 'cxr-gaze';

const notice = 'not for clinical use';
const types = /^(image\/[\w.+-]+|application\/(dicom|octet-stream))\s*(;|$)/i;

/** What a request ends with when it is not a prediction. */
class Refusal extends Error {
  constructor(status, code, message, headers = {}) {
    super(message);
    Object.assign(this, { status, code, headers });
  }
}

/** Lets `most` tasks run at once: a large film takes hundreds of megabytes while it is decoded. */
class Gate {
  #free;
  #waiting = [];

  constructor(most) {
    this.#free = most;
  }

  async run(task) {
    if (this.#free > 0) this.#free--;
    else await new Promise((resolve) => this.#waiting.push(resolve));
    try {
      return await task();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free++;
    }
  }
}

/** Collects images for up to `wait` milliseconds or `size` images and predicts them in one call, one call at a time. */
class Batcher {
  #queue = [];
  #timer;
  #busy = false;

  constructor(model, { size, wait }) {
    Object.assign(this, { model, size, wait });
  }

  /** Resolves with the prediction of one image; an aborted signal takes the image out again. */
  predict(image, signal) {
    return new Promise((resolve, reject) => {
      this.#queue.push({ image, signal, resolve, reject });
      if (this.#queue.length >= this.size) this.#next();
      else this.#timer ??= setTimeout(() => this.#next(), this.wait);
    });
  }

  async #next() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#busy) return;
    const wanted = this.#queue.filter(({ signal }) => !signal.aborted);
    // Those who left are let go, or their requests would count as open for ever.
    for (const { signal, reject } of this.#queue) if (signal.aborted) reject(signal.reason);
    const items = wanted.splice(0, this.size);
    this.#queue = wanted;
    if (items.length === 0) return;
    this.#busy = true;
    try {
      const predictions = await this.#predict(items);
      for (const [i, item] of items.entries())
        item.resolve({ prediction: predictions[i], batch: items.length });
    } catch (error) {
      for (const item of items) item.reject(error);
    }
    this.#busy = false;
    // Whoever came while the network was busy has waited long enough.
    if (this.#queue.length > 0) this.#next();
  }

  // The call is given up when nobody waits for any of its images.
  #predict(items) {
    const allGone = new AbortController();
    const look = () => {
      if (items.every(({ signal }) => signal.aborted)) allGone.abort();
    };
    for (const { signal } of items) signal.addEventListener('abort', look, { once: true });
    const images = items.map(({ image }) => image);
    return this.model.predict(images, { batchSize: this.size, signal: allGone.signal });
  }
}

function send(response, status, body, headers = {}) {
  if (response.destroyed || response.headersSent) return;
  const text = JSON.stringify(body);
  response.writeHead(status, {
    ...{ 'Content-Type': 'application/json; charset=utf-8', 'Content-Length': Buffer.byteLength(text) },
    ...{ 'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff', ...headers },
  });
  response.end(text);
}

async function readBody(request, maxBytes) {
  const tooLarge = () =>
    new Refusal(413, 'TOO_LARGE', `Expected at most ${maxBytes} bytes`, { Connection: 'close' });
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) throw tooLarge();
  const parts = [];
  let bytes = 0;
  for await (const part of request) {
    bytes += part.length;
    if (bytes > maxBytes) throw tooLarge();
    parts.push(part);
  }
  if (bytes === 0) throw new Refusal(400, 'EMPTY', 'Expected an image file as the body');
  return Buffer.concat(parts);
}

/**
 * A server over a loaded model.
 *
 * @param model what answers
 * @param options largest upload, largest number of requests at once, images a batch, milliseconds that the first image
 *   of a batch waits for others
 */
export function createServer(model, options = {}) {
  const { maxBytes = 32 * 2 ** 20, queue = 32, batch = 16, wait = 15 } = options;
  const batcher = new Batcher(model, { size: batch, wait });
  const decoding = new Gate(2);
  const side = model.card.imageSize;
  let open = 0;
  let closing = false;

  // Bad images are found here, before they share a call with others; kept is only what the network will see.
  async function prepare(bytes) {
    const source = { kind: 'bytes', name: 'upload', bytes };
    const pixels = await resizeArea(await decodeImage(source, { maxPixels: 50_000_000 }), side, side);
    return { kind: 'pixels', name: 'upload', pixels: () => pixels };
  }

  async function predict(request, response) {
    const type = request.headers['content-type'] ?? '';
    if (!types.test(type))
      throw new Refusal(415, 'CONTENT_TYPE', `Expected an image or DICOM file but received '${type}'`);
    if (closing || open >= queue)
      throw new Refusal(503, 'BUSY', closing ? 'Shutting down' : `${open} requests are being answered`, {
        'Retry-After': '1',
        Connection: 'close',
      });
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    open++;
    try {
      const bytes = await readBody(request, maxBytes);
      const image = await decoding.run(() => (gone.signal.aborted ? undefined : prepare(bytes)));
      if (!image) return;
      const { prediction, batch: together } = await batcher.predict(image, gone.signal);
      const { id: _, ...rest } = prediction;
      send(response, 200, { notice, ...rest, batch: together });
    } finally {
      open--;
    }
  }

  async function answer(request, response) {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    const allowed = { '/health': 'GET', '/predict': 'POST' }[pathname];
    if (!allowed) throw new Refusal(404, 'NOT_FOUND', 'There are GET /health and POST /predict');
    if (request.method !== allowed)
      throw new Refusal(405, 'METHOD', `Expected ${allowed}`, { Allow: allowed });
    if (pathname === '/predict') return predict(request, response);
    const { architecture, classes } = model.card;
    const status = closing ? 'closing' : 'ok';
    send(response, closing ? 503 : 200, {
      status,
      open,
      queue,
      notice,
      architecture,
      imageSize: side,
      classes,
    });
  }

  function fail(response, error) {
    const refused = error instanceof Refusal;
    const badImage = error instanceof CxrGazeError && error.code === 'ERR_IMAGE';
    if (!refused && !badImage && !response.destroyed) process.stderr.write(`${error?.stack ?? error}\n`);
    const status = refused ? error.status : badImage ? 422 : 500;
    const code = refused || error instanceof CxrGazeError ? error.code : 'INTERNAL';
    const message = status === 500 ? 'The prediction failed' : error.message;
    send(response, status, { notice, error: { code, message } }, refused ? error.headers : {});
  }

  const server = http.createServer((request, response) => {
    request.on('error', () => {});
    answer(request, response)
      .catch((error) => fail(response, error))
      // What is left of a refused body is thrown away for a moment, so that the client can read why, then cut off.
      .finally(() => {
        if (request.complete || request.destroyed) return;
        request.resume();
        setTimeout(() => request.destroy(), 1000).unref();
      });
  });
  server.requestTimeout = 60_000;

  /** Answers what is under way, then closes. */
  function shutDown() {
    closing = true;
    return new Promise((resolve) => {
      server.close(() => resolve());
      server.closeIdleConnections();
    });
  }
  return { server, shutDown };
}

async function main() {
  const { values } = parseArgs({
    options: {
      model: { type: 'string' },
      host: { type: 'string', default: '127.0.0.1' },
      port: { type: 'string', default: '8080' },
      batch: { type: 'string', default: '16' },
      wait: { type: 'string', default: '15' },
      queue: { type: 'string', default: '32' },
      'max-bytes': { type: 'string', default: String(32 * 2 ** 20) },
    },
  });
  if (values.model === undefined) throw new Error('--model FOLDER is needed: a saved model or a run');
  const whole = (name, least) => {
    const value = Number(values[name]);
    if (Number.isInteger(value) && value >= least) return value;
    throw new Error(`--${name}: expected a whole number of at least ${least} but received '${values[name]}'`);
  };
  const limits = { batch: whole('batch', 1), wait: whole('wait', 0), queue: whole('queue', 1) };
  const port = whole('port', 0);
  const model = await loadClassifier(values.model);
  const { server, shutDown } = createServer(model, { ...limits, maxBytes: whole('max-bytes', 1) });
  const stop = async () => {
    await shutDown();
    model.dispose();
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  server.listen(port, values.host, () => {
    const { address, port: actual } = server.address();
    process.stdout.write(`listening on http://${address}:${actual} (${notice})\n`);
  });
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  main().catch((error) => {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  });
}
