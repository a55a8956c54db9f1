/** Comparison of arrays with a message that names the worst element. Needs no test runner: pages compare too. */

/** Largest absolute difference allowed at element i. */
export type Tolerance = (expected: number, i: number) => number;

/** Fails unless every element lies within its tolerance. NaN equals NaN, and infinities themselves; `what` names the arrays. */
export function expectClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: Tolerance,
  what: string,
): void {
  expectSameLength(actual, expected, what);
  let worst = -1;
  let worstRatio = 1;
  let failures = 0;
  for (let i = 0; i < expected.length; i++) {
    if (Object.is(actual[i], expected[i]) || actual[i] === expected[i]) continue;
    const difference = Math.abs(actual[i] - expected[i]);
    const allowed = tolerance(expected[i], i);
    if (difference <= allowed) continue;
    failures++;
    // A NaN is worse than any number.
    const ratio = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference / allowed;
    if (worst < 0 || ratio > worstRatio) {
      worst = i;
      worstRatio = ratio;
    }
  }
  if (worst < 0) return;
  const allowed = tolerance(expected[worst], worst);
  throw new Error(
    `${what}: ${failures} of ${expected.length} elements differ. Worst is element ${worst}: ` +
      `${actual[worst]} instead of ${expected[worst]}, which may differ by ${allowed.toExponential(2)}.`,
  );
}

/** Fails unless both hold the same bits. */
export function expectSameBits(actual: ArrayLike<number>, expected: ArrayLike<number>, what: string): void {
  expectSameLength(actual, expected, what);
  for (let i = 0; i < expected.length; i++) {
    if (!Object.is(actual[i], expected[i])) {
      throw new Error(`${what}: element ${i} is ${actual[i]} and not ${expected[i]} to the bit.`);
    }
  }
}

function expectSameLength(actual: ArrayLike<number>, expected: ArrayLike<number>, what: string): void {
  if (actual.length !== expected.length)
    throw new Error(`${what}: ${actual.length} elements instead of ${expected.length}.`);
}
