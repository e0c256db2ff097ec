/**
 * A double as Python prints it: the fewest digits that read back as the same number, `2.0` with its point, and an
 * exponent below 1e-4 and from 1e16 on (`1e-05`, `1e+16`).
 */
export function pythonFloat(value: number): string {
  return layout(value, () => value.toExponential());
}

/** A float32 as NumPy prints those below 2^24: the fewest digits that read back as the same float32. */
export function pythonFloat32(value: number): string {
  const single = Math.fround(value);
  return layout(single, () => {
    // Eight digits nearly always decide: fewer are tried only where eight suffice, and nine suffice always.
    let text = single.toExponential(8);
    for (let digits = 7; digits >= 0; digits--) {
      const shorter = single.toExponential(digits);
      if (Math.fround(Number(shorter)) !== single) break;
      text = shorter;
    }
    return text;
  });
}

/** Lays out a number given in exponent form, with Python's choice between the two notations. */
function layout(value: number, exponential: () => string): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  if (value === 0) return Object.is(value, -0) ? '-0.0' : '0.0';
  const [mantissa, power] = exponential().split('e') as [string, string];
  const sign = mantissa.startsWith('-') ? '-' : '';
  const digits = mantissa.replace(/[-.]/g, '').replace(/0+$/, '') || '0';
  const exponent = Number(power);
  if (Math.abs(value) < 1e-4 || Math.abs(value) >= 1e16) {
    const fraction = digits.length > 1 ? `.${digits.slice(1)}` : '';
    const magnitude = String(Math.abs(exponent)).padStart(2, '0');
    return `${sign}${digits[0]}${fraction}e${exponent < 0 ? '-' : '+'}${magnitude}`;
  }
  if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${digits}`;
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, '0');
  return `${sign}${whole}.${digits.slice(exponent + 1) || '0'}`;
}

/** Rounds as NumPy does: scaled, to the nearest whole number, ties to even, scaled back. */
export function numpyRound(value: number, decimals: number): number {
  const scale = 10 ** decimals;
  const scaled = value * scale;
  const floor = Math.floor(scaled);
  const rest = scaled - floor;
  const up = rest > 0.5 || (rest === 0.5 && floor % 2 !== 0);
  return (up ? floor + 1 : floor) / scale;
}

/**
 * A fixed number of decimals as Python's `format` gives them: the exact value decides, and an exact tie goes to the even
 * digit, where `toFixed` would round up (0.5625 is 0.562).
 */
export function pythonFixed(value: number, decimals: number): string {
  // With d decimals only odd multiples of 2^-(d+1) are exact ties among binary fractions.
  const halves = value * 2 ** (decimals + 1);
  if (!Number.isInteger(halves) || halves % 2 === 0) return value.toFixed(decimals);
  return numpyRound(value, decimals).toFixed(decimals);
}
