/** Waits until it holds, asking in every macrotask; throws what `otherwise` says if it takes too long. */
export const until = async (
  holds: () => boolean | Promise<boolean>,
  { waitMs, otherwise }: { readonly waitMs: number; readonly otherwise: () => string },
): Promise<void> => {
  const deadlineMs = performance.now() + waitMs
  while (!(await holds())) {
    if (performance.now() > deadlineMs) throw new Error(otherwise())
    await new Promise(resume => setTimeout(resume))
  }
}
