/** Memory planning: intermediates whose lifetimes do not meet share a slot. */

export interface Lifetime {
  readonly bytes: number;
  /** First and last step at which the value exists, both included. */
  readonly begin: number;
  readonly end: number;
}

export interface MemoryPlan {
  /** Slot of each value. */
  readonly slotOf: readonly number[];
  readonly slotBytes: readonly number[];
}

/** Largest values first, each into the smallest slot that is free for its whole life (Pisarchyk & Lee 2020, arXiv 2001.03288). */
export function planMemory(values: readonly Lifetime[]): MemoryPlan {
  const slots: { bytes: number; users: Lifetime[] }[] = [];
  const slotOf = new Array<number>(values.length);
  const bySize = [...values.keys()].sort(
    (a, b) => (values[b] as Lifetime).bytes - (values[a] as Lifetime).bytes || a - b,
  );
  for (const index of bySize) {
    const value = values[index] as Lifetime;
    let best = -1;
    slots.forEach((slot, at) => {
      const free = slot.users.every((user) => user.end < value.begin || value.end < user.begin);
      if (free && (best < 0 || slot.bytes < (slots[best] as { bytes: number }).bytes)) best = at;
    });
    if (best < 0) best = slots.push({ bytes: value.bytes, users: [] }) - 1;
    (slots[best] as { users: Lifetime[] }).users.push(value);
    slotOf[index] = best;
  }
  return { slotOf, slotBytes: slots.map((slot) => slot.bytes) };
}
