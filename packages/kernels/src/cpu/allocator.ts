/** Hands out ranges of an address space: lists of free blocks by size class, neighbours joined when a block comes back. */

/** Ranges begin at multiples of this, a cache line. */
export const ALIGNMENT = 64;

interface Block {
  readonly address: number;
  size: number;
  isFree: boolean;
  previous: Block | undefined;
  next: Block | undefined;
}

export class Allocator {
  /** Free blocks by the binary logarithm of their size, of any size that JavaScript counts exactly. */
  readonly #free: Set<Block>[] = Array.from({ length: 54 }, () => new Set());
  readonly #taken = new Map<number, Block>();
  #last: Block | undefined;
  #end: number;

  /** `end` is where the space ends for now; `add` extends it. */
  constructor(begin: number) {
    this.#end = roundUp(begin);
  }

  /** Extends the space to `end`. */
  add(end: number): void {
    const size = end - this.#end;
    if (size < ALIGNMENT) return;
    const block: Block = {
      address: this.#end,
      size: size - (size % ALIGNMENT),
      isFree: true,
      previous: this.#last,
      next: undefined,
    };
    if (this.#last !== undefined) this.#last.next = block;
    this.#last = block;
    this.#end += block.size;
    this.#giveBack(block);
  }

  /** The address of a new range, or undefined if there is none that large. */
  take(bytes: number): number | undefined {
    const size = roundUp(Math.max(bytes, 1));
    const block = this.#find(size);
    if (block === undefined) return undefined;
    this.#free[sizeClass(block.size)].delete(block);
    if (block.size > size) {
      const rest: Block = {
        address: block.address + size,
        size: block.size - size,
        isFree: true,
        previous: block,
        next: block.next,
      };
      if (block.next !== undefined) block.next.previous = rest;
      else this.#last = rest;
      block.next = rest;
      block.size = size;
      this.#free[sizeClass(rest.size)].add(rest);
    }
    block.isFree = false;
    this.#taken.set(block.address, block);
    return block.address;
  }

  /** Takes back a range that `take` gave. */
  release(address: number): void {
    const block = this.#taken.get(address);
    if (block === undefined) throw new RangeError(`nothing was allocated at ${address}`);
    this.#taken.delete(address);
    this.#giveBack(block);
  }

  /** Bytes at the end of the space that are free: `take` succeeds once `add` has made this enough. */
  get freeAtEnd(): number {
    return this.#last?.isFree ? this.#last.size : 0;
  }

  #find(size: number): Block | undefined {
    const first = sizeClass(size);
    for (const block of this.#free[first]) if (block.size >= size) return block;
    for (let c = first + 1; c < this.#free.length; c++) {
      for (const block of this.#free[c]) return block;
    }
    return undefined;
  }

  #giveBack(block: Block): void {
    let merged = block;
    const { previous, next } = block;
    if (next?.isFree) {
      this.#free[sizeClass(next.size)].delete(next);
      this.#join(block, next);
    }
    if (previous?.isFree) {
      this.#free[sizeClass(previous.size)].delete(previous);
      this.#join(previous, block);
      merged = previous;
    }
    merged.isFree = true;
    this.#free[sizeClass(merged.size)].add(merged);
  }

  #join(left: Block, right: Block): void {
    left.size += right.size;
    left.next = right.next;
    if (right.next !== undefined) right.next.previous = left;
    else this.#last = left;
  }
}

function sizeClass(size: number): number {
  return Math.floor(Math.log2(size));
}

function roundUp(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
}
