/** Scheduling: an order in which every kernel finds its inputs computed, as near as possible to the order of the program. */

import type { Node } from '../graph.js';
import type { Work } from './kernels.js';

/** Which kernels must come after which. */
export class Dependencies {
  readonly #followers = new Map<Work, Set<Work>>();
  readonly #readers = new Map<Node, Work[]>();
  readonly #producers = new Map<Node, Work>();

  constructor(readonly works: readonly Work[]) {
    for (const work of works) {
      this.#followers.set(work, new Set());
      for (const node of work.writes) this.#producers.set(node, work);
    }
    for (const work of works) {
      for (const node of work.reads) {
        const readers = this.#readers.get(node);
        if (readers) readers.push(work);
        else this.#readers.set(node, [work]);
        const producer = this.#producers.get(node);
        if (producer) this.add(producer, work);
      }
    }
  }

  producer(node: Node): Work | undefined {
    return this.#producers.get(node);
  }

  readers(node: Node): readonly Work[] {
    return this.#readers.get(node) ?? [];
  }

  add(before: Work, after: Work): void {
    if (before !== after) this.#followers.get(before)?.add(after);
  }

  /** True if `later` has to come after `earlier`. */
  reaches(earlier: Work, later: Work): boolean {
    const seen = new Set<Work>();
    const stack = [earlier];
    for (let work = stack.pop(); work; work = stack.pop()) {
      if (work === later) return true;
      if (seen.has(work)) continue;
      seen.add(work);
      stack.push(...(this.#followers.get(work) ?? []));
    }
    return false;
  }

  /** Oldest first among those whose inputs are there. */
  order(): Work[] {
    const waiting = new Map<Work, number>(this.works.map((work) => [work, 0]));
    for (const followers of this.#followers.values())
      for (const work of followers) waiting.set(work, (waiting.get(work) ?? 0) + 1);
    const ready = this.works.filter((work) => waiting.get(work) === 0).sort((a, b) => b.age - a.age);
    const ordered: Work[] = [];
    for (let work = ready.pop(); work; work = ready.pop()) {
      ordered.push(work);
      for (const follower of this.#followers.get(work) ?? []) {
        const left = (waiting.get(follower) as number) - 1;
        waiting.set(follower, left);
        if (left === 0) insertByAge(ready, follower);
      }
    }
    if (ordered.length !== this.works.length) throw new TypeError('kernels that wait for each other');
    return ordered;
  }
}

/** Keeps the list sorted from youngest to oldest. */
function insertByAge(list: Work[], work: Work): void {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((list[middle] as Work).age > work.age) low = middle + 1;
    else high = middle;
  }
  list.splice(low, 0, work);
}
