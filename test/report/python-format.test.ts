import fc from 'fast-check';
import t from 'tap';
import { numpyRound, pythonFixed, pythonFloat, pythonFloat32 } from '../../lib/report/python-format.js';

// Printed by Python 3.11 (repr), NumPy (str of float32, round) and '%.3f'.
const doubles: [number, string][] = [
  [0.0, '0.0'],
  [-0.0, '-0.0'],
  [1.0, '1.0'],
  [2.0, '2.0'],
  [-3.5, '-3.5'],
  [0.1, '0.1'],
  [0.3333333333333333, '0.3333333333333333'],
  [0.6666666666666666, '0.6666666666666666'],
  [0.0001, '0.0001'],
  [0.00012345, '0.00012345'],
  [9.9999e-5, '9.9999e-05'],
  [1e-5, '1e-05'],
  [1.5e-7, '1.5e-07'],
  [123456789.125, '123456789.125'],
  [1000000000000000.0, '1000000000000000.0'],
  [9999999999999998.0, '9999999999999998.0'],
  [1e16, '1e+16'],
  [1.2345e22, '1.2345e+22'],
  [5e-324, '5e-324'],
  [1.7976931348623157e308, '1.7976931348623157e+308'],
  [0.30000000000000004, '0.30000000000000004'],
  [100.0, '100.0'],
  [Number.POSITIVE_INFINITY, 'inf'],
  [Number.NEGATIVE_INFINITY, '-inf'],
  [Number.NaN, 'nan'],
];
const singles: [number, string][] = [
  [0.0, '0.0'],
  [1.0, '1.0'],
  [0.10000000149011612, '0.1'],
  [0.3333333432674408, '0.33333334'],
  [0.5446825623512268, '0.54468256'],
  [9.999999747378752e-5, '1e-04'],
  [9.899999713525176e-5, '9.9e-05'],
  [1.000000013351432e-10, '1e-10'],
  [1.1754943508222875e-38, '1.1754944e-38'],
  [1.401298464324817e-45, '1e-45'],
  [3.4028234663852886e38, '3.4028235e+38'],
  [0.5, '0.5'],
  [0.08564916998147964, '0.08564917'],
  [0.23681050539016724, '0.2368105'],
  [0.8012744784355164, '0.8012745'],
  [0.5821620225906372, '0.582162'],
  [0.09412864595651627, '0.094128646'],
  [0.43312692642211914, '0.43312693'],
  [0.47905129194259644, '0.4790513'],
  [0.1597389131784439, '0.15973891'],
  [0.7345771789550781, '0.7345772'],
  [0.11367201805114746, '0.11367202'],
  [0.39122819900512695, '0.3912282'],
  [0.5167402029037476, '0.5167402'],
  [0.00035890197614207864, '0.00035890198'],
  [2.021209911617916e-5, '2.02121e-05'],
  [1.2511163731687702e-6, '1.2511164e-06'],
  [2.238009599864199e-8, '2.2380096e-08'],
  [0.005325871519744396, '0.0053258715'],
  [6.480706360889599e-6, '6.4807064e-06'],
  [2.6932211767416447e-6, '2.6932212e-06'],
  [0.0045523326843976974, '0.0045523327'],
];
const roundings: [number, string, string][] = [
  [0.5625, '0.562', '0.562'],
  [0.0625, '0.062', '0.062'],
  [0.4375, '0.438', '0.438'],
  [0.3125, '0.312', '0.312'],
  [0.0125, '0.013', '0.012'],
  [0.1235, '0.123', '0.124'],
  [0.2865, '0.286', '0.286'],
  [0.5, '0.500', '0.5'],
  [1.0, '1.000', '1.0'],
  [0.0, '0.000', '0.0'],
  [0.6666666666666666, '0.667', '0.667'],
  [0.0005, '0.001', '0.0'],
  [0.0015, '0.002', '0.002'],
  [0.9995, '1.000', '1.0'],
  [0.1875, '0.188', '0.188'],
  [-0.0625, '-0.062', '-0.062'],
  [0.6855, '0.685', '0.686'],
];

t.test('doubles as Python prints them', async (t) => {
  for (const [value, text] of doubles) t.equal(pythonFloat(value), text);
});

t.test('float32 as NumPy prints them', async (t) => {
  for (const [value, text] of singles)
    t.equal(pythonFloat32(value), text.includes('.') || text.includes('e') ? text : `${text}.0`);
});

t.test('three decimals by format and by NumPy’s round', async (t) => {
  for (const [value, fixed, rounded] of roundings) {
    t.equal(pythonFixed(value, 3), fixed, `'%.3f' % ${value}`);
    t.equal(pythonFloat(numpyRound(value, 3)), rounded, `round(${value}, 3)`);
  }
});

t.test('any double and any float32 reads back as itself', async () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (x) =>
      Object.is(Number(pythonFloat(x)), x),
    ),
  );
  fc.assert(
    fc.property(fc.float({ noNaN: true, noDefaultInfinity: true }), (x) =>
      Object.is(Math.fround(Number(pythonFloat32(x))), x),
    ),
    { numRuns: 1000 },
  );
});

t.test('fixed decimals are never further off than half a unit', async () => {
  fc.assert(
    fc.property(
      fc.double({ min: 0, max: 1, noNaN: true }),
      (x) => Math.abs(Number(pythonFixed(x, 3)) - x) <= 0.0005 + 1e-15,
    ),
  );
});
