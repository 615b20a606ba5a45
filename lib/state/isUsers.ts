/** The state is the user's: what Spillway itself keeps has names that no user would give; of a list only the beginning is such. */
export const isUsers = (operator: string, name: string): boolean =>
  !operator.startsWith('(') && /^(?!\()|^\((list|union)\) /.test(name)
