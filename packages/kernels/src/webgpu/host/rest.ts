/**
 * Waiting for a software GPU. Dawn in Node asks in every turn of the event loop whether it is done, and so takes much of a core that
 * the software GPU could compute on. While something is waited for, each turn of the loop sleeps a little.
 */

/** Sleeping for an eighth of the time already waited makes no wait much longer. */
const SHARE = 1 / 8;
const LONGEST_MILLISECONDS = 1;

export class Rest {
  readonly #sleep: (milliseconds: number) => void;
  #waiting = 0;
  #since = 0;
  #isTurning = false;

  /** `sleep` blocks the thread. */
  constructor(sleep: (milliseconds: number) => void) {
    this.#sleep = sleep;
  }

  async during<Result>(work: Promise<Result>): Promise<Result> {
    if (this.#waiting++ === 0) this.#since = performance.now();
    // A turn of an earlier wait may still be to come.
    if (!this.#isTurning) setImmediate(this.#turn);
    this.#isTurning = true;
    try {
      return await work;
    } finally {
      this.#waiting--;
    }
  }

  readonly #turn = () => {
    this.#isTurning = this.#waiting > 0;
    if (!this.#isTurning) return;
    this.#sleep(Math.min(SHARE * (performance.now() - this.#since), LONGEST_MILLISECONDS));
    setImmediate(this.#turn);
  };
}
