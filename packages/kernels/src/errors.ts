/** The one error type of the project: a stable code, what went wrong, and what to do about it. */

export class DmpoError extends Error {
  override readonly name = 'DmpoError';

  /**
   * @param code stable identifier, e.g. `SHAPE_MISMATCH`; tests and callers match on it
   * @param problem what went wrong, naming the values involved
   * @param fix what the user can do about it
   */
  constructor(
    readonly code: string,
    readonly problem: string,
    readonly fix: string,
    options?: ErrorOptions,
  ) {
    super(`${problem} ${fix}`, options);
  }
}
