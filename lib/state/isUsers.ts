/** The state is the user's: what Spillway itself keeps has names that no user would give; of lists and maps only the beginning is such. */
export const isUsers = (operator: string, name: string): boolean =>
  !operator.startsWith('(') && /^(?!\()|^\((list|union|map)\) /.test(name)
