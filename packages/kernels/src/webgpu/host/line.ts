/**
 * Work for the GPU in the order in which it was asked for. Usually each piece is done at once; behind one that waits for shaders to be
 * compiled, everything waits.
 */

export class Line {
  #last: Promise<void> | undefined;

  /** Whether something waits. */
  get isWaiting(): boolean {
    return this.#last !== undefined;
  }

  /** Does `work` now, or when all that was asked for before is done. `work` does not throw. */
  add(work: () => void): void {
    if (this.#last === undefined) work();
    else this.addBehind(Promise.resolve(), work);
  }

  /** Does `work` once all before it is done and `ready` has resolved. Neither rejects nor throws. */
  addBehind(ready: Promise<void>, work: () => void): void {
    const before = this.#last;
    const inTurn = async () => {
      await before;
      await ready;
      if (this.#last === last) this.#last = undefined;
      work();
    };
    const last: Promise<void> = inTurn();
    this.#last = last;
  }
}
