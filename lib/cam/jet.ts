/**
 * OpenCV's colour map JET: dark blue for 0 over cyan, green and yellow to dark red for 255.
 *
 * @param level 0 to 255
 * @returns red, green and blue, 0 to 255
 */
export function jet(level: number): readonly [red: number, green: number, blue: number] {
  const i = Math.min(255, Math.max(0, Math.trunc(level)));
  // OpenCV's table is these lines, but for one entry that it rounds down.
  const blue = i === 159 ? 1 : byte(Math.min(128 + 4 * i, 638 - 4 * i));
  return [byte(Math.min(4 * i - 382, 1148 - 4 * i)), byte(Math.min(4 * i - 128, 892 - 4 * i)), blue];
}

function byte(value: number): number {
  return Math.min(255, Math.max(0, value));
}
