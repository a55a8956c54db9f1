/** What a caught value says, for the text of an error that names more. */

export function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
