import t from 'tap';
import { rng } from '../../lib/data/random.js';
import { CentreBias, cc, klDivergence, nss, saliencyOfMap } from '../../lib/gaze/saliency.js';

const random = rng(3, 'test', 'saliency');
const draw = (count: number): number[] => Array.from({ length: count }, () => random.uniform(0, 2));
const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
const close = (a: number, b: number): boolean => Math.abs(a - b) < 1e-12 * Math.max(1, Math.abs(b));

t.test('CC is the textbook correlation, and blind to scale', async (t) => {
  const [p, q] = [draw(60), draw(60)];
  const n = 60;
  const sxy = sum(p.map((value, i) => value * (q[i] as number)));
  const [sxx, syy] = [sum(p.map((v) => v * v)), sum(q.map((v) => v * v))];
  const expected = (n * sxy - sum(p) * sum(q)) / Math.sqrt((n * sxx - sum(p) ** 2) * (n * syy - sum(q) ** 2));
  t.ok(Math.abs(cc(p, q) - expected) < 1e-12);
  t.ok(
    close(
      cc(
        p.map((v) => 3 * v + 1),
        q,
      ),
      cc(p, q),
    ),
  );
  t.ok(
    close(
      cc(
        p,
        p.map((v) => -v),
      ),
      -1,
    ),
  );
  t.equal(cc(new Float32Array(9).fill(0.1), draw(9)), 0, 'a uniform map');
  t.throws(() => cc(p, draw(59)), { code: 'ERR_INVALID_SHAPE' });
});

t.test('KL by its formula', async (t) => {
  const [p, q] = [draw(40), draw(40)];
  q[3] = 0;
  p[4] = 0;
  const formula = (epsilon: number): number =>
    sum(
      q.map((value, i) => {
        const share = value / sum(q);
        return share * Math.log(epsilon + share / ((p[i] as number) / sum(p) + epsilon));
      }),
    );
  t.ok(close(klDivergence(q, p), formula(1e-7)));
  t.ok(close(klDivergence(q, p, 1e-3), formula(1e-3)));
  t.ok(Math.abs(klDivergence(q, q)) < 1e-5, 'nothing from itself');
  t.ok(
    close(
      klDivergence(
        q,
        p.map((v) => 9 * v),
      ),
      klDivergence(q, p),
    ),
    'scale does not count',
  );
  t.ok(klDivergence(q, new Float32Array(40)) > 10, 'a prediction of nothing is far off');
  t.throws(() => klDivergence(new Float32Array(4), draw(4)), {
    code: 'ERR_INVALID_ARGUMENT',
    message: /target/,
  });
  t.throws(() => klDivergence([1, 2], [1, -1]), { code: 'ERR_INVALID_ARGUMENT', message: /prediction\[1\]/ });
  t.throws(() => klDivergence([1, 2], [1, Number.NaN]), { code: 'ERR_INVALID_ARGUMENT' });
});

t.test('NSS at the fixations', async (t) => {
  const map = [1, 2, 3, 4, 5, 12];
  const mean = sum(map) / 6;
  const deviation = Math.sqrt(sum(map.map((v) => (v - mean) ** 2)) / 6);
  const size = { width: 3, height: 2 };
  const at = (...fixations: { x: number; y: number }[]) =>
    nss(map, size, { width: 300, height: 200, fixations });
  t.ok(close(at({ x: 299, y: 150 }), (12 - mean) / deviation));
  t.ok(
    close(at({ x: 0, y: 0 }, { x: 300, y: 200 }), ((1 + 12) / 2 - mean) / deviation),
    'edges belong to the film',
  );
  t.ok(
    close(at({ x: 150, y: 99.9 }, { x: -1, y: 0 }, { x: 0, y: 201 }), (2 - mean) / deviation),
    'off the film',
  );
  t.ok(Number.isNaN(at({ x: 400, y: 0 })));
  t.equal(nss([5, 5], { width: 2, height: 1 }, { width: 2, height: 1, fixations: [{ x: 0, y: 0 }] }), 0);
  t.throws(() => nss(map, { width: 3, height: 3 }, { width: 1, height: 1, fixations: [] }), {
    code: 'ERR_INVALID_ARGUMENT',
  });
});

t.test('a map of three channels as saliency', async (t) => {
  const map = [1, -2, 0, 2, 0, 0, 2, 1, 0];
  const roots = [3, Math.sqrt(5), 0].map((root) => root / Math.sqrt(3));
  const expected = roots.map((root) => Math.fround(root / sum(roots)));
  t.strictSame(Array.from(saliencyOfMap(map)), expected);
  t.strictSame(Array.from(saliencyOfMap([0, 0], 1)), [0, 0]);
  t.throws(() => saliencyOfMap([1, 2]), { code: 'ERR_INVALID_ARGUMENT' });
});

t.test('centre bias is the mean over readings that looked', async (t) => {
  const bias = new CentreBias(2, 2);
  t.strictSame(
    bias.maps().map((map) => [...map]),
    [
      [0, 0],
      [0, 0],
    ],
  );
  bias.add({ maps: [1, 0, 9, 9], present: [true, false] });
  bias.add({ maps: [0, 0.5, 1, 3], present: [true, true] });
  t.strictSame(
    bias.maps().map((map) => [...map]),
    [
      [0.5, 0.25],
      [1, 3],
    ],
  );
  t.strictSame(bias.counts, [2, 1]);
  t.throws(() => bias.add({ maps: [1], present: [true] }), { code: 'ERR_INVALID_ARGUMENT' });
});
