/** Pointwise functions that `Math` lacks, accurate to float64 rounding, in the subset of JavaScript that gpu.js transpiles. */

/** 1 / (1 + exp(-a)), without overflow for any a. */
export function sigmoid(a: number): number {
  const e = Math.exp(-Math.abs(a));
  if (a >= 0) return 1 / (1 + e);
  return e / (1 + e);
}

/** log(1 + exp(a)), without overflow for any a. */
export function softplus(a: number): number {
  return Math.max(a, 0) + Math.log1p(Math.exp(-Math.abs(a)));
}

/**
 * Error function. Below 3 the series erf(a) = 2/sqrt(pi) exp(-a^2) sum_n 2^n a^(2n+1) / (2n+1)!! (all terms positive, hence no
 * cancellation); from 3 on the continued fraction of erfc, erfc(a) = exp(-a^2)/sqrt(pi) / (a + (1/2)/(a + (2/2)/(a + ...))).
 */
export function erf(a: number): number {
  const x = Math.abs(a);
  const gaussian = 0.5641895835477563 * Math.exp(-x * x);
  let magnitude = 1;
  if (x < 3) {
    let term = 2 * x;
    let sum = term;
    for (let n = 1; n < 64; n++) {
      term = (term * 2 * x * x) / (2 * n + 1);
      sum = sum + term;
    }
    magnitude = gaussian * sum;
  }
  if (x >= 3 && x < 6) {
    let fraction = x;
    for (let n = 40; n > 0; n--) {
      fraction = x + (0.5 * n) / fraction;
    }
    magnitude = 1 - gaussian / fraction;
  }
  return Math.sign(a) * magnitude;
}
