/** Counter-based random numbers in WGSL, bit for bit those of portable/random.ts, which has the mathematics. */

import { wgsl } from './wgsl.js';

/** Rotations of the odd and the even groups of four rounds. */
const rotations = [
  [17, 29, 16, 24],
  [13, 15, 26, 6],
];

const rounds = [1, 2, 3, 4, 5].flatMap((group) => [
  ...rotations[group % 2].flatMap((bits) => [
    'x0 += x1;',
    `x1 = ((x1 << U(${bits})) | (x1 >> U(${32 - bits}))) ^ x0;`,
  ]),
  `x0 += key${group % 3};`,
  `x1 += key${(group + 1) % 3} + ${group}u;`,
]);

/** The polynomials of -log(1 - w) and of the sine, highest power first, as integers that stand for themselves times 2^-24. */
const logarithm = [20954599, -21716855, 15380192, -887338, 3907329, 4154240, 5593506, 8388603];
const sine = [2545, -78419, 1336975, -10837474, 9576373];

const horner = (result: string, variable: string, [highest, ...others]: readonly number[]) => [
  `var ${result} = I(${highest});`,
  ...others.map((coefficient) => `${result} = ${coefficient} + dmpo_multiply_q24(${result}, ${variable});`),
];

export const randomFunctions = [
  wgsl`
    fn dmpo_threefry(key0: U, key1: U, counter: U) -> array<U, 2> {
      let key2 = key0 ^ key1 ^ U(0x1bd11bda);
      var x0 = counter + key0;
      var x1 = key1;
      ${rounds}
      return array<U, 2>(x0, x1);
    }
  `,
  wgsl`
    fn dmpo_random_bits(key0: U, key1: U, counter: U) -> U {
      return dmpo_threefry(key0, key1, counter)[0];
    }
  `,
  wgsl`
    fn dmpo_random_uniform(key0: U, key1: U, counter: U) -> F {
      return F(dmpo_threefry(key0, key1, counter)[0] >> U(8)) * 5.9604644775390625e-8;
    }
  `,
  // floor(a * b / 2^24) by halves of 12 bits: every partial product and sum fits 32 bits.
  wgsl`
    fn dmpo_multiply_q24(a: I, b: I) -> I {
      let a_high = a >> U(12);
      let a_low = a & I(4095);
      let b_high = b >> U(12);
      let b_low = b & I(4095);
      let middle = a_high * b_low + a_low * b_high + ((a_low * b_low) >> U(12));
      return a_high * b_high + (middle >> U(12));
    }
  `,
  // floor(sqrt(n)) of n = two_t * 2^18. The float's root errs by less than 64, so n - root^2 fits 32 bits although n has 48.
  wgsl`
    fn dmpo_radius(two_t: I) -> I {
      var root = I(sqrt(F(two_t)) * 512.0);
      var rest = (two_t << U(18)) - root * root;
      let step = I(floor(F(rest) / F(2 * root)));
      rest -= step * (2 * root + step);
      root += step;
      for (var i = 0; i < 2; i++) {
        let above = I(rest < I()) - I(rest > 2 * root);
        rest += above * (2 * root - above);
        root -= above;
      }
      return root;
    }
  `,
  wgsl`
    fn dmpo_random_normal(key0: U, key1: U, counter: U) -> F {
      let words = dmpo_threefry(key0, key1, counter);
      let odd = words[0] | U(1);
      let leading_zeros = countLeadingZeros(odd);
      let w = 0x1000000 - I((odd << leading_zeros) >> U(8));
      ${horner('p', 'w', logarithm)}
      let minus_log = w + dmpo_multiply_q24(dmpo_multiply_q24(p, w), w);
      let radius = dmpo_radius(2 * (I(leading_zeros) * 11629080 + minus_log));

      let x = I(((words[1] << U(1)) >> U(8)) | U(1));
      let square = dmpo_multiply_q24(x, x);
      ${horner('s', 'square', sine)}
      let sine = x + dmpo_multiply_q24(s, x);

      let magnitude = F(radius) * F(sine) * 2.842170943040401e-14;
      return dmpo_copy_sign(magnitude, bitcast<F>(words[1]));
    }
  `,
];
