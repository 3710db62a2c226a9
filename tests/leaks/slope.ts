/**
 * The slope of a measured line that has outliers: the median of the slopes between all pairs of points (Theil 1950, Sen 1968). Up to 29 % of the points may be anything
 * without effect.
 */

/**
 * @param points `[x, y]`, at least two with different x
 * @returns y per x
 */
export function slope(points: readonly (readonly [number, number])[]): number {
  const slopes: number[] = [];
  for (let i = 0; i < points.length; i++) {
    for (let j = i + 1; j < points.length; j++) {
      const [x1, y1] = points[i]!;
      const [x2, y2] = points[j]!;
      if (x1 !== x2) slopes.push((y2 - y1) / (x2 - x1));
    }
  }
  if (slopes.length === 0) throw new RangeError("A slope needs two points with different x.");
  slopes.sort((a, b) => a - b);
  const middle = slopes.length >> 1;
  return slopes.length % 2 === 1 ? slopes[middle]! : (slopes[middle - 1]! + slopes[middle]!) / 2;
}
