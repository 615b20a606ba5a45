/** The state is the user's: what Spillway itself keeps has names that no user would give. */
export const isUsers = (operator: string, name: string): boolean => !operator.startsWith('(') && !name.startsWith('(')
