import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import { connect } from 'node:net';
import path from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import sharp from 'sharp';
import t from 'tap';
import { phantom } from '../../lib/data/phantom/phantom.js';
import { GazeLT } from '../../lib/systems/gazelt/gazelt.js';
import { childEnv } from '../support/child.js';
import { root } from '../support/paths.js';

const classes = ['No Finding', 'Effusion', 'Hernia'];
const maxBytes = 100_000;

interface Server {
  readonly child: ChildProcess;
  readonly port: number;
  /** Resolves with exit code and what was written to standard error. */
  readonly ended: Promise<{ code: number | null; errors: string }>;
}

interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  // biome-ignore lint/suspicious/noExplicitAny: whatever JSON the server sends
  readonly body: any;
}

async function start(model: string, ...flags: string[]): Promise<Server> {
  const args = [path.join(root, 'examples/serve.mjs'), '--model', model, '--port', '0', ...flags];
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: childEnv(),
  });
  let errors = '';
  child.stderr?.on('data', (text) => {
    errors += String(text);
  });
  const ended = once(child, 'exit').then(([code]) => ({ code: code as number | null, errors }));
  const line = await Promise.race([
    once(child.stdout as NodeJS.ReadableStream, 'data').then(([text]) => String(text)),
    ended.then(() => {
      throw new Error(`the server ended: ${errors}`);
    }),
  ]);
  const port = Number(/:(\d+) \(not for clinical use\)/.exec(line)?.[1]);
  return { child, port, ended };
}

/** Sends a request; the body follows the headers when `go` says so. */
function ask(
  port: number,
  body: Uint8Array | null,
  options: http.RequestOptions = {},
  go?: Promise<unknown>,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = http.request({
      ...{ port, path: '/predict', method: 'POST', agent: false, ...options },
      headers: { 'Content-Type': 'image/png', ...options.headers },
    });
    request.on('error', reject);
    request.on('response', async (response) => {
      const parts: Buffer[] = [];
      for await (const part of response) parts.push(part as Buffer);
      const body = JSON.parse(Buffer.concat(parts).toString('utf8'));
      resolve({ status: response.statusCode ?? 0, headers: response.headers, body });
    });
    request.flushHeaders();
    Promise.resolve(go).then(() => request.end(body ?? undefined), reject);
  });
}

/** Waits until so many requests are being answered. */
async function untilOpen(port: number, wanted: number): Promise<number> {
  let open = -1;
  for (let tries = 0; open !== wanted && tries < 500; tries++) {
    const { body } = await ask(port, null, { path: '/health', method: 'GET' });
    open = body.open;
    if (open !== wanted) await sleep(10);
  }
  return open;
}

async function untilDeaf(port: number): Promise<void> {
  const hears = () => ask(port, null, { path: '/health', method: 'GET' }).then(Boolean, () => false);
  for (let tries = 0; tries < 500 && (await hears()); tries++) await sleep(10);
}

function film(index: number): Promise<Buffer> {
  const { width, height, data } = phantom({ seed: 3, size: 96, index }).pixels;
  return sharp(data, { raw: { width, height, channels: 1 } })
    .png()
    .toBuffer();
}

t.test('predictions over HTTP', async (t) => {
  const folder = path.join(t.testdir(), 'model');
  const model = await GazeLT.create({
    classes,
    init: 'random',
    architecture: 'resnet18',
    imageSize: 64,
    seed: 5,
  });
  t.teardown(() => model.dispose());
  await model.save(folder);
  const films = await Promise.all(Array.from({ length: 20 }, (_, i) => film(i)));
  const server = await start(folder, '--max-bytes', String(maxBytes), '--batch', '8', '--wait', '20');
  const { port } = server;
  t.teardown(() => server.child.kill('SIGKILL'));

  await t.test(
    '20 uploads at once are answered as predict() answers them, several in one call',
    async (t) => {
      const expected = await model.predict(films, { batchSize: 8 });
      const answers = await Promise.all(films.map((bytes) => ask(port, bytes)));
      for (const [i, { status, headers, body }] of answers.entries()) {
        t.equal(status, 200);
        t.match(headers['content-type'], /^application\/json/);
        t.equal(body.notice, 'not for clinical use');
        t.strictSame(Object.keys(body.probabilities), classes);
        // The batch an image is in may change the last bits of bfloat16 arithmetic, no more.
        for (const name of classes) {
          const difference = Math.abs(body.probabilities[name] - (expected[i]?.probabilities[name] ?? 2));
          t.ok(difference < 2e-3, `${name} of film ${i} differs by ${difference}`);
        }
      }
      const distinct = new Set(answers.map(({ body }) => body.probabilities.Hernia.toFixed(5)));
      t.ok(distinct.size > 10, `${distinct.size} different answers: no film got another's by chance`);
      t.ok(
        answers.some(({ body }) => body.batch > 1),
        'uploads shared a call',
      );
      t.notOk(answers.some(({ body }) => body.batch > 8));
    },
  );

  await t.test('what cannot be answered says why', async (t) => {
    const png = films[0] as Buffer;
    const garbage = await ask(port, Buffer.from('no image at all'));
    t.equal(garbage.status, 422);
    t.equal(garbage.body.error.code, 'ERR_IMAGE');
    t.match(garbage.body.error.message, /upload/);

    const truncated = await ask(port, png.subarray(0, png.length >> 1));
    t.equal(truncated.status, 422);

    const empty = await ask(port, null);
    t.equal(empty.status, 400);

    const text = await ask(port, png, { headers: { 'Content-Type': 'text/plain' } });
    t.equal(text.status, 415);

    const method = await ask(port, null, { method: 'GET' });
    t.equal(method.status, 405);
    t.equal(method.headers.allow, 'POST');

    const nowhere = await ask(port, null, { path: '/etc/passwd', method: 'GET' });
    t.equal(nowhere.status, 404);

    const announced = await ask(port, new Uint8Array(maxBytes + 1));
    t.equal(announced.status, 413);
    t.equal(announced.body.error.code, 'TOO_LARGE');
    const unannounced = await ask(port, new Uint8Array(maxBytes + 1), {
      headers: { 'Transfer-Encoding': 'chunked' },
    });
    t.equal(unannounced.status, 413);
  });

  await t.test('bad uploads do not spoil the good ones beside them', async (t) => {
    const mixed = films.slice(0, 6).flatMap((bytes) => [bytes, Buffer.from('garbage')]);
    const answers = await Promise.all(mixed.map((bytes) => ask(port, bytes)));
    t.strictSame(
      answers.map(({ status }) => status),
      mixed.map((_, i) => (i % 2 === 0 ? 200 : 422)),
    );
  });

  await t.test('a client that leaves harms nobody', async (t) => {
    const bytes = films[1] as Buffer;
    const head = `POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: ${bytes.length}\r\n\r\n`;
    const inBody = connect(port).on('error', () => {});
    inBody.write(head);
    inBody.write(bytes.subarray(0, 100));
    const inQueue = connect(port).on('error', () => {});
    inQueue.write(head);
    inQueue.write(bytes);
    await sleep(5);
    inQueue.destroy();
    inBody.destroy();
    const beside = await ask(port, bytes);
    t.equal(beside.status, 200);
    t.equal(await untilOpen(port, 0), 0, 'nothing is kept for those who left');
  });

  await t.test('on SIGTERM what is under way is answered, then the process ends', async (t) => {
    const go = new AbortController();
    const released = once(go.signal, 'abort');
    const inFlight = films.slice(0, 8).map((bytes) => ask(port, bytes, {}, released));
    t.equal(await untilOpen(port, 8), 8);
    server.child.kill('SIGTERM');
    await untilDeaf(port);
    go.abort();
    for (const { status } of await Promise.all(inFlight)) t.equal(status, 200);
    const { code, errors } = await server.ended;
    t.equal(code, 0);
    t.equal(errors, '');
  });
});

t.test('a queue that is full refuses at once and says when to come again', async (t) => {
  const folder = path.join(t.testdir(), 'model');
  const model = await GazeLT.create({
    classes,
    init: 'random',
    architecture: 'resnet18',
    imageSize: 64,
    seed: 5,
  });
  await model.save(folder);
  model.dispose();
  const { child, port, ended } = await start(folder, '--queue', '2');
  t.teardown(() => child.kill('SIGKILL'));
  const bytes = await film(0);
  const go = new AbortController();
  const released = once(go.signal, 'abort');
  const answered = Promise.all([1, 2].map(() => ask(port, bytes, {}, released)));
  t.equal(await untilOpen(port, 2), 2);
  const { status, headers, body } = await ask(port, bytes);
  t.equal(status, 503);
  t.equal(headers['retry-after'], '1');
  t.equal(body.error.code, 'BUSY');
  go.abort();
  for (const answer of await answered) t.equal(answer.status, 200);
  t.equal(await untilOpen(port, 0), 0);
  t.equal((await ask(port, bytes)).status, 200, 'and afterwards it goes on');
  child.kill('SIGTERM');
  t.equal((await ended).code, 0);
});

t.test('a server that cannot start says why', async (t) => {
  const run = async (...flags: string[]) => {
    const child = spawn(process.execPath, [path.join(root, 'examples/serve.mjs'), ...flags], {
      env: childEnv(),
    });
    let errors = '';
    child.stderr.on('data', (text) => {
      errors += String(text);
    });
    const [code] = await once(child, 'exit');
    return { code: code as number, errors };
  };
  const nowhere = await run('--model', path.join(t.testdir(), 'nothing'));
  t.equal(nowhere.code, 1);
  t.match(nowhere.errors, /expected a saved model/);
  const wrong = await run('--model', 'x', '--batch', '0');
  t.equal(wrong.code, 1);
  t.match(wrong.errors, /--batch: expected a whole number of at least 1/);
});
